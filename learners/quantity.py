"""How many tags a picture should get."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError, NotFittedError
from learners.base import Progress
from learners.dense import DenseLayers, Standardization, train_dense
from learners.losses import squared_loss
from learners.parameters import real_number
from learners.training import StopBy, TrainingSettings

__all__ = ["LabelQuantity", "Quantity"]


class Quantity(StrEnum):
    """How the number of tags of a picture is learned; "auto" where the learner chooses."""

    AUTO = "auto"
    NETWORK = "network"
    NONE = "none"


@dataclass(kw_only=True, eq=False)
class LabelQuantity:
    r"""Predict the number of tags of a picture from its feature.

    A network with hidden layers of 512 and 256 values and dropout 0.5 in both, trained on
    standardised features to make :math:`(\hat m - m)^2` small. As many tags are emitted as
    :func:`learners.metrics.quantities_to_emit` rounds it to: :math:`\lfloor \hat m + 0.5 \rfloor`,
    no fewer than none and no more than there are.

    Parameters
    ----------
    dropout : float, default=0.5
        In [0, 1).
    learning_rate : float, default=1e-3
    weight_decay : float, default=1e-2
    epochs : int, default=30
        At most.
    patience : int or None, default=5
        Epochs without a smaller held-out error before it stops; None = never.
    held_out : float, default=0.1
        Share of the pictures, in [0, 1), that say which epoch was the best.
    seed : int, default=0
    training : TrainingSettings, optional
        Takes the place of rate, decay, epochs, patience and seed.

    Attributes
    ----------
    mean_ : float
        Mean number of tags of the training pictures.

    Notes
    -----
    The paper feeds the network with its own visual and textual feature, and tells neither
    optimizer nor rate of this part. The outputs begin at the mean. Without pictures every
    answer is 0.

    References
    ----------
    Y. Niu et al., "Multi-Modal Multi-Scale Deep Learning for Large-Scale Image Annotation",
    section III-C and equation 5.
    """

    hidden: ClassVar[tuple[int, ...]] = (512, 256)

    dropout: float = 0.5
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    epochs: int = 30
    patience: int | None = 5
    held_out: float = 0.1
    seed: int = 0
    training: TrainingSettings | None = None
    mean_: float = field(init=False, repr=False)
    _inputs: Standardization = field(init=False, repr=False)
    _layers: DenseLayers = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("dropout", "held_out"):
            if real_number(name, getattr(self, name)) >= 1:
                raise InputError(f"{name} is {getattr(self, name):g}; it is below 1; lower it")
        self._settings()

    def fit(
        self,
        features: NDArray[np.float32],
        counts: NDArray[np.integer],
        groups: NDArray[np.int64] | None = None,
        *,
        checkpoints: Path | None = None,
        on_progress: Progress | None = None,
    ) -> Self:
        """Learn from pictures whose tags are counted.

        Parameters
        ----------
        features : ndarray of float32, shape (n_images, n_dims)
        counts : ndarray of int, shape (n_images,)
            Number of tags.
        groups : ndarray of int64, shape (n_images,), optional
            As :func:`learners.training.hold_out` takes them.
        checkpoints, on_progress
            As :func:`learners.training.train` takes them.

        Raises
        ------
        InputError
            If features and counts do not match, or the loss is no longer finite.
        """
        if features.ndim != 2 or counts.shape != (len(features),):
            raise InputError(
                f"features of shape {features.shape} with counts of shape {counts.shape}; one row "
                "and one count a picture is accepted; cut them to the same pictures"
            )
        self.mean_ = float(counts.mean()) if len(counts) else 0.0
        bias = np.array([self.mean_], np.float32)
        if not len(features):
            nothing = np.zeros(features.shape[1], np.float32)
            self._inputs = Standardization(nothing, nothing)
            widths = (features.shape[1], *self.hidden, 1)
            self._layers = DenseLayers(
                tuple(np.zeros(shape, np.float32) for shape in pairwise(widths)),
                tuple(np.zeros(width, np.float32) for width in widths[1:]),
            )
            return self
        self._inputs = Standardization.of(features)
        (self._layers,) = train_dense(
            self._inputs(features),
            counts[:, None].astype(np.float32),
            bias,
            squared_loss,
            self._settings(),
            hidden=self.hidden,
            dropout=self.dropout,
            held_out=self.held_out,
            groups=groups,
            stage="label quantity",
            checkpoints=checkpoints,
            on_progress=on_progress,
        )
        return self

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the number of tags, unrounded, float64 (n_images,), of (n_images, n_dims).

        Raises
        ------
        NotFittedError
            If it has not been fitted.
        InputError
            If the features are of another width.
        """
        if not hasattr(self, "_layers"):
            raise NotFittedError(
                "label quantities were asked before they were learned; they come after fit; call "
                "fit(features, counts) first"
            )
        quantities: NDArray[np.float64] = self._layers(self._inputs(features)).astype(np.float64)
        return quantities[:, 0]

    def to_arrays(self, prefix: str = "") -> dict[str, NDArray[np.generic]]:
        """Return what was learned, ready for ``numpy.savez``."""
        return {
            f"{prefix}mean": self._inputs.mean,
            f"{prefix}scale": self._inputs.scale,
            **self._layers.to_arrays(prefix),
        }

    def restore(self, arrays: Mapping[str, NDArray[np.generic]], prefix: str = "") -> None:
        """Take back what :meth:`to_arrays` returned.

        Raises
        ------
        KeyError
            If an array is missing.
        """
        mean, scale = (
            np.asarray(arrays[f"{prefix}{name}"], np.float32) for name in ("mean", "scale")
        )
        self._inputs = Standardization(mean, scale)
        self._layers = DenseLayers.from_arrays(arrays, prefix, len(self.hidden) + 1)

    def _settings(self) -> TrainingSettings:
        if self.training is not None:
            return replace(self.training, stop_by=StopBy.LOSS, device="cpu")
        return TrainingSettings(
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            epochs=self.epochs,
            patience=self.patience,
            batch_size=128,
            stop_by=StopBy.LOSS,
            seed=self.seed,
            device="cpu",
        )
