"""Exercises: what a method may see, kept apart from the answers by which it is judged.

An :class:`Exercise` goes to the learner and to the tuning; the :class:`Answers` to it are
another object, that nothing in the exercise refers to, and that only the scoring holds. So a
method cannot read the labels that it is judged by, whatever it does with what it is given.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocols import Completion
from indexing.errors import InputError
from indexing.index import ArraySource, Index, Metric, Neighbors, build_index
from learners.metrics import Judged
from learners.tag_matrix import TagMatrix
from learners.votes import exclude

__all__ = ["NO_COPY", "Answers", "Exercise", "Questions", "TaggedSet"]

# Widths that neighbours are fetched in: few searches, and the usual ones are cheap.
_WIDTHS = (64, 1_024)
# Neighbours held for all questions together: 200 MB.
_MAX_NEIGHBORS = 1 << 24

NO_COPY = -1
"""Group of a picture of whose bytes nothing is known."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TaggedSet:
    """Pictures with their tags: what can be learned from.

    Parameters
    ----------
    image_ids : ndarray of str, shape (n_images,)
    tags : TagMatrix
        Of the same pictures, in the same order.
    groups : ndarray of int64, shape (n_images,)
        Pictures of equal bytes share a number; -1 = nothing is known of the bytes.
    vocabulary : ndarray of str, shape (n_tags,)
    features : ndarray of float32, shape (n_images, n_dims), optional
        As the index sees them. None = the tags themselves are the features.
    """

    image_ids: NDArray[np.str_]
    tags: TagMatrix
    groups: NDArray[np.int64]
    vocabulary: NDArray[np.str_]
    features: NDArray[np.float32] | None = None

    @property
    def n_images(self) -> int:
        """Number of pictures."""
        return self.tags.n_images

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """What the index holds, float32 (n_images, n_dims)."""
        return self.tags.toarray().astype(np.float32) if self.features is None else self.features

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> "TaggedSet":
        """Return some of the pictures: copies of everything, views of nothing.

        Parameters
        ----------
        chosen : ndarray of int64 (ascending positions) or of bool, shape (n_images,)
        """
        positions = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        return TaggedSet(
            image_ids=self.image_ids[positions],
            tags=self.tags.take(positions),
            groups=self.groups[positions],
            vocabulary=self.vocabulary,
            features=None if self.features is None else self.features[positions],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Questions:
    """Pictures that tags are asked for, and what is known of them; no truth.

    Parameters
    ----------
    image_ids : ndarray of str, shape (n_questions,)
    features : ndarray of float32, shape (n_questions, n_dims), optional
        None = the given tags are the features.
    given : TagMatrix, optional
        Tags as input, where the protocol gives some.
    """

    image_ids: NDArray[np.str_]
    features: NDArray[np.float32] | None
    given: TagMatrix | None

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """What the index is asked with, float32 (n_questions, n_dims)."""
        if self.features is not None:
            return self.features
        if self.given is None:
            raise InputError(
                "questions without features and without given tags; one of them is accepted; "
                "give features, or choose a protocol of tag completion"
            )
        return self.given.toarray().astype(np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Exercise:
    """What a method gets: tagged pictures to learn from, and questions.

    Parameters
    ----------
    training : TaggedSet
        Without pictures whose bytes are those of a question.
    questions : Questions
    completion : Completion, optional
        How the questions' tags were drawn, so that the tuning can draw its own likewise.
    training_inputs : TagMatrix, optional
        Tags of the training pictures as a question would give them, for learners that read
        tags when they fit.

    Attributes
    ----------
    search_seconds : dict of str to float
        What the search took, for ``"questions"`` and for ``"training"``, once it was made.
    """

    training: TaggedSet
    questions: Questions
    completion: Completion | None = None
    training_inputs: TagMatrix | None = None
    search_seconds: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _found: dict[str, Neighbors] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def index(self) -> Index:
        """The training pictures, searched exactly."""
        rows, vectors = self.training.tags.rows, self.training.vectors
        source = ArraySource(rows, vectors)
        return build_index("exact", vectors.shape[1], Metric.COSINE, rows, source, device="cpu")

    def forget(self) -> None:
        """Let go of the index and of neighbours that were found."""
        self.__dict__.pop("index", None)
        self._found.clear()

    def neighbors(self, n: int) -> Neighbors:
        """Return the `n` nearest training pictures of each question."""
        return self._widened(
            "questions", n, lambda width: self.index.search(self.questions.vectors, width)
        )

    def training_neighbors(self, n: int) -> Neighbors:
        """Return the `n` nearest of each training picture, itself and its copies left out."""
        return self._widened("training", n, self._leave_one_out)

    def _leave_one_out(self, width: int) -> Neighbors:
        training = self.training
        rows = training.tags.rows
        # Where the bytes are not known, a picture is its only copy.
        own = training.groups.max(initial=0) + 1 + rows
        groups = np.where(training.groups < 0, own, training.groups)
        n_copies = int(np.unique(groups, return_counts=True)[1].max(initial=1))
        found = self.index.search(training.vectors, width + n_copies)
        return exclude(found, query_groups=groups, rows=rows, groups=groups).head(width)

    def _widened(self, key: str, n: int, search: Callable[[int], Neighbors]) -> Neighbors:
        """Return the first `n`, searching again only where fewer were fetched so far."""
        n_images = self.training.n_images
        n_asking = n_images if key == "training" else len(self.questions.image_ids)
        widest = min(n_images, max(_MAX_NEIGHBORS // max(n_asking, 1), _WIDTHS[-1]))
        n = min(n, widest)
        if key not in self._found or self._found[key].rows.shape[1] < n:
            width = min(widest, next((width for width in _WIDTHS if width >= n), widest))
            started = time.perf_counter()
            self._found[key] = search(width)
            self.search_seconds[key] = time.perf_counter() - started
        return self._found[key].head(n)


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What is true of the pictures of the questions; only the scoring holds it.

    Parameters
    ----------
    truth : ndarray of bool, shape (n_questions, n_tags)
    given : ndarray of bool, shape (n_questions, n_tags)
        What the questions told: no candidate for any method.
    image_ids : ndarray of str, shape (n_questions,)
    vocabulary : ndarray of str, shape (n_tags,)
    """

    truth: NDArray[np.bool_]
    given: NDArray[np.bool_]
    image_ids: NDArray[np.str_]
    vocabulary: NDArray[np.str_]

    def candidates_only(self, scores: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the scores with ``-inf`` where a tag was given."""
        return np.where(self.given, scores.dtype.type(-np.inf), scores)

    def judged(
        self, scores: NDArray[np.floating], quantities: NDArray[np.float64] | None = None
    ) -> Judged:
        """Return the scores beside the truth, for the measures.

        Parameters
        ----------
        scores : ndarray of float, shape (n_questions, n_tags)
            Of any method; what was given is taken out here, for all methods alike.
        quantities : ndarray of float64, shape (n_questions,), optional
        """
        return Judged(
            scores=self.candidates_only(scores),
            truth=self.truth,
            image_ids=self.image_ids,
            tags=self.vocabulary,
            quantities=quantities,
        )
