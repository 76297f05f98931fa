"""Pictures of one event share evidence: each is scored beside the others of its album."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.parameters import real_number

__all__ = ["BURST_SECONDS", "Together", "album_distances"]

BURST_SECONDS = 10.0
"""How fast two pictures of one camera stop being of one burst."""

# What the distance of two pictures of the same moment is multiplied with.
_BURST_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class Together:
    r"""Scores of an album, each shrunk towards the mean of the others, the nearer the more.

    With :math:`d_{ij}` the distance of two pictures of the album, every other picture counts as
    :math:`n_{ij} = \rho e^{-w d_{ij}}` observations of picture :math:`i`, which itself counts as
    one:

    .. math:: s'_{it} = \frac{s_{it} + \sum_{j \ne i} n_{ij} s_{jt}}{1 + \sum_{j \ne i} n_{ij}} .

    Parameters
    ----------
    strength : float, default=0.1
        The :math:`\rho`, at least 0: what a copy would count as; 0 = every picture alone.
    decay : float, default=2
        The :math:`w`, at least 0: how fast that fades with distance; 0 = all of an album alike.

    Notes
    -----
    The survey draws single and batch inputs (figure 3) and gives no rule; this one is ours.
    The scores of calibrated learners are log-odds, whose weighted mean is the geometric mean of
    the odds; a vote is pooled as it is. The defaults are what ``heads`` choose by MiAP on the
    training pictures of every one of five folds of the training split of Corel-5K, on albums of
    six pictures of a series; votes choose more, 0.5 and 4. Rare tags pay for it: a tag that one
    picture of an album has is what the others lack.

    Examples
    --------
    >>> scores = np.array([[2.0, 0.0], [0.0, 1.0]], np.float32)
    >>> near = np.zeros((2, 2), np.float32)
    >>> Together(strength=1).scores(scores, near)
    array([[1. , 0.5],
           [1. , 0.5]], dtype=float32)
    """

    strength: float = 0.1
    decay: float = 2.0

    def __post_init__(self) -> None:
        real_number("strength", self.strength)
        real_number("decay", self.decay)

    def scores(
        self, scores: NDArray[np.float32], distances: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the scores of the pictures of one album, seen together.

        Parameters
        ----------
        scores : ndarray of float32, shape (n_pictures, n_tags)
            Of each alone, finite.
        distances : ndarray of float32, shape (n_pictures, n_pictures)
            Between them, at least 0 (:func:`album_distances`).

        Returns
        -------
        ndarray of float32, shape (n_pictures, n_tags)
            Within the range that the album's scores of the tag have.

        Raises
        ------
        InputError
            If the distances are not those of the pictures.
        """
        n_pictures = len(scores)
        if distances.shape != (n_pictures, n_pictures):
            raise InputError(
                f"distances of shape {distances.shape} for {n_pictures} pictures; one a pair is "
                "accepted; give those of the same album"
            )
        counts = self.strength * np.exp(-self.decay * distances.astype(np.float64))
        np.fill_diagonal(counts, 1)
        shares = counts / counts.sum(axis=1, keepdims=True)
        pooled: NDArray[np.float32] = (shares @ scores.astype(np.float64)).astype(np.float32)
        return pooled

    def probabilities(
        self, probabilities: NDArray[np.float32], distances: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return probabilities seen together: their log-odds are pooled as scores are.

        Parameters and errors are those of :meth:`scores`; values lie in [0, 1].
        """
        tiny = np.finfo(np.float32).eps
        clipped = np.clip(probabilities, tiny, 1 - tiny)
        log_odds = np.log(clipped) - np.log1p(-clipped)
        pooled = self.scores(log_odds.astype(np.float32), distances)
        shared: NDArray[np.float32] = np.reciprocal(1 + np.exp(-pooled))
        return shared


def album_distances(
    vectors: NDArray[np.float32],
    cameras: NDArray[np.int64] | None = None,
    seconds: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    r"""Return how far the pictures of an album are apart; those of a burst are nearer.

    The cosine distance; where two pictures were taken by one camera within :math:`\Delta`
    seconds, it is multiplied by :math:`1 - e^{-\Delta / 10} / 2`: halved for the same moment.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_pictures, n_dims)
    cameras : ndarray of int64, shape (n_pictures,), optional
        Number of the camera of each; -1 = camera or time are not known.
    seconds : ndarray of float64, shape (n_pictures,), optional
        On the clock of the camera; goes with `cameras`.

    Returns
    -------
    ndarray of float32, shape (n_pictures, n_pictures)
        In [0, 2]; 0 on the diagonal.

    Raises
    ------
    InputError
        If cameras or seconds are not one a picture, or only one of them is given.

    Examples
    --------
    >>> vectors = np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    >>> album_distances(vectors, np.array([0, 0, -1]), np.array([5.0, 5.0, 0.0]))[0]
    array([0. , 0.5, 1. ], dtype=float32)
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths > 0, lengths, 1)
    distances: NDArray[np.float32] = np.clip(1 - unit @ unit.T, 0, 2).astype(np.float32)
    np.fill_diagonal(distances, 0)
    if cameras is None and seconds is None:
        return distances
    if cameras is None or seconds is None or not len(cameras) == len(seconds) == len(vectors):
        raise InputError(
            f"cameras and times of other pictures than the {len(vectors)} of the album, or only "
            "one of them; both, one a picture, are accepted; give -1 for what is not known"
        )
    is_same = (cameras[:, None] == cameras) & (cameras >= 0)
    apart = np.abs(seconds[:, None] - seconds)
    burst = np.where(is_same, np.exp(-apart / BURST_SECONDS), 0)
    nearer: NDArray[np.float32] = (distances * (1 - _BURST_SHARE * burst)).astype(np.float32)
    return nearer
