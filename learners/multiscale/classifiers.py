"""What makes scores and quantities of the feature of a network."""

import copy
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from indexing.index import VectorTransform
from learners.base import STATE_FORMAT, Batch, Progress
from learners.heads import Heads
from learners.multimodal.joint import JointHead
from learners.quantity import LabelQuantity
from learners.tag_matrix import TagMatrix
from learners.training import TrainingSettings

__all__ = ["Classifier", "FeatureHead", "LinearHead", "RadialHead"]

_PREFIX = "radial_"


class Classifier(StrEnum):
    """What makes scores of features."""

    RADIAL = "radial"
    LINEAR = "linear"


class FeatureHead(Protocol):
    """Scores and quantities from features, float32 (n_images, n_dims)."""

    def fit(
        self,
        features: NDArray[np.float32],
        tags: TagMatrix,
        groups: NDArray[np.int64] | None,
        *,
        checkpoints: Path | None,
        on_progress: Progress | None,
    ) -> Self:
        """Learn from the features of one picture or more.

        Parameters
        ----------
        features : ndarray of float32, shape (n_images, n_dims)
        tags : TagMatrix
        groups : ndarray of int64, shape (n_images,), optional
            As :func:`learners.training.hold_out` takes them.
        checkpoints, on_progress
            As :func:`learners.training.train` takes them.
        """

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return scores, float32 (n_images, n_tags)."""

    def quantities(self, features: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Return the number of tags of each picture; None where that was not learned."""

    def taking(self, tags: TagMatrix, columns: NDArray[np.int64]) -> "FeatureHead":
        """Return a head with some of the tags, -1 = one that is new."""

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what was learned, ready for ``numpy.savez``."""

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """Take back what :meth:`to_arrays` returned.

        Raises
        ------
        ArtifactError, KeyError
            If an array is missing.
        """


class LinearHead:
    """The paper's classifier and quantity, trained on the feature.

    Parameters
    ----------
    joint : JointHead
        Not fitted.
    """

    def __init__(self, joint: JointHead) -> None:
        self._joint = joint

    def fit(
        self,
        features: NDArray[np.float32],
        tags: TagMatrix,
        groups: NDArray[np.int64] | None,
        *,
        checkpoints: Path | None,
        on_progress: Progress | None,
    ) -> Self:
        """See :meth:`FeatureHead.fit`."""
        self._joint.fit(
            features, None, tags, groups, checkpoints=checkpoints, on_progress=on_progress
        )
        return self

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """See :meth:`FeatureHead.scores`."""
        return self._joint.scores(features)

    def quantities(self, features: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """See :meth:`FeatureHead.quantities`."""
        quantity = self._joint.quantity_
        return None if quantity is None else quantity.predict(features)

    def taking(self, tags: TagMatrix, columns: NDArray[np.int64]) -> "LinearHead":
        """See :meth:`FeatureHead.taking`."""
        return LinearHead(self._joint.taking(columns))

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """See :meth:`FeatureHead.to_arrays`."""
        return self._joint.to_arrays()

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """See :meth:`FeatureHead.restore`."""
        self._joint.restore(arrays, reads_tags=False)
        return self


class RadialHead:
    """The learner `heads` on features as an index would hold them, and label quantities.

    Parameters
    ----------
    blocks : tuple of int
        Widths of the layers that a feature is made of: the last one, then earlier ones.
    prior_correction : float
        As :class:`learners.heads.Heads` takes it.
    seed : int
    quantity : TrainingSettings or None
        How quantities are trained; None = they are not.
    held_out : float
        Share of the pictures that judge the training of quantities.
    """

    def __init__(
        self,
        *,
        blocks: tuple[int, ...],
        prior_correction: float,
        seed: int,
        quantity: TrainingSettings | None,
        held_out: float,
    ) -> None:
        self._transform = VectorTransform.of_blocks(blocks)
        self._heads = Heads(prior_correction=prior_correction, seed=seed)
        self.quantity_ = (
            None if quantity is None else LabelQuantity(training=quantity, held_out=held_out)
        )

    def fit(
        self,
        features: NDArray[np.float32],
        tags: TagMatrix,
        groups: NDArray[np.int64] | None,
        *,
        checkpoints: Path | None,
        on_progress: Progress | None,
    ) -> Self:
        """See :meth:`FeatureHead.fit`."""
        vectors = self._transform(features)
        self._heads.fit(Batch(features=vectors, groups=groups), tags)
        if self.quantity_ is not None:
            counts = np.diff(tags.indptr)
            self.quantity_.fit(
                vectors, counts, groups, checkpoints=checkpoints, on_progress=on_progress
            )
        return self

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """See :meth:`FeatureHead.scores`."""
        return self._heads.predict_scores(Batch(features=self._transform(features)))

    def quantities(self, features: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """See :meth:`FeatureHead.quantities`."""
        if self.quantity_ is None:
            return None
        return self.quantity_.predict(self._transform(features))

    def taking(self, tags: TagMatrix, columns: NDArray[np.int64]) -> "RadialHead":
        """See :meth:`FeatureHead.taking`."""
        other = copy.copy(self)
        other._heads = self._heads.rebased(tags, columns)
        return other

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """See :meth:`FeatureHead.to_arrays`."""
        arrays = {f"{_PREFIX}{name}": array for name, array in self._heads.state()[1].items()}
        return arrays | ({} if self.quantity_ is None else self.quantity_.to_arrays("quantity_"))

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """See :meth:`FeatureHead.restore`."""
        own = {
            name.removeprefix(_PREFIX): arrays[name] for name in arrays if name.startswith(_PREFIX)
        }
        head = {
            "format": STATE_FORMAT,
            "learner": self._heads.name,
            "params": self._heads.params(),
            "n_tags": arrays[f"{_PREFIX}counts"].size,
        }
        self._heads = Heads.from_state(head, own)
        if self.quantity_ is not None:
            self.quantity_.restore(arrays, "quantity_")
        return self
