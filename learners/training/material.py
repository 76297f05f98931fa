"""What a training is fed with, and what it leaves aside to judge by."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.parameters import real_number

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["ArrayExamples", "Examples", "hold_out", "predict", "seeded"]


class Examples(Protocol):
    """Pictures with what is to be learned of them, fetched by position."""

    @property
    def n_images(self) -> int:
        """Number of pictures."""

    def batch(
        self, positions: NDArray[np.int64], rng: np.random.Generator | None
    ) -> tuple[tuple["Tensor", ...], "Tensor"]:
        """Return some of the pictures.

        Parameters
        ----------
        positions : ndarray of int64, shape (n,)
        rng : Generator or None
            For what is drawn in training (augmentation). None = to judge by: nothing is drawn.

        Returns
        -------
        inputs : tuple of Tensor
            What the network is called with; each begins with n.
        targets : Tensor of float, beginning with n
            What the loss compares with; of tags, shape (n, n_tags), above 0.5 = present.
        """


class ArrayExamples:
    """Vectors in memory.

    Parameters
    ----------
    inputs : ndarray of float32, shape (n_images, n_dims)
    targets : ndarray of bool or float32, shape (n_images, n_tags) or (n_images, 1)
    """

    def __init__(self, inputs: NDArray[np.float32], targets: NDArray[np.generic]) -> None:
        if len(inputs) != len(targets):
            raise InputError(
                f"inputs of {len(inputs)} pictures with targets of {len(targets)}; one row a "
                "picture in both is accepted; cut them to the same pictures"
            )
        self.inputs, self.targets = inputs, targets

    @property
    def n_images(self) -> int:
        """Number of pictures."""
        return len(self.inputs)

    def batch(
        self, positions: NDArray[np.int64], rng: np.random.Generator | None
    ) -> tuple[tuple["Tensor", ...], "Tensor"]:
        """Return some of the pictures; see :meth:`Examples.batch`."""
        import torch

        inputs = self.inputs[positions]
        targets = self.targets[positions].astype(np.float32)
        return (torch.from_numpy(inputs),), torch.from_numpy(targets)


def hold_out(
    n_images: int, share: float, seed: int, groups: NDArray[np.int64] | None = None
) -> NDArray[np.bool_]:
    """Draw the pictures that judge a training instead of taking part in it.

    Parameters
    ----------
    n_images : int
    share : float
        Of the pictures, in [0, 1).
    seed : int
    groups : ndarray of int64, shape (n_images,), optional
        Pictures of equal content share a number and stay on one side; -1 = nothing is known.

    Returns
    -------
    ndarray of bool, shape (n_images,)
        True = held out. ``floor(share * n_images)`` pictures or, where copies are kept
        together, less by what of the last group would not fit.

    Examples
    --------
    >>> held_out = hold_out(6, 0.5, seed=0, groups=np.array([4, 4, 4, -1, -1, -1]))
    >>> sorted(held_out.tolist()), len(set(held_out[:3].tolist()))
    ([False, False, False, True, True, True], 1)
    """
    if real_number("held_out", share) >= 1:
        raise InputError(f"held_out is {share:g}; it is a share below 1; lower it")
    if groups is None:
        groups = np.full(n_images, -1, dtype=np.int64)
    own = groups.max(initial=-1) + 1 + np.arange(n_images)
    _, group = np.unique(np.where(groups < 0, own, groups), return_inverse=True)
    sizes = np.bincount(group)
    order = np.random.default_rng(seed).permutation(len(sizes))
    room = int(share * n_images)
    chosen = np.zeros(len(sizes), dtype=bool)
    for one in order:
        if sizes[one] <= room:
            chosen[one] = True
            room -= int(sizes[one])
    held_out: NDArray[np.bool_] = chosen[group]
    return held_out


@contextmanager
def seeded(seed: int, device: "torch.device | None" = None) -> Iterator[np.random.Generator]:
    """Draw from a seed inside the block, and leave torch's own draws as they were.

    Parameters
    ----------
    seed : int
    device : torch.device, optional
        A CUDA device that draws too.

    Yields
    ------
    Generator
        NumPy's, from the same seed.
    """
    import torch

    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield np.random.default_rng(seed)


def predict(
    model: "torch.nn.Module",
    examples: Examples,
    batch_size: int,
    device: "torch.device",
    context: Callable[[], Any],
) -> tuple["Tensor", "Tensor"]:
    """Ask a network about pictures, in eval mode.

    Parameters
    ----------
    model : torch.nn.Module
    examples : Examples
    batch_size : int
    device : torch.device
    context : callable
        Gives the context manager of a forward pass, e.g. one of reduced precision.

    Returns
    -------
    outputs, targets : Tensor of float32, beginning with n_images, on the CPU
    """
    import torch

    was_training = model.training
    model.eval()
    outputs, targets = [], []
    with torch.no_grad():
        for start in range(0, examples.n_images, batch_size):
            positions = np.arange(start, min(start + batch_size, examples.n_images))
            inputs, target = examples.batch(positions, None)
            with context():
                output = model(*(tensor.to(device) for tensor in inputs))
            outputs.append(output.float().cpu())
            targets.append(target.float().cpu())
        model.train(was_training)
        return torch.cat(outputs), torch.cat(targets)
