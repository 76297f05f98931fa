"""How sure a measured value is: bootstrap over pictures, of one method or of two in pairs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.metrics.judged import Judged
from learners.metrics.measure import Measure
from learners.metrics.statistics import Statistic

__all__ = ["Comparison", "Interval", "compare", "confidence_intervals"]

# Numbers of one block of weights: bounds what replicates need to some 50 MB.
STEP_SIZE = 1 << 21


@dataclass(frozen=True)
class Interval:
    """A measured value and where it would lie on other pictures of the same kind.

    Parameters
    ----------
    value : float
        On the pictures as they are.
    low, high : float
        Ends of the confidence interval.
    standard_error : float
        Standard deviation of the replicates.
    """

    value: float
    low: float
    high: float
    standard_error: float


@dataclass(frozen=True)
class Comparison(Interval):
    """The second method's value less the first's, on the same pictures.

    Parameters
    ----------
    p_value : float
        Two-sided: how often chance alone would move the difference this far, in (0, 1].
    """

    p_value: float


def confidence_intervals(
    measures: Iterable[Measure],
    judged: Judged,
    *,
    n_replicates: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[Measure, Interval]:
    """Bound measures by resampling the pictures.

    Parameters
    ----------
    measures : iterable of Measure
        All are read from the same resamples.
    judged : Judged
        Scores and truth.
    n_replicates : int, default=1000
        Resamples, at least 2.
    confidence : float, default=0.95
        Share of the replicates inside the interval, in (0, 1).
    seed : int, default=0
        Same seed, same intervals.

    Returns
    -------
    dict of Measure to Interval

    Raises
    ------
    InputError
        If the number of replicates or the confidence cannot be used.

    Notes
    -----
    Pictures are drawn with replacement; the tags stay. A resample misses pictures, so it
    loses rare labels (N+ falls), and it doubles others (average precision rises): the
    replicates' mean is off the value, though their spread is right. So the replicates are
    shifted to the value before the percentiles are taken; for plain means this changes next
    to nothing. Resamples in which nothing is relevant are skipped.
    """
    statistics = {measure: measure.statistic(judged) for measure in measures}
    replicates = _replicates(list(statistics.values()), judged.n_images, n_replicates, seed)
    return {
        measure: _interval(statistic.result().value, values, _checked(confidence))
        for (measure, statistic), values in zip(statistics.items(), replicates, strict=True)
    }


def compare(
    measure: Measure,
    first: Judged,
    second: Judged,
    *,
    n_replicates: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Bound the difference of two methods on the same pictures, second less first.

    Parameters
    ----------
    measure : Measure
        What is compared.
    first, second : Judged
        Scores of the two methods for the same pictures, in the same order, and their truth.
    n_replicates, confidence, seed
        As in :func:`confidence_intervals`.

    Returns
    -------
    Comparison
        Each resample is drawn once for both methods, so that what makes a picture hard
        cancels out.

    Raises
    ------
    InputError
        If the two are not of the same pictures.

    Notes
    -----
    The p-value is the share of replicates whose difference lies at least as far from the
    replicates' mean as the measured one does from 0, the measured one counted as one of
    them (so that it is never 0).
    """
    if not np.array_equal(first.truth, second.truth):
        raise InputError(
            "the two methods were judged by different truths; a paired comparison takes the "
            "same pictures and tags in the same order; align them"
        )
    pair = [measure.statistic(first), measure.statistic(second)]
    of_first, of_second = _replicates(pair, first.n_images, n_replicates, seed)
    differences = of_second - of_first
    value = pair[1].result().value - pair[0].result().value
    interval = _interval(value, differences, _checked(confidence))
    drawn = differences[np.isfinite(differences)]
    # The slack lets equal methods, whose differences are all 0 but for rounding, give 1.
    extreme = np.count_nonzero(np.abs(drawn - drawn.mean()) >= abs(value) - 1e-12)
    return Comparison(
        value=interval.value,
        low=interval.low,
        high=interval.high,
        standard_error=interval.standard_error,
        p_value=(1 + extreme) / (1 + drawn.size),
    )


def _replicates(
    statistics: list[Statistic], n_images: int, n_replicates: int, seed: int
) -> list[NDArray[np.float64]]:
    if n_replicates < 2:
        raise InputError(f"{n_replicates} replicates were asked for; at least 2; raise the number")
    blocks = [
        [statistic.replicate(weights) for statistic in statistics]
        for weights in _draws(n_images, n_replicates, seed)
    ]
    return [np.concatenate(values) for values in zip(*blocks, strict=True)]


def _draws(n_images: int, n_replicates: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield blocks of weights, shape (n_drawn, n_images); the blocks do not change the draws."""
    rng = np.random.default_rng(seed)
    step = max(1, STEP_SIZE // max(n_images, 1))
    shares = np.full(n_images, 1 / max(n_images, 1))
    for start in range(0, n_replicates, step):
        yield rng.multinomial(n_images, shares, size=min(step, n_replicates - start))


def _interval(value: float, replicates: NDArray[np.float64], confidence: float) -> Interval:
    drawn = replicates[np.isfinite(replicates)]
    if drawn.size < 2:
        return Interval(value, float("nan"), float("nan"), float("nan"))
    tail = (1 - confidence) / 2
    low, high = value - drawn.mean() + np.quantile(drawn, [tail, 1 - tail])
    # Few distinct replicates can lie on one side of their mean but for rare exceptions.
    low, high = min(float(low), value), max(float(high), value)
    return Interval(value, low, high, float(drawn.std(ddof=1)))


def _checked(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise InputError(f"confidence is {confidence}; it lies between 0 and 1, like 0.95")
    return confidence
