"""What a score of a learner says: any ascending scale becomes log-odds."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learners.calibration import isotonic, log_odds

__all__ = ["Evidence", "fit_evidence"]

# Knots are set so that each holds so many true pairs: fewer would follow their noise.
_TRUE_A_KNOT = 25
_MOST_KNOTS = 60
# Log-odds rise by at least so much over the whole scale: nothing is a tie that was none.
_LEAST_RISE = 0.05
# Scores that differ by no more differ by rounding.
_ALIKE = 1e-5
# Share of the whole scale: knots that are nearer to one another would make much of rounding, as of
# how many pictures are asked at once.
_NEAREST = 1e-3


@dataclass(frozen=True, eq=False)
class Evidence:
    """Log-odds as a function of the score, alike for all tags: linear between knots and beyond.

    Parameters
    ----------
    knots : ndarray of float64, shape (n_knots,)
        Scores, ascending; none = nothing was learned, and everything says 0.
    values : ndarray of float64, shape (n_knots,)
        Log-odds there, ascending.
    """

    knots: NDArray[np.float64]
    values: NDArray[np.float64]

    def __call__(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the log-odds, float64, of scores of any shape."""
        if self.knots.size < 2:
            level = self.values[0] if self.values.size else 0.0
            return np.full(scores.shape, level)
        found = np.interp(scores, self.knots, self.values)
        for end, beside in ((0, 1), (-1, -2)):
            slope = (self.values[end] - self.values[beside]) / (
                self.knots[end] - self.knots[beside]
            )
            beyond = scores < self.knots[0] if end == 0 else scores > self.knots[-1]
            further = self.values[end] + slope * (scores - self.knots[end])
            found = np.where(beyond, further, found)
        return np.asarray(found, np.float64)

    def centered(self, scores: NDArray[np.floating]) -> "Evidence":
        """Return the same, less the mean log-odds of some scores."""
        if not self.values.size:
            return self
        return replace(self, values=self.values - float(self(scores).mean()))


def fit_evidence(scores: NDArray[np.float32], present: NDArray[np.bool_]) -> Evidence:
    """Fit the log-odds of a score on pictures that the learner has not seen.

    Parameters
    ----------
    scores : ndarray of float32, shape (n_images, n_tags)
        Finite.
    present : ndarray of bool, shape (n_images, n_tags)
        Which tags are there.

    Notes
    -----
    The scale is cut where it holds equally many true pairs; each part's share of true ones is
    made to never fall (:func:`learners.calibration.isotonic`), and what is level is given the
    least rise, so that a tag's order of the pictures stays as it was.
    """
    order = np.argsort(scores, axis=None, kind="stable")
    said, came = scores.ravel()[order].astype(np.float64), present.ravel()[order]
    n_true = int(np.count_nonzero(came))
    if not n_true or not said.size or said[-1] - said[0] <= _ALIKE * max(1.0, abs(said[-1])):
        return Evidence(np.empty(0), np.empty(0))
    step = _NEAREST * (said[-1] - said[0])
    said = said[0] + np.round((said - said[0]) / step) * step
    n_knots = max(2, min(_MOST_KNOTS, n_true // _TRUE_A_KNOT))
    ranks = np.cumsum(came)
    wanted = np.searchsorted(ranks, np.arange(1, n_knots) * n_true / n_knots)
    # Equal scores stand in one part.
    starts = np.unique(np.searchsorted(said, np.concatenate([said[:1], said[wanted]])))
    mass = np.diff(np.append(starts, len(said))).astype(np.float64)
    true = np.add.reduceat(came.astype(np.float64), starts)
    knots = np.add.reduceat(said, starts) / mass
    share = isotonic((true + 0.5) / (mass + 1), mass)
    rise = _LEAST_RISE * (knots - knots[0]) / max(knots[-1] - knots[0], 1e-12)
    return Evidence(knots, log_odds(share) + rise)
