"""Choosing hyper-parameters inside the training pictures of an exercise."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.exercises import Answers, Exercise
from benchmarks.posing import Posed
from benchmarks.scoring import scored
from benchmarks.solving import Solution, fit
from learners.base import Progress
from learners.metrics import Measure
from learners.metrics.decisions import COUNT_MEASURES, LabelCounts
from learners.ranking import rank_tags
from learners.selection import CANDIDATES, LABEL_F1, choose_n_neighbors
from learners.table import learner_class

__all__ = ["Choice", "Tuning", "choose", "grid_of"]

# For learners whose class tells no grid.
_GRIDS: dict[str, dict[str, tuple[Any, ...]]] = {
    "knn": {"n_neighbors": CANDIDATES},
    "tagvote": {"n_neighbors": (*CANDIDATES, 100, 200, 500)},
}


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How hyper-parameters are chosen.

    Parameters
    ----------
    measure : Measure, default=c-f1@5
        What is maximised.
    n_folds : int, default=5
        Folds of the training pictures.
    """

    measure: Measure = LABEL_F1
    n_folds: int = 5


@dataclass(frozen=True)
class Choice:
    """Hyper-parameters chosen, and what the choice was read from.

    Parameters
    ----------
    params : dict
    how : str
        In words.
    curve : tuple of (dict, float)
        Each setting tried and its value.
    """

    params: dict[str, Any]
    how: str
    curve: tuple[tuple[dict[str, Any], float], ...] = ()


def grid_of(learner: str) -> dict[str, tuple[Any, ...]]:
    """Return the values to try of each hyper-parameter; empty where nothing is tuned."""
    grid: Mapping[str, Sequence[Any]] | None = getattr(learner_class(learner), "grid", None)
    return {key: tuple(v) for key, v in (_GRIDS.get(learner, {}) if grid is None else grid).items()}


def choose(
    learner: str,
    fixed: Mapping[str, Any],
    exercise: Exercise,
    folds: Callable[[], Sequence[Posed]],
    tuning: Tuning,
    *,
    seed: int,
    on_progress: Progress | None = None,
) -> Choice:
    """Choose what is not fixed.

    Parameters
    ----------
    learner : str
        A key of :data:`learners.table.LEARNERS`.
    fixed : mapping
        Hyper-parameters that are not chosen.
    exercise : Exercise
        Its training pictures are all that the choice is read from.
    folds : callable
        Folds of those training pictures; called where they are needed.
    tuning : Tuning
    seed : int
    on_progress : callable, optional
        As :func:`benchmarks.solving.fit` takes it.

    Returns
    -------
    Choice
        For ``knn`` the number of neighbours that ``engine build`` would choose, by
        leave-one-out (:func:`learners.selection.choose_n_neighbors`), unless tags are given.
        Else the best mean over the folds; the first in the grid's order among equals.
    """
    grid = {key: values for key, values in grid_of(learner).items() if key not in fixed}
    if not grid:
        return Choice(dict(fixed), "nothing to choose")
    is_plain_knn = learner == "knn" and set(grid) == {"n_neighbors"} and not fixed
    if is_plain_knn and exercise.completion is None and _counts(tuning.measure):
        tags = exercise.training.tags
        found = exercise.training_neighbors(max(grid["n_neighbors"]))
        chosen = choose_n_neighbors(found, tags, tags, grid["n_neighbors"], tuning.measure)
        return Choice(
            {"n_neighbors": chosen.n_neighbors},
            f"leave-one-out {tuning.measure} of the training pictures",
            tuple(({"n_neighbors": n}, value) for n, value in chosen.curve.items()),
        )
    cells = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    values = _cell_values(learner, fixed, cells, folds(), tuning.measure, seed, on_progress)
    curve = [({**fixed, **cell}, value) for cell, value in zip(cells, values, strict=True)]
    best = max(curve, key=lambda tried: np.nan_to_num(tried[1], nan=-np.inf))
    how = f"mean {tuning.measure} of {tuning.n_folds} folds of the training pictures"
    return Choice(best[0], how, tuple(curve))


def _cell_values(
    learner: str,
    fixed: Mapping[str, Any],
    cells: Sequence[Mapping[str, Any]],
    folds: Sequence[Posed],
    measure: Measure,
    seed: int,
    on_progress: Progress | None,
) -> list[float]:
    """Return the mean over the folds of each cell, fitting once what is fitted alike."""
    asked_with = learner_class(learner).predict_params
    fitted_alike: dict[str, list[int]] = defaultdict(list)
    for number, cell in enumerate(cells):
        fitting = {name: value for name, value in cell.items() if name not in asked_with}
        fitted_alike[repr(fitting)].append(number)
    values = np.empty((len(cells), len(folds)))
    for numbers in fitted_alike.values():
        for column, fold in enumerate(folds):
            params = {**fixed, **cells[numbers[0]]}
            fitted = fit(learner, params, fold.exercise, seed=seed, on_progress=on_progress)
            for number in numbers:
                asking = {k: v for k, v in cells[number].items() if k in asked_with}
                solution = fitted.with_params(asking).answer()
                values[number, column] = _value(measure, solution, fold.answers)
    return [float(value) for value in values.mean(axis=1)]


def _counts(measure: Measure) -> bool:
    return measure.name in COUNT_MEASURES and isinstance(measure.at, int)


def _value(measure: Measure, solution: Solution, answers: Answers) -> float:
    if not _counts(measure):
        return measure.apply(scored(solution, answers).judged).value
    # The same number as through `scored`, without sorting the whole matrix.
    scores = answers.candidates_only(solution.scores)
    top = rank_tags(scores, int(measure.at or 0), solution.tie_breaks)
    emitted = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(emitted, top, True, axis=1)
    counts = LabelCounts.of(emitted & (scores > -np.inf), answers.truth)
    return float(COUNT_MEASURES[measure.name](counts))
