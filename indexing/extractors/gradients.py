"""Histograms of gradient directions on a dense grid: what local shape there is, everywhere."""

from math import ceil

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = ["N_VALUES", "gradient_histograms"]

N_DIRECTIONS = 8
N_CELLS = 4  # along either side of a descriptor
N_VALUES = N_CELLS * N_CELLS * N_DIRECTIONS
"""Width of a descriptor."""

_RED, _GREEN, _BLUE = (np.float32(share / 255) for share in (0.299, 0.587, 0.114))

# Standard deviation of the smoothing, in cells.
_SMOOTHING = 1 / 6

# No value of a descriptor may be larger than this share of its length: Lowe's figure.
_LARGEST_SHARE = np.float32(0.2)


def gradient_histograms(
    picture: NDArray[np.uint8], cell: int, faintest: float
) -> NDArray[np.float32]:
    r"""Describe every place of a picture by the gradients around it (dense SIFT).

    The picture, grey in [0, 1], is smoothed; each pixel's gradient is shared by magnitude
    between the two nearest of eight directions, and between the nearest cells of a square
    lattice: in either axis 3/4 go to the cell that it lies in and 1/4 to the nearer one beside
    it. A descriptor holds the cells of a 4 x 4 neighbourhood, scaled to unit length, values
    above 0.2 cut, and scaled again.

    Parameters
    ----------
    picture : ndarray of uint8, shape (size, size, 3)
        RGB; `size` is a multiple of `cell`.
    cell : int
        Side of a cell in pixels, even; descriptors lie as far apart and are four times as wide.
    faintest : float
        Descriptors of less length than this before they are scaled, values being means over
        a cell of gradients in grey levels a pixel, become zero.

    Returns
    -------
    ndarray of float32, shape (n, n, 128)
        With ``n = size / cell - 3``; rows and columns as in the picture; of unit length or
        zero; by row and column of the cell, then direction: right, right and down, down, ...

    Notes
    -----
    Without the Gaussian window over the descriptor, without rotation to the dominant
    direction, and at the same places on every picture, as usual for bags of words. No matrix
    product: threads of a BLAS that wait for one another would cost more than such small ones
    are worth (measured where every core is busy: a tenth of the speed).

    References
    ----------
    D. Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 60(2), 2004.
    """
    grey = _RED * picture[..., 0] + _GREEN * picture[..., 1] + _BLUE * picture[..., 2]
    smooth = _smoothed(_smoothed(grey, cell * _SMOOTHING).T, cell * _SMOOTHING).T
    down, right = np.gradient(smooth)
    magnitude = np.hypot(right, down)
    direction = np.arctan2(down, right) * np.float32(N_DIRECTIONS / (2 * np.pi))  # -4 .. 4
    shares = np.empty((N_DIRECTIONS, *grey.shape), np.float32)
    for number, share in enumerate(shares):
        away = np.abs(direction - np.float32(number))
        np.minimum(away, np.abs(N_DIRECTIONS - away), out=away)
        np.multiply(magnitude, np.maximum(1 - away, 0), out=share)
    cells = _pooled(_pooled(shares, cell).swapaxes(1, 2), cell).swapaxes(1, 2)
    windows = sliding_window_view(cells, (N_CELLS, N_CELLS), axis=(1, 2))  # (8, n, n, 4, 4)
    n = windows.shape[1]
    descriptors = np.ascontiguousarray(windows.transpose(1, 2, 3, 4, 0)).reshape(n, n, N_VALUES)
    lengths = np.linalg.norm(descriptors, axis=2, keepdims=True)
    descriptors /= np.where(lengths < faintest, np.float32(np.inf), lengths)
    np.minimum(descriptors, _LARGEST_SHARE, out=descriptors)
    lengths = np.linalg.norm(descriptors, axis=2, keepdims=True)
    descriptors /= np.where(lengths > 0, lengths, np.float32(1))
    return descriptors


def _smoothed(values: NDArray[np.float32], deviation: float) -> NDArray[np.float32]:
    """Smooth along the first axis by a Gaussian; edge values go on beyond the edge."""
    reach = ceil(3 * deviation)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    smoothed = np.zeros_like(values)
    for start, weight in enumerate(weights):
        smoothed += weight * padded[start : start + len(values)]
    return smoothed


def _pooled(shares: NDArray[np.float32], cell: int) -> NDArray[np.float32]:
    """Average (8, size, width) over cells along the second axis: (8, size / cell, width)."""
    half = cell // 2
    halves = sum((shares[:, start::half] for start in range(1, half)), shares[:, ::half])
    halves = np.pad(halves, ((0, 0), (1, 1), (0, 0)))  # a half cell of nothing at either end
    near, far = np.float32(0.75 / cell), np.float32(0.25 / cell)
    pooled: NDArray[np.float32] = near * (halves[:, 1:-2:2] + halves[:, 2:-1:2])
    pooled += far * (halves[:, :-3:2] + halves[:, 3::2])
    return pooled
