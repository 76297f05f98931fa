"""Which tags of a ranking are answered, and how many."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError

__all__ = ["LEAST_PROBABILITY", "Emission"]

LEAST_PROBABILITY = 0.25
"""Tags that are less likely are not answered unless they are asked for, in [0, 1].

On a fold of Corel-5K's training split that leaves the mean F1 of a picture as it is (0.645) and
takes precision from 65.5 to 67.7 % for 1.2 points of recall; at 0.3, 1.7 % of the pictures get no
tag at all.
"""


@dataclass(frozen=True, kw_only=True)
class Emission:
    """Which tags of a ranking are answered.

    Where nothing is asked for, a learner that predicts how many tags a picture has is taken at
    its word, less what is unlikely where it knows probabilities; of any other the
    ``default_top`` best are answered.

    Parameters
    ----------
    top : int or None
        So many, while the vocabulary lasts.
    threshold : float or None
        All tags that score at least this; with ``top``, of those.
    precision : float or None
        All tags at which this share was right on pictures that the learner had not seen, in
        (0, 1]. With ``top``, of those.
    min_voters : int, default=0
        Only tags that at least so many voters carry: the learner's, or, where it mixes others,
        those of the member that explain its answers.
    default_top : int, default=5

    Notes
    -----
    Tags that people confirmed for a picture are answered whatever their score. A learner that
    has no voters may answer any tag; one that has voters answers tags that some voter carries,
    unless ``top`` asks for more.
    """

    top: int | None = None
    threshold: float | None = None
    precision: float | None = None
    min_voters: int = 0
    default_top: int = 5

    def __post_init__(self) -> None:
        if self.top is not None and self.top < 1:
            raise InputError(
                f"{self.top} tags were asked for; 1 or more are accepted; ask for at least one"
            )
        if self.threshold is not None and math.isnan(self.threshold):
            raise InputError("the threshold is not a number; a score is accepted, such as 0.5")
        if self.precision is None:
            return
        if not 0 < self.precision <= 1:
            raise InputError(
                f"a precision of {self.precision:g} was asked for; above 0 and at most 1 is "
                "accepted, such as 0.9; change it"
            )
        if self.threshold is not None:
            raise InputError(
                "a threshold and a precision were asked for; one of them is accepted, since both "
                "say from where on tags are given; leave one out"
            )

    @property
    def is_default(self) -> bool:
        """Whether nothing says how many tags or which scores are wanted."""
        return self.top is None and self.threshold is None and self.precision is None

    def most(
        self, shape: tuple[int, ...], quantities: NDArray[np.int64] | None
    ) -> NDArray[np.int64]:
        """Return how many tags each picture may get.

        Parameters
        ----------
        shape : tuple of int
            Of the scores, (n_queries, n_tags).
        quantities : ndarray of int64, shape (n_queries,), or None
            How many tags the learner predicts; None where it predicts none.

        Returns
        -------
        ndarray of int64, shape (n_queries,)
        """
        n_queries, n_tags = shape
        if self.top is not None:
            return np.full(n_queries, self.top, np.int64)
        if not self.is_default:
            return np.full(n_queries, n_tags, np.int64)
        if quantities is None:
            return np.full(n_queries, self.default_top, np.int64)
        return quantities

    def allows(
        self,
        scores: NDArray[np.float32],
        n_voters: NDArray[np.float32] | None,
        probabilities: NDArray[np.float32] | None = None,
        least: float | None = None,
    ) -> NDArray[np.bool_]:
        """Return which tags may be answered.

        Parameters
        ----------
        scores : ndarray of float32, shape (n_queries, n_tags)
        n_voters : ndarray of float32, shape (n_queries, n_tags), or None
            How many voters carry each tag; None where there are none, or where those of a
            member are not to be counted.
        probabilities : ndarray of float32, shape (n_queries, n_tags), or None
            None where nothing is calibrated.
        least : float or None
            From which probability on so many are right as ``precision`` asks for; None = from
            none.

        Returns
        -------
        ndarray of bool, shape (n_queries, n_tags)
        """
        allowed = np.ones(scores.shape, bool)
        if n_voters is not None:
            allowed = n_voters >= max(self.min_voters, 1 if self.top is None else 0)
        if self.threshold is not None:
            allowed &= scores >= self.threshold
        if self.precision is not None:
            # From no probability on are so many right: nothing is said.
            if probabilities is None or least is None:
                return np.zeros(scores.shape, bool)
            return allowed & (probabilities >= least)
        if self.is_default and probabilities is not None:
            allowed &= probabilities >= LEAST_PROBABILITY
        return allowed
