"""What a measure can be at most."""

import math

from benchmarks.published import unscaled
from learners.metrics import Measure

__all__ = ["largest"]


def largest(measure: Measure, n: float) -> float:
    """Return the largest value that a measure can have; the smallest is 0 for all of them.

    Parameters
    ----------
    measure : Measure
    n : float
        How many it is of: for ``n+`` the labels that could be recalled.

    Examples
    --------
    >>> from learners.metrics import parse_measure
    >>> [largest(parse_measure(name), 260) for name in ("n+@5", "map", "lqp-mse")]
    [260, 1.0, inf]
    """
    if measure.name == "n+":
        return n
    return math.inf if unscaled(measure.name) else 1.0
