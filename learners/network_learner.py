"""What learners that train networks have in common."""

from abc import abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from learners.base import Batch, Needs, TagLearner
from learners.tag_matrix import TagMatrix

__all__ = ["NetworkLearner"]


@dataclass(kw_only=True, eq=False)
class NetworkLearner(TagLearner):
    """Knows how many tags a picture should get, and can keep the state of its training.

    Attributes
    ----------
    counts_ : ndarray of int64, shape (n_tags,)
        Training pictures of each tag.
    n_images_, mean_quantity_ : int, float
        Training pictures, and their mean number of tags.
    """

    counts_: NDArray[np.int64] = field(init=False, repr=False)
    n_images_: int = field(init=False, repr=False)
    mean_quantity_: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._checkpoints: Path | None = None

    @property
    def fit_needs(self) -> Needs:
        """What :meth:`fit` reads beside the tags."""
        return self.needs

    @property
    def learns_quantity(self) -> bool:
        """Whether the number of tags is learned, by the hyper-parameter `quantity`."""
        return bool(getattr(self, "quantity", False))

    def keeping(self, checkpoints: Path) -> Self:
        """Return the learner itself, which now keeps the state of its training in a folder.

        A fit that was stopped goes on from there, as :func:`learners.training.train` does.
        """
        self._checkpoints = checkpoints
        return self

    def predict_quantities(self, batch: Batch) -> NDArray[np.float64]:
        """Return the number of tags of each picture, unrounded, float64 (n_queries,).

        Where `quantity` is false, that is the mean of the training pictures.

        Raises
        ------
        NotFittedError, InputError
            As :meth:`predict_scores`.
        """
        self._check_fitted()
        self._check(batch, self.needs)
        learned = self._predict_quantities(batch) if batch.n_queries else None
        return np.full(batch.n_queries, self.mean_quantity_) if learned is None else learned

    @abstractmethod
    def _predict_quantities(self, batch: Batch) -> NDArray[np.float64] | None:
        """Return the learned quantities; None where none were learned."""

    def _count(self, tags: TagMatrix) -> None:
        self.counts_, self.n_images_ = tags.counts, tags.n_images
        self.mean_quantity_ = float(np.diff(tags.indptr).mean()) if tags.n_images else 0.0
