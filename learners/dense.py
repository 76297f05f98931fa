"""Layers that see every value: trained by torch, asked by NumPy alone."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from learners.base import Progress
from learners.batch import check_width
from learners.training import ArrayExamples, TrainingSettings, hold_out, seeded, train

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["DenseLayers", "Standardization", "dense_network", "train_dense", "trained_layers"]

# Values whose deviation is below this share of their size never change but by rounding.
_LEAST_DEVIATION = 1e-5


@dataclass(frozen=True, eq=False)
class Standardization:
    """Map a feature to mean 0 and deviation 1 in each value.

    Parameters
    ----------
    mean, scale : ndarray of float32, shape (n_dims,)
        ``(x - mean) * scale``; a value that never changes has scale 0.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def of(cls, features: NDArray[np.float32]) -> "Standardization":
        """Learn it from features, float32 (n_images, n_dims), at least one.

        Examples
        --------
        >>> Standardization.of(np.array([[1, 7], [3, 7]], np.float32)).scale
        array([1., 0.], dtype=float32)
        """
        mean = features.mean(axis=0, dtype=np.float64)
        deviation = features.std(axis=0, dtype=np.float64)
        changes = deviation > _LEAST_DEVIATION * np.maximum(np.abs(mean), 1e-30)
        scale = np.divide(1, deviation, out=np.zeros_like(mean), where=changes)
        return cls(mean.astype(np.float32), scale.astype(np.float32))

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standardise features, float32 (n_images, n_dims).

        Raises
        ------
        InputError
            If they are of another width.
        """
        check_width(features, len(self.mean), "a network")
        return (features - self.mean) * self.scale


@dataclass(frozen=True, eq=False)
class DenseLayers:
    """Affine layers with ``max(x, 0)`` between them.

    Parameters
    ----------
    weights : tuple of ndarray of float, each of shape (n_in, n_out)
    biases : tuple of ndarray of float, each of shape (n_out,)

    Examples
    --------
    >>> layers = DenseLayers((np.array([[1.0, -1.0]]), np.array([[1.0], [2.0]])),
    ...                      (np.zeros(2), np.ones(1)))
    >>> layers(np.array([[3.0], [-3.0]]))
    array([[4.],
           [7.]])
    """

    weights: tuple[NDArray[np.floating], ...]
    biases: tuple[NDArray[np.floating], ...]

    def __call__(self, inputs: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the outputs, float (n_images, n_out), of float (n_images, n_in)."""
        values = inputs
        for number, (matrix, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if number:
                values = np.maximum(values, 0)
            values = values @ matrix + bias  # (n_images, n_out)
        return values

    def taking(self, columns: NDArray[np.int64]) -> "DenseLayers":
        """Return layers with some of the outputs, -1 = one that is always 0, int64 (n_out,)."""

        def taken(last: NDArray[np.floating]) -> NDArray[np.floating]:
            chosen: NDArray[np.floating] = np.where(
                columns < 0, last.dtype.type(0), last[..., columns]
            )
            return chosen

        return DenseLayers(
            (*self.weights[:-1], taken(self.weights[-1])),
            (*self.biases[:-1], taken(self.biases[-1])),
        )

    def behind(self, turn: NDArray[np.floating], mean: NDArray[np.floating]) -> "DenseLayers":
        """Return layers whose inputs ``x`` are taken for ``x @ turn - mean``.

        Parameters
        ----------
        turn : ndarray of float, shape (n_inputs, n_turned)
        mean : ndarray of float, shape (n_turned,)
        """
        first, bias = self.weights[0], self.biases[0]
        return DenseLayers(
            (turn @ first, *self.weights[1:]), (bias - mean @ first, *self.biases[1:])
        )

    def to_arrays(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """Return the arrays that :meth:`from_arrays` takes, their names behind `prefix`."""
        arrays: dict[str, NDArray[np.generic]] = {}
        for number, (matrix, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            arrays[f"{prefix}weights_{number}"] = matrix
            arrays[f"{prefix}bias_{number}"] = bias
        return arrays

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[np.generic]], prefix: str, n_layers: int
    ) -> "DenseLayers":
        """Rebuild the layers.

        Raises
        ------
        KeyError
            If an array is missing.
        """
        names = range(n_layers)
        return cls(
            tuple(_floating(arrays[f"{prefix}weights_{number}"]) for number in names),
            tuple(_floating(arrays[f"{prefix}bias_{number}"]) for number in names),
        )


def dense_network(
    n_in: int,
    hidden: Sequence[int],
    bias: NDArray[np.float32],
    *,
    dropout: float = 0.0,
) -> "nn.Sequential":
    """Make an untrained network of dense layers, drawn from torch's generator.

    Parameters
    ----------
    n_in : int
    hidden : sequence of int
        Widths of the layers between input and output; none = linear.
    bias : ndarray of float32, shape (n_out,)
        Where the outputs begin.
    dropout : float, default=0
        Share of each hidden layer's values left out in training, in [0, 1).

    Notes
    -----
    The last weights begin at 0, so that the first outputs are the bias, whatever is drawn.
    """
    import torch
    from torch import nn

    modules: list[nn.Module] = []
    width = n_in
    for n_out in hidden:
        modules += [nn.Linear(width, n_out), nn.ReLU(), nn.Dropout(dropout)]
        width = n_out
    last = nn.Linear(width, len(bias))
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.from_numpy(bias))
    return nn.Sequential(*modules, last)


def trained_layers(network: "nn.Sequential") -> DenseLayers:
    """Return the layers of a network of :func:`dense_network`, float32, on the CPU."""
    state = {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
    numbers = sorted(int(name.split(".")[0]) for name in state if re.search(r"weight$", name))
    return DenseLayers(
        tuple(np.ascontiguousarray(state[f"{number}.weight"].T) for number in numbers),
        tuple(state[f"{number}.bias"].copy() for number in numbers),
    )


def train_dense(
    inputs: NDArray[np.float32],
    targets: NDArray[np.generic],
    bias: NDArray[np.float32],
    loss: "Callable[[Tensor, Tensor], Tensor]",
    settings: TrainingSettings,
    *,
    hidden: Sequence[int],
    dropout: float,
    n_members: int = 1,
    held_out: float = 0.0,
    groups: NDArray[np.int64] | None = None,
    stage: str,
    checkpoints: Path | None = None,
    on_progress: Progress | None = None,
) -> tuple[DenseLayers, ...]:
    """Train networks of dense layers, alike but for their seeds.

    Parameters
    ----------
    inputs : ndarray of float32, shape (n_images, n_in)
    targets : ndarray of bool or float32, shape (n_images, n_out)
    bias : ndarray of float32, shape (n_out,)
        Where the outputs begin.
    loss, settings, stage, checkpoints, on_progress
        As :func:`learners.training.train` takes them; each member adds its number to the
        seed, and behind the stage where there are several.
    hidden, dropout
        As :func:`dense_network` takes them.
    n_members : int, default=1
    held_out : float, default=0
        Share of the pictures that judge; where it comes to less than one, none does.
    groups : ndarray of int64, shape (n_images,), optional
        As :func:`learners.training.hold_out` takes them.

    Returns
    -------
    tuple of DenseLayers
    """
    aside = hold_out(len(inputs), held_out, settings.seed, groups)
    judged = ArrayExamples(inputs[aside], targets[aside]) if aside.any() else None
    members = []
    for member in range(n_members):
        seed = settings.seed + member
        with seeded(seed):
            network = dense_network(inputs.shape[1], hidden, bias, dropout=dropout)
        train(
            network,
            ArrayExamples(inputs[~aside], targets[~aside]),
            loss,
            replace(settings, seed=seed),
            held_out=judged,
            checkpoints=checkpoints,
            stage=stage if n_members == 1 else f"{stage} {member + 1}",
            on_progress=on_progress,
        )
        members.append(trained_layers(network))
    return tuple(members)


def _floating(array: NDArray[np.generic]) -> NDArray[np.floating]:
    values = np.asarray(array)
    return values if np.issubdtype(values.dtype, np.floating) else values.astype(np.float32)
