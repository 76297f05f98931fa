"""How far the neighbours of a picture can be trusted: how close they are, how much they agree."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.index import Neighbors
from learners.tag_matrix import TagMatrix
from learners.votes import tag_votes, voters

__all__ = ["SIGNALS", "Gate"]

SIGNALS = ("closeness", "unanimity")
"""What is read of the neighbours, in order."""

_N_QUANTILES = 33


@dataclass(frozen=True, eq=False)
class Gate:
    r"""Reads the neighbours of a picture; each signal is where it stands among the training ones.

    Closeness is the mean cosine similarity of the neighbours; unanimity is
    :math:`-\sum_t v_t \log v_t`, negated, of the votes :math:`v_t` brought to sum 1. Each is
    replaced by its rank among the training pictures, from -1 to 1, so that neither has a scale.
    A picture without neighbours stands where the least close and the least unanimous ones do.

    Parameters
    ----------
    n_neighbors : int
        Neighbours that are read.
    quantiles : ndarray of float64, shape (n_signals, n_quantiles)
        Of the signals of the training pictures; no column = nothing is known.
    """

    n_neighbors: int
    quantiles: NDArray[np.float64]

    @classmethod
    def of(cls, n_neighbors: int, neighbors: Neighbors, tags: TagMatrix) -> "Gate":
        """Learn where signals lie, from the neighbours of tagged pictures, copies left out."""
        raw = _signals(n_neighbors, neighbors, tags)
        if not len(raw):
            return cls(n_neighbors, np.empty((len(SIGNALS), 0)))
        steps = np.linspace(0, 1, _N_QUANTILES)
        return cls(n_neighbors, np.quantile(raw, steps, axis=0).T.copy())

    def __call__(self, neighbors: Neighbors, tags: TagMatrix) -> NDArray[np.float64]:
        """Return the signals of pictures, float64 (n_queries, n_signals), in [-1, 1].

        Parameters
        ----------
        neighbors : Neighbors
            Among the vectors as they are, by cosine distance.
        tags : TagMatrix
            The pictures that vote.
        """
        raw = _signals(self.n_neighbors, neighbors, tags)
        n_quantiles = self.quantiles.shape[1]
        if not n_quantiles:
            return np.full(raw.shape, -1.0)
        steps = np.linspace(-1, 1, n_quantiles)
        ranked = [
            np.interp(column, *_distinct(quantiles, steps))
            for column, quantiles in zip(raw.T, self.quantiles, strict=True)
        ]
        return np.stack(ranked, axis=1)


def _signals(n_neighbors: int, neighbors: Neighbors, tags: TagMatrix) -> NDArray[np.float64]:
    """Return the signals as they are, float64 (n_queries, n_signals)."""
    found = voters(neighbors, tags, n_neighbors)
    n_found = found.n_found
    is_voter = found.positions >= 0
    similarity = np.where(is_voter, 1 - found.distances, 0).sum(axis=1, dtype=np.float64)
    closeness = np.where(n_found > 0, similarity / np.maximum(n_found, 1), -1.0)
    votes = tag_votes(found, tags).astype(np.float64)
    total = votes.sum(axis=1, keepdims=True)
    shares = np.divide(votes, total, out=np.zeros_like(votes), where=total > 0)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    unanimity = np.where(total[:, 0] > 0, (shares * logs).sum(axis=1), -np.log(max(tags.n_tags, 1)))
    return np.stack([closeness, unanimity], axis=1)


def _distinct(
    quantiles: NDArray[np.float64], steps: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each quantile once, at the middle of its steps: ties stand in the middle."""
    values, first, count = np.unique(quantiles, return_index=True, return_counts=True)
    return values, (steps[first] + steps[first + count - 1]) / 2
