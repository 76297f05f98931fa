"""What a learner says of its own scores: how likely a tag is, and how many a picture has."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engine.emission import Emission
from indexing.errors import InputError
from learners.base import Batch, TagLearner

__all__ = [
    "KnowsProbabilities",
    "KnowsQuantities",
    "PrecisionCut",
    "least_probability",
    "precision_cut",
    "probabilities_of",
    "quantities_of",
]


class PrecisionCut(Protocol):
    """From which probability on so many tags were right, on pictures that were not learned from.

    Attributes
    ----------
    threshold : float
        Least probability of a tag that is given, in [0, 1].
    precision, recall : float
        Share of the tags given that were right, and of the right tags that were given.
    """

    @property
    def threshold(self) -> float:
        """Least probability of a tag that is given, in [0, 1]."""

    @property
    def precision(self) -> float:
        """Share of the tags given that were right, in [0, 1]."""

    @property
    def recall(self) -> float:
        """Share of the right tags that were given, in [0, 1]."""


@runtime_checkable
class KnowsProbabilities(Protocol):
    """A learner that is calibrated."""

    def predict_probabilities(self, batch: Batch) -> NDArray[np.float32]:
        """Return the probability of every tag, float32 (n_queries, n_tags), in [0, 1]."""

    def cut_for_precision(self, precision: float) -> PrecisionCut | None:
        """Return from where on tags are right so often; None = from nowhere."""


@runtime_checkable
class KnowsQuantities(Protocol):
    """A learner that predicts how many tags a picture has."""

    def predict_quantities(self, batch: Batch) -> NDArray[np.float64]:
        """Return the number of tags of each picture, unrounded, float64 (n_queries,)."""


def probabilities_of(learner: TagLearner, batch: Batch) -> NDArray[np.float32] | None:
    """Return the probability of every tag, float32 (n_queries, n_tags); None = not calibrated."""
    if not isinstance(learner, KnowsProbabilities):
        return None
    return learner.predict_probabilities(batch)


def quantities_of(
    learner: TagLearner, batch: Batch, confirmed: NDArray[np.bool_], n_given: int = 0
) -> NDArray[np.int64] | None:
    """Return how many tags a learner gives each picture; None where it has learned no such thing.

    Parameters
    ----------
    learner : TagLearner
        Fitted. One whose `learns_quantity` is false has learned none.
    batch : Batch
        What it reads.
    confirmed : ndarray of bool, shape (n_queries, n_tags)
        What people gave the very pictures, which is never too much.
    n_given : int, default=0
        How many of the picture's tags were given, and are not asked for; one more there is.

    Returns
    -------
    ndarray of int64, shape (n_queries,)
    """
    if not isinstance(learner, KnowsQuantities) or not getattr(learner, "learns_quantity", True):
        return None
    from learners.metrics.decisions import quantities_to_emit

    predicted = quantities_to_emit(learner.predict_quantities(batch), confirmed.shape[1])
    if n_given:
        predicted = np.maximum(predicted - n_given, 1)
    n_confirmed: NDArray[np.int64] = np.count_nonzero(confirmed, axis=1)
    return np.maximum(predicted, n_confirmed)


def precision_cut(learner: TagLearner, precision: float) -> PrecisionCut | None:
    """Return from which probability on tags of a learner are right so often; None = from none.

    Parameters
    ----------
    learner : TagLearner
        Fitted.
    precision : float
        In (0, 1].

    Raises
    ------
    InputError
        The learner knows no probabilities.
    """
    if not isinstance(learner, KnowsProbabilities):
        raise InputError(
            f"the learner {learner.name!r} knows no probabilities, and --precision goes by them; "
            "a learner that was calibrated, such as hybrid, is accepted; name it with --learner "
            "(after 'engine train'), or take --top or --threshold"
        )
    return learner.cut_for_precision(precision)


def least_probability(learner: TagLearner, emission: Emission) -> float | None:
    """Return the probability that tags must reach for a precision; None = none reaches it.

    Raises
    ------
    InputError
        A precision is asked for, and the learner knows no probabilities.
    """
    if emission.precision is None:
        return None
    cut = precision_cut(learner, emission.precision)
    return None if cut is None else cut.threshold
