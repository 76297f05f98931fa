"""Exercises: what a method may see, kept apart from the answers by which it is judged.

An :class:`Exercise` goes to the learner and to the tuning; the :class:`Answers` to it are
another object, that nothing in the exercise refers to, and that only the scoring holds. So a
method cannot read the labels that it is judged by, whatever it does with what it is given.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.pictures import Pictures
from benchmarks.protocols import Completion
from benchmarks.searching import Search
from indexing.errors import InputError
from indexing.index import Neighbors
from learners.metrics import Judged
from learners.tag_matrix import TagMatrix

__all__ = ["NO_COPY", "Answers", "Exercise", "Questions", "TaggedSet"]

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
    blocks : tuple of int, optional
        Widths of the parts of a feature that are layers of their own.
    pictures : Pictures, optional
        Their pixels, for learners that look at them. None = there are none.
    inputs : TagMatrix, optional
        Tags that people typed, of a vocabulary of their own, where `tags` are labels.
    directions : ndarray of float32, shape (n_images, n_word_dims), optional
        Where the network's own classes point in word space.
    """

    image_ids: NDArray[np.str_]
    tags: TagMatrix
    groups: NDArray[np.int64]
    vocabulary: NDArray[np.str_]
    features: NDArray[np.float32] | None = None
    blocks: tuple[int, ...] | None = None
    pictures: Pictures | None = None
    inputs: TagMatrix | None = None
    directions: NDArray[np.float32] | None = None

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
            blocks=self.blocks,
            pictures=None if self.pictures is None else self.pictures.take(positions),
            inputs=None if self.inputs is None else self.inputs.take(positions),
            directions=None if self.directions is None else self.directions[positions],
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
    pictures : Pictures, optional
        Their pixels. None = there are none.
    albums : ndarray of int64, shape (n_questions,), optional
        Which pictures are of one event, where the protocol tells; training pictures are of none.
    """

    image_ids: NDArray[np.str_]
    features: NDArray[np.float32] | None
    given: TagMatrix | None
    pictures: Pictures | None = None
    albums: NDArray[np.int64] | None = None

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
    """

    training: TaggedSet
    questions: Questions
    completion: Completion | None = None
    training_inputs: TagMatrix | None = None

    @cached_property
    def search(self) -> Search:
        """The training pictures, searched by the cosine of their vectors."""
        return Search(
            rows=self.training.tags.rows,
            groups=self.training.groups,
            vectors=self.training.vectors,
            questions=self.questions.vectors,
        )

    @cached_property
    def kept(self) -> dict[tuple[str, ...], Any]:
        """What methods share: members of mixtures, by what they were fitted with."""
        return {}

    def forget(self) -> None:
        """Let go of the index, of neighbours that were found and of what methods share."""
        self.__dict__.pop("search", None)
        self.__dict__.pop("kept", None)

    def neighbors(self, n: int) -> Neighbors:
        """Return the `n` nearest training pictures of each question."""
        return self.search.neighbors(n)

    def training_neighbors(self, n: int) -> Neighbors:
        """Return the `n` nearest of each training picture, itself and its copies left out."""
        return self.search.training_neighbors(n)


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
