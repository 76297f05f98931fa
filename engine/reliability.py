"""How far the probabilities of a calibrated learner can be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.base import TagLearner

__all__ = ["KnowsReliability", "Reliability", "ReliabilityBin", "reliability_of"]


class _Curve(Protocol):
    """Probability said against share that came true."""

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Mean probability of each bin, ascending."""

    @property
    def frequency(self) -> NDArray[np.float64]:
        """Share of each bin that is true."""

    @property
    def count(self) -> NDArray[np.int64]:
        """Tags in each bin."""

    @property
    def expected_error(self) -> float:
        """Mean distance between the two, weighted by count."""


@runtime_checkable
class KnowsReliability(Protocol):
    """A calibrated learner that keeps how right its probabilities were while it was fitted."""

    reliability_: _Curve


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Tags of about the same probability.

    Parameters
    ----------
    said, came_true : float
        Mean probability, and share of the tags that were right, in [0, 1].
    n_tags : int
    """

    said: float
    came_true: float
    n_tags: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """What was said and what came true, on pictures that the learner had not seen.

    Parameters
    ----------
    learner : str
    bins : sequence of ReliabilityBin
        Of the five best tags a picture, least probable first, each of about as many tags.
    expected_error : float or None
        Mean distance between the two, weighted by the number of tags; None without tags.
    """

    learner: str
    bins: Sequence[ReliabilityBin]
    expected_error: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "learner": self.learner,
            "expected_error": self.expected_error,
            "bins": [
                {
                    "said": round(one.said, 6),
                    "came_true": round(one.came_true, 6),
                    "tags": one.n_tags,
                }
                for one in self.bins
            ],
        }


def reliability_of(learner: TagLearner) -> Reliability:
    """Return how far the probabilities of a fitted learner can be trusted.

    Raises
    ------
    InputError
        It knows no probabilities.
    """
    if not isinstance(learner, KnowsReliability):
        raise InputError(
            f"the learner {learner.name!r} knows no probabilities whose reliability could be "
            "shown; a learner that was calibrated, such as hybrid, is accepted; run 'engine train' "
            "first"
        )
    curve = learner.reliability_
    bins = tuple(
        ReliabilityBin(said, came_true, n_tags)
        for said, came_true, n_tags in zip(
            curve.confidence.tolist(), curve.frequency.tolist(), curve.count.tolist(), strict=True
        )
    )
    error = float(curve.expected_error) if bins else None
    return Reliability(learner.name, bins, error)
