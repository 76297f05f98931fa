"""Pictures to learn from, pictures to ask about: an exercise, and its answers apart."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.draws import (
    albums_of,
    few_examples,
    fold_numbers,
    given_tags,
    unseen_tags,
)
from benchmarks.exercises import NO_COPY, Answers, Exercise, Questions, TaggedSet
from benchmarks.protocols import Completion, JudgedTags, Unseen
from indexing.errors import InputError
from learners.tag_matrix import TagMatrix

__all__ = ["Posed", "draws_of", "folds_of", "pose"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Posed:
    """An exercise and its answers, side by side in the hands of the harness alone.

    Parameters
    ----------
    exercise : Exercise
    answers : Answers
    where : tuple of (str, int)
        What tells it from its siblings: the fold, the number of examples.
    n_copies : int
        Training pictures left out because they are copies of pictures of the questions.
    """

    exercise: Exercise
    answers: Answers
    where: tuple[tuple[str, int], ...] = ()
    n_copies: int = 0


def pose(
    known: TaggedSet,
    asked: TaggedSet,
    *,
    completion: Completion | None = None,
    n_examples: int | None = None,
    album_size: int | None = None,
    unseen: Unseen | None = None,
    seed: int = 0,
    where: tuple[tuple[str, int], ...] = (),
) -> Posed:
    """Make an exercise of pictures to learn from and of pictures to ask about.

    Parameters
    ----------
    known : TaggedSet
        To learn from; those that are copies of asked pictures are left out.
    asked : TaggedSet
        To ask about; its tags become the answers.
    completion : Completion, optional
    n_examples : int, optional
        Learn from about so many pictures a tag (:func:`benchmarks.draws.few_examples`); 0 = all
        are known, and none is tagged.
    album_size : int, optional
        Put the asked pictures into albums of one series (:func:`benchmarks.draws.albums_of`).
    unseen : Unseen, optional
        Some tags are taken off the pictures to learn from.
    seed : int, default=0
        For all that is drawn.
    where : tuple of (str, int), optional
        Kept with the exercise; the number of examples is added.

    Raises
    ------
    InputError
        If nothing is left to learn from or nothing is asked.
    """
    copies = np.isin(known.groups, asked.groups[asked.groups > NO_COPY])
    training = known.take(~copies)
    if n_examples is not None:
        training = _few(training, n_examples, seed)
        where = (*where, ("examples", n_examples))
    if not training.n_images or not asked.n_images:
        raise InputError(
            f"{training.n_images} pictures to learn from and {asked.n_images} to ask about; one "
            "of each at least is accepted; see the splits of the data set"
        )
    truth = asked.tags.toarray()
    given = np.zeros_like(truth)
    if unseen is not None:
        training, no_candidates = _without(training, unseen, seed)
        # As what was given: neither candidate nor truth.
        given = np.broadcast_to(no_candidates, truth.shape).copy()
        truth = truth & ~given
    given_matrix, inputs = asked.inputs, training.inputs
    if completion is not None:
        told = given_tags(truth, completion, seed)
        given, truth = given | told, truth & ~told
        given_matrix = _matrix(told, asked.tags.rows)
        drawn = given_tags(training.tags.toarray(), completion, seed + 1)
        inputs = _matrix(drawn, training.tags.rows)
    albums = None
    if album_size is not None:
        albums = albums_of(asked.image_ids.tolist(), album_size, seed)
    return Posed(
        exercise=Exercise(
            training=training,
            questions=Questions(
                image_ids=asked.image_ids.copy(),
                features=None if asked.features is None else asked.features.copy(),
                given=given_matrix,
                pictures=asked.pictures,
                albums=albums,
            ),
            completion=completion,
            training_inputs=inputs,
        ),
        answers=Answers(
            truth=truth, given=given, image_ids=asked.image_ids, vocabulary=asked.vocabulary
        ),
        where=where,
        n_copies=int(np.count_nonzero(copies)),
    )


def folds_of(
    known: TaggedSet,
    n_folds: int,
    *,
    completion: Completion | None = None,
    n_examples: int | None = None,
    album_size: int | None = None,
    unseen: Unseen | None = None,
    seed: int = 0,
) -> list[Posed]:
    """Ask about each fold of some tagged pictures, the others, or few of them, being known.

    Where tags are unseen, each fold has a draw of its own.
    """
    numbers = fold_numbers(known.n_images, n_folds, seed)
    return [
        pose(
            known.take(numbers != fold),
            known.take(numbers == fold),
            completion=completion,
            n_examples=n_examples,
            album_size=album_size,
            unseen=unseen,
            seed=seed if unseen is None else seed + fold,
            where=(("fold", fold + 1), ("n_folds", n_folds)),
        )
        for fold in range(n_folds)
    ]


def draws_of(known: TaggedSet, asked: TaggedSet, *, unseen: Unseen, seed: int = 0) -> list[Posed]:
    """Ask about the same pictures once a draw of the tags that are unseen."""
    return [
        pose(
            known,
            asked,
            unseen=unseen,
            seed=seed + draw,
            where=(("draw", draw + 1), ("n_draws", unseen.n_draws)),
        )
        for draw in range(unseen.n_draws)
    ]


def _few(training: TaggedSet, n_examples: int, seed: int) -> TaggedSet:
    """Take few pictures, or all with no tag on them."""
    if n_examples:
        return training.take(few_examples(training.tags, n_examples, seed))
    tags = training.tags
    nothing = TagMatrix.from_lists(tags.rows, [[]] * tags.n_images, tags.n_tags, tags.owners)
    return replace(training, tags=nothing)


def _without(training: TaggedSet, unseen: Unseen, seed: int) -> tuple[TaggedSet, NDArray[np.bool_]]:
    """Take tags off all pictures; return which tags are no candidates, bool (n_tags,), too."""
    taken = unseen_tags(training.tags.n_tags, unseen.n_tags, seed)
    tags = training.tags
    left = tags.toarray() & ~taken
    lists = [np.flatnonzero(row) for row in left]
    matrix = TagMatrix.from_lists(tags.rows, lists, tags.n_tags, tags.owners)
    no_candidates = {
        JudgedTags.UNSEEN: ~taken,
        JudgedTags.SEEN: taken,
        JudgedTags.ALL: np.zeros_like(taken),
    }
    return replace(training, tags=matrix), no_candidates[unseen.judged]


def _matrix(present: NDArray[np.bool_], rows: NDArray[np.int64]) -> TagMatrix:
    return TagMatrix.from_lists(rows, [np.flatnonzero(row) for row in present], present.shape[1])
