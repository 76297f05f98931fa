"""How voters weigh: by their rank, or by their distances.

Both are a softmax over a query's voters, of an energy that is linear in what is learned, so that
one derivative serves them all.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ByDistance", "ByRank", "Fixed", "Weighting", "softmax"]


@dataclass(frozen=True, eq=False)
class Weighting(ABC):
    r"""Weights of one set of voters, as a function of the parameters :math:`\theta`.

    .. math:: \pi_{ij} = e^{E_{ij}(\theta)} \Big/ \sum_{j'} e^{E_{ij'}(\theta)}

    Parameters
    ----------
    is_voter : ndarray of bool, shape (n_queries, n_neighbors)
        False for pads, which weigh 0.
    """

    is_voter: NDArray[np.bool_]

    @property
    @abstractmethod
    def start(self) -> NDArray[np.float64]:
        """Parameters to start from, float64 (n_params,)."""

    @property
    @abstractmethod
    def least(self) -> float:
        """The least value that a parameter may take."""

    @abstractmethod
    def energies(self, params: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return :math:`E`, float64 (n_queries, n_neighbors); pads may hold anything finite."""

    @abstractmethod
    def by_params(self, by_energy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the derivative by each parameter, from those by each energy."""

    def __call__(self, params: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weights, float64 (n_queries, n_neighbors); each query's sum to 1."""
        return softmax(self.energies(params), self.is_voter)

    def gradient(
        self, weights: NDArray[np.float64], by_weight: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the derivative by each parameter, from those by each weight."""
        mean = np.einsum("qk,qk->q", weights, by_weight)[:, None]
        return self.by_params(weights * (by_weight - mean))


@dataclass(frozen=True, eq=False)
class ByRank(Weighting):
    r"""One weight a rank, on the simplex: :math:`E_{ik} = \theta_k`.

    Notes
    -----
    Where a query has fewer voters than there are ranks, the weights of the ranks that are
    taken are scaled to sum to 1.

    References
    ----------
    Guillaumin et al., ICCV 2009, section 2.1, "rank-based weights".
    """

    @property
    def start(self) -> NDArray[np.float64]:
        """Weights that fall as one over the rank."""
        return -np.log1p(np.arange(self.is_voter.shape[1], dtype=np.float64))

    @property
    def least(self) -> float:
        """None: the simplex is met by the softmax."""
        return -np.inf

    def energies(self, params: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the parameter of each rank."""
        return np.broadcast_to(params, self.is_voter.shape)

    def by_params(self, by_energy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum over the queries."""
        return np.asarray(by_energy.sum(axis=0))


@dataclass(frozen=True, eq=False)
class ByDistance(Weighting):
    r"""Weights that fall exponentially: :math:`E_{ij} = -\theta \cdot d_{ij}, \theta \ge 0`.

    Parameters
    ----------
    distances : ndarray of float32, shape (n_queries, n_neighbors, n_distances)
        Base distances, finite where there is a voter.

    References
    ----------
    Guillaumin et al., ICCV 2009, section 2.2, "distance-based weights".
    """

    distances: NDArray[np.float32]

    @property
    def start(self) -> NDArray[np.float64]:
        """Such that the last voter weighs a hundredth of the first."""
        masked = np.where(self.is_voter[..., None], self.distances, np.float32(0))
        spread = masked.max(axis=1, initial=0) - masked[:, :1].sum(axis=1)
        n_distances = self.distances.shape[2]
        typical = spread.mean(axis=0, dtype=np.float64) if len(spread) else np.zeros(n_distances)
        return np.asarray(np.log(100.0) / n_distances / np.where(typical > 0, typical, 1.0))

    @property
    def least(self) -> float:
        """What is farther never weighs more."""
        return 0.0

    def energies(self, params: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return minus the weighted sum of the base distances."""
        return -(self.distances @ params)

    def by_params(self, by_energy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum over all voters."""
        by_energy = np.where(self.is_voter, by_energy, 0)
        return np.asarray(-np.einsum("qk,qkd->d", by_energy, self.distances, dtype=np.float64))


@dataclass(frozen=True, eq=False)
class Fixed(Weighting):
    """Weights that are what they are: nothing to learn.

    Parameters
    ----------
    weights : ndarray of float64, shape (n_queries, n_neighbors)
    """

    weights: NDArray[np.float64]

    @property
    def start(self) -> NDArray[np.float64]:
        """No parameters."""
        return np.zeros(0)

    @property
    def least(self) -> float:
        """No bound."""
        return -np.inf

    def energies(self, params: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the logarithms of the weights."""
        return np.log(np.maximum(self.weights, np.finfo(np.float64).tiny))

    def by_params(self, by_energy: NDArray[np.float64]) -> NDArray[np.float64]:
        """No parameters."""
        return np.zeros(0)

    def __call__(self, params: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weights."""
        return self.weights


def softmax(energies: NDArray[np.float64], is_voter: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the softmax over each row's voters; rows without any are zero."""
    masked = np.where(is_voter, energies, -np.inf)
    highest = masked.max(axis=1, keepdims=True, initial=-np.inf)
    weights: NDArray[np.float64] = np.exp(masked - np.where(np.isfinite(highest), highest, 0))
    total = weights.sum(axis=1, keepdims=True)
    weights /= np.where(total > 0, total, 1)
    return weights
