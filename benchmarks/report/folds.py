"""The folds of one method as one result."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.bounds import largest
from benchmarks.report.results import Measured, ResultLine, Scores
from learners.metrics import Judged, Measure
from learners.ties import folded

__all__ = ["mean_interval", "merged_line", "pooled_scores", "without_fold"]

_PARTS = ("fold", "draw")
_PART = re.compile(r" (?:fold|draw) \d+/\d+$")
_CONFIDENCE = 0.95


def without_fold(dataset: str) -> str:
    """Return the name of a data set without that of the fold, or of the draw of unseen tags.

    Examples
    --------
    >>> without_fold("corel5k fold 1/5")
    'corel5k'
    """
    return _PART.sub("", dataset)


def mean_interval(values: Sequence[float], most: float = math.inf) -> tuple[float, float, float]:
    r"""Return the mean of a few folds and the ends of its 95 % interval, Student's.

    .. math:: \bar v \pm t_{0.975, n - 1} \, s / \sqrt n

    Parameters
    ----------
    values : sequence of float
        One a fold, at least two.
    most : float, optional
        What the measure can be at most; the ends are cut to that, and to 0.

    Notes
    -----
    Folds learn from the same pictures for the most part, so their values vary a little less
    than those of independent samples would: the interval says how steady the mean over the
    folds is.

    Examples
    --------
    >>> [round(end, 2) for end in mean_interval([2, 3, 4])]
    [3.0, 0.52, 5.48]
    """
    from scipy.special import stdtrit

    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    margin = float(stdtrit(len(values) - 1, (1 + _CONFIDENCE) / 2)) * error
    return mean, max(mean - margin, 0.0), min(mean + margin, most)


def merged_line(folds: Sequence[ResultLine]) -> ResultLine:
    """Average a method over its folds.

    Parameters
    ----------
    folds : sequence of ResultLine
        Of one method, at least one; one alone is returned as it is.

    Returns
    -------
    ResultLine
        Means of values and seconds, the largest memory, sums of pictures and of what was
        averaged; intervals are of the mean over the folds. Parameters that were chosen
        differently are listed, ``5/7/5``.
    """
    first = folds[0]
    if len(folds) == 1:
        return first
    params = {
        name: _listed([fold.params.get(name) for fold in folds])
        for name in first.params
        if name not in _PARTS
    }
    return replace(
        first,
        dataset=without_fold(first.dataset),
        params=params,
        measures={
            measure: _mean(measure, folds)
            for measure in first.measures
            if all(measure in fold.measures for fold in folds)
        },
        n_images=sum(fold.n_images for fold in folds),
        fit_seconds=float(np.mean([fold.fit_seconds for fold in folds])),
        predict_seconds=float(np.mean([fold.predict_seconds for fold in folds])),
        peak_rss_mb=max(fold.peak_rss_mb for fold in folds),
    )


def pooled_scores(folds: Sequence[Scores]) -> Scores | None:
    """Put the pictures of all folds below each other; None where their tags differ.

    Notes
    -----
    Ranks are of one fold only. So the methods' own scores are compared across folds, and
    the ranks, as shares of the largest, break the ties of the own scores.
    """
    first = folds[0]
    if len(folds) == 1:
        return first
    if not all(np.array_equal(first.tags, fold.tags) for fold in folds):
        return None
    raw = np.concatenate([fold.raw for fold in folds])
    ranks = [fold.judged.scores / max(1.0, float(fold.judged.scores.max())) for fold in folds]
    image_ids = np.concatenate([fold.image_ids for fold in folds])
    truth = np.concatenate([fold.judged.truth for fold in folds])
    quantities = [fold.judged.quantities for fold in folds if fold.judged.quantities is not None]
    judged = Judged(
        folded(raw, [np.concatenate(ranks)]),
        truth,
        _told_apart(folds),
        first.tags,
        np.concatenate(quantities) if len(quantities) == len(folds) else None,
    )
    return Scores(judged, raw, first.tags, image_ids)


def _told_apart(folds: Sequence[Scores]) -> NDArray[np.str_]:
    """Return ids of all pictures; with the number of the draw, where each asks about the same."""
    image_ids = np.concatenate([fold.image_ids for fold in folds])
    if np.unique(image_ids).size == image_ids.size:
        return image_ids
    numbers = np.repeat(np.arange(len(folds)), [len(fold.image_ids) for fold in folds])
    return np.char.add(np.char.add(image_ids, "#"), numbers.astype(np.str_))


def _listed(values: Sequence[object]) -> object:
    same = all(value == values[0] for value in values)
    return values[0] if same else "/".join(map(str, values))


def _mean(measure: Measure, folds: Sequence[ResultLine]) -> Measured:
    counts = [fold.measures[measure].n for fold in folds]
    most = largest(measure, float(np.mean(counts)))
    value, low, high = mean_interval([fold.value(measure) for fold in folds], most)
    return Measured(value, low, high, sum(counts))
