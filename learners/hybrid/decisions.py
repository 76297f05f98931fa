"""What is read from pictures that nothing was fitted on: corrections, cuts and reliability."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from learners.metrics.calibration import ReliabilityCurve, reliability_curve
from learners.metrics.decisions import COUNT_MEASURES, LabelCounts
from learners.ranking import rank_tags
from learners.selection import LABEL_F1

__all__ = [
    "CORRECTIONS",
    "Goal",
    "PrecisionCurve",
    "PrecisionCut",
    "choose_corrections",
    "emitted_tags",
    "image_precision",
    "label_f1",
    "reliability_of",
]

CORRECTIONS = tuple(round(0.05 * step, 2) for step in range(21))
"""Prior corrections that are tried."""

# Differences of half a point of F1 are not told apart.
_FLAT = 0.005
_N_EMITTED = int(LABEL_F1.at or 0)
_N_BINS = 15
_N_CUTS = 400
# A cut that rests on fewer right tags says nothing.
_LEAST_EMITTED = 20


class Goal(StrEnum):
    """What the prior correction is chosen for."""

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
    """Return the C-F1@5 of scores, in [0, 1]; 0 where no tag is there."""
    counts = LabelCounts.of(emitted_tags(scores), present)
    return float(np.nan_to_num(COUNT_MEASURES[LABEL_F1.name](counts)))


def image_precision(scores: NDArray[np.floating], present: NDArray[np.bool_]) -> float:
    """Return the MiAP of scores, in [0, 1]; 0 where no picture has a tag."""
    order = np.argsort(-scores, axis=1, kind="stable")
    right = np.take_along_axis(present, order, axis=1)
    found = np.cumsum(right, axis=1)
    precision = found / np.arange(1, scores.shape[1] + 1)
    n_present = present.sum(axis=1)
    judged = n_present > 0
    if not judged.any():
        return 0.0
    return float(((precision * right).sum(axis=1)[judged] / n_present[judged]).mean())


def choose_corrections(
    log_odds: NDArray[np.float32],
    log_prior: NDArray[np.float64],
    present: NDArray[np.bool_],
    floor: float = 0.0,
) -> dict[Goal, float]:
    """Choose for each goal how much of the prior's logarithm is taken off.

    Parameters
    ----------
    log_odds : ndarray of float32, shape (n_images, n_tags)
        Of pictures that nothing behind them was fitted on.
    log_prior : ndarray of float64, shape (n_tags,)
    present : ndarray of bool, shape (n_images, n_tags)
    floor : float, default=0
        A MiAP, in [0, 1], that a correction for F1 keeps up: that of the best member.

    Returns
    -------
    dict of Goal to float
        For MiAP the best of :data:`CORRECTIONS`; for F1 the largest of those within half a
        point of the best, for its curve is flat there while the labels found go on to rise.
    """
    f1, miap = [], []
    for correction in CORRECTIONS:
        corrected = log_odds - (correction * log_prior).astype(np.float32)
        f1.append(label_f1(corrected, present))
        miap.append(image_precision(corrected, present))
    allowed = np.array(miap) >= min(floor, max(miap))
    best = max(np.array(f1)[allowed])
    fine = np.flatnonzero(allowed & (np.array(f1) >= best - _FLAT))
    return {Goal.F1: CORRECTIONS[int(fine[-1])], Goal.MIAP: CORRECTIONS[int(np.argmax(miap))]}


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
