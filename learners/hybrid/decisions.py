"""What is read from pictures that nothing was fitted on: corrections, cuts and reliability."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from learners.metrics.calibration import ReliabilityCurve, reliability_curve
from learners.metrics.decisions import COUNT_MEASURES, LabelCounts
from learners.metrics.rankings import score_precisions
from learners.ranking import rank_tags
from learners.selection import LABEL_F1

__all__ = [
    "CORRECTIONS",
    "Goal",
    "PrecisionCurve",
    "PrecisionCut",
    "best_image_precision",
    "choose_corrections",
    "emitted_tags",
    "help_for_rare",
    "image_precision",
    "label_f1",
    "reliability_of",
]

CORRECTIONS = (0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4)
"""Corrections that are tried, as shares of the mean over the tags of how many carry them."""

# Differences of half a point of F1 are not told apart.
_FLAT = 0.005
# Share of the best MiAP that is given up for F1 at most.
_MOST_GIVEN_UP = 0.01
# F1 of the means depends on how many pictures are asked about: of a thousand a rare tag is named
# for one at least, of a hundred for none. It is read of as many as a test or an album has.
_ASKED_TOGETHER = 500
_N_EMITTED = int(LABEL_F1.at or 0)
_N_BINS = 15
_N_CUTS = 400
# A cut that rests on fewer right tags says nothing.
_LEAST_EMITTED = 20


class Goal(StrEnum):
    """What the correction for rare tags is chosen for."""

    F1 = "f1"
    """F1 of the means over the tags, five tags a picture."""
    MIAP = "miap"
    """Mean over the pictures of the average precision of their tags."""


def emitted_tags(scores: NDArray[np.floating], n: int = _N_EMITTED) -> NDArray[np.bool_]:
    """Return which tags are the best of their picture, bool (n_queries, n_tags)."""
    emitted = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(emitted, rank_tags(scores, n), True, axis=1)
    return emitted


def label_f1(scores: NDArray[np.floating], present: NDArray[np.bool_]) -> float:
    """Return the C-F1@5 of scores, in [0, 1]; 0 where no tag is there.

    It is the mean over parts of some 500 pictures, for pictures in any order that does not tell
    their tags.
    """
    emitted = emitted_tags(scores)
    n_parts = max(1, round(len(present) / _ASKED_TOGETHER))
    parts = [np.arange(start, len(present), n_parts) for start in range(n_parts)]
    found = [
        COUNT_MEASURES[LABEL_F1.name](LabelCounts.of(emitted[part], present[part]))
        for part in parts
    ]
    return float(np.nan_to_num(found).mean())


def image_precision(scores: NDArray[np.floating], present: NDArray[np.bool_]) -> float:
    """Return the MiAP of scores, in [0, 1]; 0 where no picture has a tag."""
    judged = present.any(axis=1)
    return float(score_precisions(scores[judged], present[judged]).mean()) if judged.any() else 0.0


def help_for_rare(log_prior: NDArray[np.float64], correction: float) -> NDArray[np.float64]:
    r"""Return what is added to the log-odds of each tag so that rare tags are heard.

    To name a tag rightly adds one to the right tags of all pictures alike, and :math:`1 / n_t` to
    the recall of a tag that :math:`n_t` pictures carry. Where both count, a tag of probability
    :math:`p` is worth :math:`p (1 + \rho / \pi_t)`, with :math:`\pi_t` the share of the pictures
    that carry it:

    .. math:: h_t = \log(1 + \rho / \pi_t) .

    Parameters
    ----------
    log_prior : ndarray of float64, shape (n_tags,)
        The :math:`\log \pi_t`.
    correction : float
        The :math:`\rho`, at least 0: the share of the pictures at which a tag's odds are doubled.

    Examples
    --------
    >>> help_for_rare(np.log([0.5, 0.01]), 0.01).round(2)
    array([0.02, 0.69])
    """
    return np.asarray(np.log1p(correction * np.exp(-log_prior)), np.float64)


def choose_corrections(
    log_odds: NDArray[np.float32],
    log_prior: NDArray[np.float64],
    present: NDArray[np.bool_],
    floor: float = 0.0,
) -> dict[Goal, float]:
    """Choose for each goal how much rare tags are helped.

    Parameters
    ----------
    log_odds : ndarray of float32, shape (n_images, n_tags)
        Of pictures that nothing behind them was fitted on.
    log_prior : ndarray of float64, shape (n_tags,)
    present : ndarray of bool, shape (n_images, n_tags)
    floor : float, default=0
        A MiAP, in [0, 1], that a correction for F1 keeps up where any does: that of the best
        member.

    Returns
    -------
    dict of Goal to float
        As :func:`help_for_rare` takes them. For MiAP the best of :data:`CORRECTIONS` times the
        mean share of pictures a tag. For F1 one that keeps up the floor and gives up at most a
        hundredth of that MiAP, and of those within half a point of the best the largest: F1 is
        flat there, while the labels found go on to rise.

    Notes
    -----
    Less of the prior's logarithm, the usual correction (A. Menon et al., "Long-tail learning via
    logit adjustment", ICLR 2021), parts tags of a thousand pictures from those of a hundred as far
    as these from tags of ten. This one leaves frequent tags alone: on folds of Corel-5K, at a MiAP
    of 72.3, F1 48.2 and N+ 195 instead of 47.4 and 190.
    """
    tried = _tried(log_prior)
    helped = [log_odds + help_for_rare(log_prior, one).astype(np.float32) for one in tried]
    f1 = np.array([label_f1(scores, present) for scores in helped])
    miap = np.array([image_precision(scores, present) for scores in helped])
    best = miap.max()
    allowed = miap >= max((1 - _MOST_GIVEN_UP) * best, min(floor, best))
    fine = np.flatnonzero(allowed & (f1 >= f1[allowed].max() - _FLAT))
    return {Goal.F1: tried[int(fine[-1])], Goal.MIAP: tried[int(np.argmax(miap))]}


def best_image_precision(
    log_odds: NDArray[np.float32], log_prior: NDArray[np.float64], present: NDArray[np.bool_]
) -> float:
    """Return the MiAP, in [0, 1], of scores whose rare tags are helped as is best for it."""
    helped = (
        log_odds + help_for_rare(log_prior, one).astype(np.float32) for one in _tried(log_prior)
    )
    return max(image_precision(scores, present) for scores in helped)


def _tried(log_prior: NDArray[np.float64]) -> list[float]:
    """Return the corrections that are tried, as :func:`help_for_rare` takes them."""
    mean_share = float(np.exp(log_prior).mean()) if log_prior.size else 0.0
    return [share * mean_share for share in CORRECTIONS]


@dataclass(frozen=True)
class PrecisionCut:
    """From which probability on a tag is right as often as was asked.

    Parameters
    ----------
    threshold : float
        Least probability of a tag that is given, in [0, 1].
    precision : float
        Share of the tags given that were right, on pictures that nothing was fitted on.
    recall : float
        Share of the right tags that were given, there.
    n_emitted : int
        Tags given, there.
    """

    threshold: float
    precision: float
    recall: float
    n_emitted: int


@dataclass(frozen=True, eq=False)
class PrecisionCurve:
    """What each threshold on the probability costs and brings.

    Parameters
    ----------
    thresholds : ndarray of float64, shape (n_cuts,)
        Falling.
    n_emitted, n_right : ndarray of int64, shape (n_cuts,)
        Tags at or above each, and how many of them are right.
    n_true : int
        Right tags in all.
    """

    thresholds: NDArray[np.float64]
    n_emitted: NDArray[np.int64]
    n_right: NDArray[np.int64]
    n_true: int

    @classmethod
    def of(
        cls, probabilities: NDArray[np.floating], present: NDArray[np.bool_]
    ) -> "PrecisionCurve":
        """Read the curve from pictures that nothing was fitted on, both (n_images, n_tags)."""
        said, came = probabilities.ravel().astype(np.float64), present.ravel()
        n_true = int(np.count_nonzero(came))
        order = np.argsort(-said, kind="stable")
        said, right = said[order], np.cumsum(came[order], dtype=np.int64)
        # Cut where the number of right tags has grown by the same again; equal ones together.
        marks = np.searchsorted(right, np.linspace(0, n_true, _N_CUTS + 1)[1:])
        last = np.searchsorted(-said, -said[np.minimum(marks, len(said) - 1)], side="right") - 1
        last = np.unique(last[last >= 0]) if n_true else np.empty(0, np.int64)
        return cls(said[last], last + 1, right[last], n_true)

    def cut(self, precision: float) -> PrecisionCut | None:
        """Return the cut of the largest recall at which so many were right; None = there is none.

        Parameters
        ----------
        precision : float
            In (0, 1].
        """
        reached = self.n_right / np.maximum(self.n_emitted, 1)
        fine = np.flatnonzero((reached >= precision) & (self.n_emitted >= _LEAST_EMITTED))
        if not fine.size:
            return None
        place = int(fine[-1])
        return PrecisionCut(
            threshold=float(self.thresholds[place]),
            precision=float(reached[place]),
            recall=float(self.n_right[place] / max(self.n_true, 1)),
            n_emitted=int(self.n_emitted[place]),
        )


def reliability_of(
    probabilities: NDArray[np.floating],
    scores: NDArray[np.floating],
    present: NDArray[np.bool_],
) -> ReliabilityCurve:
    """Return how far the probabilities of emitted tags can be trusted, in bins of equal mass.

    Parameters
    ----------
    probabilities, scores : ndarray of float, shape (n_images, n_tags)
        Of pictures that nothing was fitted on; the five best scores of each are emitted.
    present : ndarray of bool, shape (n_images, n_tags)
    """
    emitted = emitted_tags(scores)
    return reliability_curve(probabilities[emitted], present[emitted], _N_BINS)
