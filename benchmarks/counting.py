"""How many tags each picture is given: a fixed number, what the method says, or the truth.

The tables of label quantity prediction have rows of one fitted method that differ in nothing
else. A row is the method's scores with a quantity a picture, so that all of them are read by the
same measures (``c-f1@lqp`` and the like) and compared picture by picture.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.exercises import Exercise
from benchmarks.posing import Posed
from benchmarks.solving import PredictsQuantity, Solution, solve
from learners.metrics.decisions import LabelCounts
from learners.ranking import rank_tags
from learners.table import learner_class
from learners.tag_matrix import TagMatrix

__all__ = ["Count", "best_fixed_number", "counts_of", "left_to_predict", "row_name"]

_CHOOSER: tuple[str, dict[str, Any]] = ("heads", {"n_units": 2_048, "quantity": "none"})
_MOST = 15


class Count(StrEnum):
    """Where the number of tags of a picture comes from."""

    FIXED = "fixed"
    PREDICTED = "predicted"
    TRUE = "true"


_ENDINGS = {Count.FIXED: "", Count.PREDICTED: "+LQP", Count.TRUE: " upper bound"}


def row_name(method: str, count: Count) -> str:
    """Return what a row is called.

    Examples
    --------
    >>> [row_name("CNN", count) for count in Count]
    ['CNN', 'CNN+LQP', 'CNN upper bound']
    """
    return method + _ENDINGS[count]


def counts_of(learner: str) -> tuple[Count, ...]:
    """Return the rows of a learner; one that tells no number of tags has none that is predicted."""
    predicts = issubclass(learner_class(learner), PredictsQuantity)
    return tuple(count for count in Count if predicts or count is not Count.PREDICTED)


def best_fixed_number(folds: Sequence[Posed], *, seed: int) -> int:
    """Choose the number of tags a picture with which the training pictures are tagged best.

    Parameters
    ----------
    folds : sequence of Posed
        Folds of the training pictures.
    seed : int

    Returns
    -------
    int
        From 1 to 15, the smallest of equals: the largest mean over the folds of H-F1, for
        ``heads`` on what the exercise has in place of features. One number is chosen for all
        methods: those that train for hours could not afford the folds.
    """
    values = np.zeros(_MOST)
    learner, params = _CHOOSER
    for fold in folds:
        solution = solve(learner, params, fold.exercise, seed=seed)
        scores = fold.answers.candidates_only(solution.scores)
        top = rank_tags(scores, _MOST, solution.tie_breaks)
        emitted = np.zeros(scores.shape, dtype=bool)
        for place in range(min(_MOST, top.shape[1])):
            np.put_along_axis(emitted, top[:, place : place + 1], True, axis=1)
            counts = LabelCounts.of(emitted & (scores > -np.inf), fold.answers.truth)
            values[place] += float(counts.h_f1())
    return int(np.argmax(values)) + 1


def left_to_predict(
    solution: Solution, exercise: Exercise, *, reads_tags: bool
) -> NDArray[np.float64] | None:
    """Return how many tags a method expects beside those that the questions told.

    Parameters
    ----------
    solution : Solution
        Its quantities are of all tags of a picture.
    exercise : Exercise
    reads_tags : bool
        Whether the method saw the given tags. One that did not expects that the protocol
        gave each with the same probability; else how many of them are right is read off a
        plane through what the training pictures were given.

    Returns
    -------
    ndarray of float64, shape (n_questions,), or None
        Where the method predicts no quantities.
    """
    quantities = solution.quantities
    if quantities is None or exercise.completion is None or solution.is_of_the_rest:
        return quantities
    if not reads_tags:
        return (1 - exercise.completion.share) * quantities
    given, inputs = exercise.questions.given, exercise.training_inputs
    if given is None or inputs is None:
        return quantities
    tags = exercise.training.tags
    right = np.count_nonzero(inputs.toarray() & tags.toarray(), axis=1)
    known = _plane(_sizes(inputs), _sizes(tags))
    slopes = np.linalg.lstsq(known, right, rcond=None)[0]
    expected = np.clip(_plane(_sizes(given), quantities) @ slopes, 0, _sizes(given))
    left: NDArray[np.float64] = np.maximum(quantities - expected, 0)
    return left


def _sizes(tags: TagMatrix) -> NDArray[np.float64]:
    return np.diff(tags.indptr).astype(np.float64)


def _plane(given: NDArray[np.float64], all_tags: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([np.ones(len(given)), given, all_tags])
