"""Histograms of gradient directions on a dense grid: what local shape there is, everywhere."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = ["N_VALUES", "gradient_histograms"]

N_DIRECTIONS = 8
N_CELLS = 4  # along either side of a descriptor
N_VALUES = N_CELLS * N_CELLS * N_DIRECTIONS
"""Width of a descriptor."""

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32) / np.float32(255)

# A standard deviation of the smoothing, in cells.
_SMOOTHING = 1 / 6

# No value of a descriptor may be larger than this share of its length: Lowe's figure.
_LARGEST_SHARE = 0.2


class _Filters(NamedTuple):
    smooth: NDArray[np.float32]  # (size, size)
    slope: NDArray[np.float32]  # (size, size)
    pool: NDArray[np.float32]  # (size // cell, size)


def gradient_histograms(
    picture: NDArray[np.uint8], cell: int, faintest: float
) -> NDArray[np.float32]:
    r"""Describe every place of a picture by the gradients around it (dense SIFT).

    The picture, grey in [0, 1], is smoothed; each pixel's gradient is shared by magnitude
    between the two nearest of eight directions and, by triangular weights, between the
    nearest cells of a square lattice. A descriptor holds the cells of a 4 x 4 neighbourhood,
    scaled to unit length, values above 0.2 cut, and scaled again.

    Parameters
    ----------
    picture : ndarray of uint8, shape (size, size, 3)
        RGB.
    cell : int
        Side of a cell in pixels; the descriptors lie as far apart and are four times as wide.
    faintest : float
        Descriptors of less length than this before they are scaled, mean magnitudes of the
        gradient a cell and direction in grey levels a pixel, become zero.

    Returns
    -------
    ndarray of float32, shape (n, n, 128)
        With ``n = size // cell - 3``; rows and columns as in the picture; of unit length or
        zero; by row and column of the cell, then direction: right, right-down, down, ...

    Notes
    -----
    Without the Gaussian window over the descriptor, without rotation to the dominant
    direction, and at the same places on every picture, as usual for bags of words.

    References
    ----------
    D. Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 60(2), 2004.
    """
    smooth, slope, pool = _filters(picture.shape[0], cell)
    grey = picture @ _LUMA  # (size, size)
    right = smooth @ grey @ slope.T
    down = slope @ grey @ smooth.T
    magnitude = np.hypot(right, down)
    direction = np.arctan2(down, right) * np.float32(N_DIRECTIONS / (2 * np.pi))  # -4 .. 4
    shares = np.empty((N_DIRECTIONS, *grey.shape), np.float32)
    for number, share in enumerate(shares):
        away = np.abs(direction - np.float32(number))
        np.minimum(away, N_DIRECTIONS - away, out=away)
        np.multiply(magnitude, np.maximum(1 - away, 0), out=share)
    cells = pool @ shares @ pool.T  # (8, n_cells, n_cells)
    windows = sliding_window_view(cells, (N_CELLS, N_CELLS), axis=(1, 2))  # (8, n, n, 4, 4)
    n = windows.shape[1]
    descriptors = np.ascontiguousarray(windows.transpose(1, 2, 3, 4, 0)).reshape(n, n, N_VALUES)
    lengths = np.linalg.norm(descriptors, axis=2, keepdims=True)
    descriptors /= np.where(lengths < faintest, np.float32(np.inf), lengths)
    np.minimum(descriptors, _LARGEST_SHARE, out=descriptors)
    lengths = np.linalg.norm(descriptors, axis=2, keepdims=True)
    descriptors /= np.where(lengths > 0, lengths, 1)
    return descriptors


@lru_cache(maxsize=8)
def _filters(size: int, cell: int) -> _Filters:
    """Return what a picture is multiplied with, as matrices: along a column, and a row."""
    at = np.arange(size)
    smooth = np.exp(-0.5 * ((at[:, None] - at) / (cell * _SMOOTHING)) ** 2)
    smooth /= smooth.sum(axis=1, keepdims=True)
    # Half the difference of the neighbours; at the edge the pixel itself stands for one.
    slope = (smooth[np.minimum(at + 1, size - 1)] - smooth[np.maximum(at - 1, 0)]) / 2
    centers = (np.arange(size // cell) + 0.5) * cell - 0.5
    pool = np.maximum(1 - np.abs(centers[:, None] - at) / cell, 0) / cell
    filters = (smooth, slope, pool)
    return _Filters(*(np.ascontiguousarray(matrix, dtype=np.float32) for matrix in filters))
