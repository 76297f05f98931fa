"""What the hybrid learns from the members' out-of-fold scores."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from learners.base import Batch, Progress
from learners.batch import neighbors_of, scores_of
from learners.calibration import MonotoneMap, fit_isotonic
from learners.hybrid.crossfit import fold_of
from learners.hybrid.decisions import (
    Goal,
    PrecisionCurve,
    choose_corrections,
    reliability_of,
)
from learners.hybrid.evidence import Evidence, fit_evidence
from learners.hybrid.gate import SIGNALS, Gate
from learners.hybrid.stacking import Stack, StackProblem, fit_stack
from learners.metrics.calibration import ReliabilityCurve
from learners.tag_matrix import TagMatrix

if TYPE_CHECKING:
    from learners.hybrid.learner import Hybrid

__all__ = ["Learned", "learn"]

_N_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Learned:
    """What the fields of :class:`learners.hybrid.Hybrid` of the same names hold."""

    evidence: dict[str, Evidence]
    gate: Gate
    stack: Stack
    corrections: dict[Goal, float]
    calibration: MonotoneMap
    curve: PrecisionCurve
    reliability: ReliabilityCurve


def learn(learner: "Hybrid", batch: Batch, tags: TagMatrix, report: Progress) -> Learned:
    """Fit all that the hybrid knows.

    Parameters
    ----------
    learner : Hybrid
        Its hyper-parameters are read.
    batch : Batch
        Out-of-fold scores of the members, and neighbours without the pictures' own copies.
    tags : TagMatrix
    report : callable
        Called with (stage, done, total).
    """
    names = learner.member_names
    scores = scores_of(batch, names, tags.n_tags)
    neighbors = neighbors_of(batch)
    gate = Gate.of(learner.n_neighbors, neighbors, tags)
    read = np.all([np.isfinite(of_one).all(axis=1) for of_one in scores.values()], axis=0)
    places = np.flatnonzero(read)
    present = tags.take(places).toarray()
    log_prior = np.log((tags.counts + 0.5) / (tags.n_images + 1))
    evidence = {name: fit_evidence(scores[name][places], present) for name in names}
    if not present.any():
        nothing = Stack(
            weights=np.zeros((len(names), tags.n_tags)),
            shared=np.zeros(len(names)),
            gates=np.zeros((len(names), len(SIGNALS))),
            offsets=np.zeros(tags.n_tags),
            prior=np.zeros(2),
        )
        empty = np.empty(0)
        return Learned(
            evidence,
            gate,
            nothing,
            dict.fromkeys(Goal, 0.0),
            MonotoneMap(np.zeros(1), np.zeros(1)),
            PrecisionCurve(empty, empty.astype(int), empty.astype(int), 0),
            ReliabilityCurve(empty, empty, empty.astype(int)),
        )
    said = np.stack([evidence[name](scores[name][places]) for name in names]).astype(np.float32)
    signals = gate(neighbors, tags)[places]

    def fitted(some: NDArray[np.int64]) -> Stack:
        problem = StackProblem(
            said[:, some],
            signals[some].astype(np.float32),
            present[some],
            log_prior,
            learner.shrinkage,
        )
        return fit_stack(problem)

    groups = np.full(len(places), -1) if batch.groups is None else batch.groups[places]
    numbers = fold_of(groups, _N_FOLDS, learner.seed)
    unseen = np.zeros(present.shape, np.float32)
    for fold in range(_N_FOLDS):
        report("mixing: folds", fold, _N_FOLDS + 1)
        asked = np.flatnonzero(numbers == fold)
        if asked.size:
            stack = fitted(np.flatnonzero(numbers != fold))
            unseen[asked] = stack.log_odds(said[:, asked], signals[asked], log_prior)
    report("mixing: folds", _N_FOLDS, _N_FOLDS + 1)
    stack = fitted(np.arange(len(places)))
    corrections = choose_corrections(unseen, log_prior, present)
    calibration = _calibration(unseen, present)
    chances = calibration(unseen)
    corrected = unseen - (corrections[learner.goal] * log_prior).astype(np.float32)
    return Learned(
        evidence=evidence,
        gate=gate,
        stack=stack,
        corrections=corrections,
        calibration=calibration,
        curve=PrecisionCurve.of(chances, present),
        reliability=reliability_of(chances, corrected, present),
    )


def _calibration(unseen: NDArray[np.float32], present: NDArray[np.bool_]) -> MonotoneMap:
    """Fit probabilities to log-odds where there are some; the rest is as the stack says."""
    return fit_isotonic(unseen.ravel(), present.ravel())
