"""Albums of questions, and methods that answer the pictures of one together."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.exercises import Questions
from benchmarks.posing import Posed
from benchmarks.scoring import scored
from benchmarks.solving import Solution, fit
from indexing.errors import InputError
from learners.base import Progress
from learners.metrics import parse_measure
from learners.together import Together, album_distances

__all__ = ["RULES", "TOGETHER_BY", "answered_together", "choose_rule"]

TOGETHER_BY = "miap"
"""What the rule is chosen by: what albums share orders the tags of a picture."""

RULES = tuple(
    Together(strength=strength, decay=decay)
    for strength, decay in itertools.product((0.1, 0.2, 0.5, 1.0), (2.0, 4.0, 8.0))
)
"""What is tried."""


def answered_together(solution: Solution, questions: Questions, rule: Together) -> Solution:
    """Return what a method answers where the pictures of each album share evidence.

    Parameters
    ----------
    solution : Solution
        What it answers one by one; its tie breaks stay each picture's own.
    questions : Questions
    rule : Together

    Raises
    ------
    InputError
        The protocol makes no albums.
    """
    if questions.albums is None:
        raise InputError(
            "a method that answers together, and no albums; suites with albums are accepted: "
            "corel5k-albums; leave +together out"
        )
    scores = solution.scores.copy()
    for pictures in _members(questions.albums):
        distances = album_distances(questions.vectors[pictures])
        scores[pictures] = rule.scores(solution.scores[pictures], distances)
    return dataclasses.replace(
        solution, scores=scores, params={**solution.params, **_described(rule)}
    )


def choose_rule(
    learner: str,
    params: Mapping[str, Any],
    folds: Sequence[Posed],
    *,
    seed: int,
    on_progress: Progress | None = None,
) -> Together:
    """Return the rule with the best mean over folds of the training pictures.

    Parameters
    ----------
    learner : str
        A key of :data:`learners.table.LEARNERS`.
    params : mapping
        Its hyper-parameters.
    folds : sequence of Posed
        Of the training pictures, in albums.
    seed : int
    on_progress : callable, optional
        As :func:`benchmarks.solving.fit` takes it.

    Returns
    -------
    Together
        One of :data:`RULES`, by :data:`TOGETHER_BY`; the first of equals.
    """
    measure = parse_measure(TOGETHER_BY)
    values = np.zeros(len(RULES))
    for fold in folds:
        fitted = fit(learner, params, fold.exercise, seed=seed, on_progress=on_progress)
        alone = fitted.answer()
        for number, rule in enumerate(RULES):
            solution = answered_together(alone, fold.exercise.questions, rule)
            values[number] += measure.apply(scored(solution, fold.answers).judged).value
    return RULES[int(np.argmax(values))]


def _members(albums: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the positions of the pictures of each album."""
    order = np.argsort(albums, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(albums[order])) + 1)


def _described(rule: Together) -> dict[str, float]:
    return {f"together_{key}": value for key, value in dataclasses.asdict(rule).items()}
