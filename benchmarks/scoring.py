"""Where answers and their truth meet: the only place that judges a method."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.bounds import largest
from benchmarks.exercises import Answers
from benchmarks.solving import Solution
from learners.metrics import Judged, Measure, confidence_intervals
from learners.ties import folded

__all__ = ["Scored", "scored"]


@dataclass(frozen=True, eq=False)
class Scored:
    """What a method answered, beside the truth.

    Parameters
    ----------
    judged : Judged
        All that the measures read.
    raw_scores : ndarray of float32, shape (n_images, n_tags), or None
        The learner's own scores, where the judged ones are ranks that hold its tie breaks.
    """

    judged: Judged
    raw_scores: NDArray[np.floating] | None

    def save(self, path: Path) -> None:
        """Write all that the measures can be computed from again, without pickle.

        The arrays are ``scores`` and ``truth`` (n_images, n_tags), ``tags`` (n_tags,) and
        ``image_ids`` (n_images,); ``raw_scores`` and ``quantities`` where there are any.
        """
        arrays: dict[str, Any] = {
            "scores": self.judged.scores,
            "truth": self.judged.truth,
            "tags": np.asarray(self.judged.tags),
            "image_ids": np.asarray(self.judged.image_ids),
        }
        if self.raw_scores is not None:
            arrays["raw_scores"] = self.raw_scores
        if self.judged.quantities is not None:
            arrays["quantities"] = self.judged.quantities
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".new.npz")
        np.savez_compressed(scratch, allow_pickle=False, **arrays)
        scratch.replace(path)

    def measured(
        self, measures: tuple[Measure, ...], *, seed: int, n_replicates: int = 1000
    ) -> dict[str, dict[str, float | int | None]]:
        """Return value, number averaged and the ends of the 95 % interval of each measure.

        The ends are cut to what the measure can be: no share above 1, no more labels than
        there are.
        """
        intervals = confidence_intervals(
            measures, self.judged, n_replicates=n_replicates, seed=seed
        )
        found = {}
        for measure, interval in intervals.items():
            n = measure.apply(self.judged).n
            found[str(measure)] = {
                "value": _number(interval.value),
                "n": n,
                "low": _number(np.maximum(interval.low, 0)),
                "high": _number(np.minimum(interval.high, largest(measure, n))),
            }
        return found


def scored(solution: Solution, answers: Answers, *, as_ranks: bool = True) -> Scored:
    """Judge a solution.

    Parameters
    ----------
    solution : Solution
    answers : Answers
    as_ranks : bool, default=True
        Whether ties are broken as the engine breaks them (:func:`learners.ties.folded`).
        False where a threshold is compared with the learner's own scores.
    """
    raw = answers.candidates_only(solution.scores)
    scores = folded(raw, solution.tie_breaks) if as_ranks else raw
    return Scored(
        judged=answers.judged(scores, solution.quantities),
        raw_scores=None if scores is raw else raw,
    )


def _number(value: float) -> float | None:
    """JSON knows no NaN."""
    return float(value) if np.isfinite(value) else None
