"""Neighbours among the training pictures of an exercise: exact, and found once."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indexing.index import ArraySource, Index, Metric, Neighbors, build_index
from learners.base import Space
from learners.votes import exclude

__all__ = ["Search"]

# Widths that neighbours are fetched in: few searches, and the usual ones are cheap.
_WIDTHS = (64, 1_024)
# Neighbours held for all questions together: 200 MB.
_MAX_NEIGHBORS = 1 << 24


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """Searches the training pictures, widening what it found only where more is asked for.

    Parameters
    ----------
    rows : ndarray of int64, shape (n_images,)
        Ids of the training pictures, ascending.
    groups : ndarray of int64, shape (n_images,)
        Training pictures of equal bytes share a number; -1 = nothing is known of the bytes.
    vectors : ndarray of float32, shape (n_images, n_dims)
        Of the training pictures.
    questions : ndarray of float32, shape (n_questions, n_dims)
    metric : Metric, default=Metric.COSINE

    Attributes
    ----------
    seconds : dict of str to float
        What the search took, for ``"questions"`` and for ``"training"``, once it was made.
    """

    rows: NDArray[np.int64]
    groups: NDArray[np.int64]
    vectors: NDArray[np.float32]
    questions: NDArray[np.float32]
    metric: Metric = Metric.COSINE
    seconds: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _found: dict[str, Neighbors] = field(default_factory=dict, init=False, repr=False)

    def in_space(self, space: Space) -> "Search":
        """Return the search of the same pictures in another space, by the cosine.

        A space that has a `metric` is searched by that one.
        """
        return Search(
            rows=self.rows,
            groups=self.groups,
            vectors=space(self.vectors),
            questions=space(self.questions),
            metric=getattr(space, "metric", Metric.COSINE),
        )

    def neighbors(self, n: int) -> Neighbors:
        """Return the `n` nearest training pictures of each question."""
        return self._widened(
            "questions",
            len(self.questions),
            n,
            lambda width: self._index.search(self.questions, width),
        )

    def training_neighbors(self, n: int) -> Neighbors:
        """Return the `n` nearest of each training picture, itself and its copies left out."""
        return self._widened("training", len(self.vectors), n, self._leave_one_out)

    @cached_property
    def _index(self) -> Index:
        n_dims = self.vectors.shape[1]
        source = ArraySource(self.rows, self.vectors)
        return build_index("exact", n_dims, self.metric, self.rows, source, device="cpu")

    def _leave_one_out(self, width: int) -> Neighbors:
        # Where the bytes are not known, a picture is its only copy.
        own = self.groups.max(initial=0) + 1 + self.rows
        groups = np.where(self.groups < 0, own, self.groups)
        n_copies = int(np.unique(groups, return_counts=True)[1].max(initial=1))
        found = self._index.search(self.vectors, width + n_copies)
        return exclude(found, query_groups=groups, rows=self.rows, groups=groups).head(width)

    def _widened(
        self, key: str, n_asking: int, n: int, search: Callable[[int], Neighbors]
    ) -> Neighbors:
        """Return the first `n`, searching again only where fewer were fetched so far."""
        widest = min(len(self.vectors), max(_MAX_NEIGHBORS // max(n_asking, 1), _WIDTHS[-1]))
        n = min(n, widest)
        if key not in self._found or self._found[key].rows.shape[1] < n:
            width = min(widest, next((width for width in _WIDTHS if width >= n), widest))
            started = time.perf_counter()
            self._found[key] = search(width)
            self.seconds[key] = time.perf_counter() - started
        return self._found[key].head(n)
