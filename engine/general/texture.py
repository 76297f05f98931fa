"""Pictures that look the same everywhere: a wall, grass, gravel, cloth."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["TEXTURE", "looks_the_same_everywhere", "unevenness"]

TEXTURE = "texture"
"""What people call such a picture."""

_CELLS = 6  # along a side
_GRAY = np.array([0.299, 0.587, 0.114], np.float32)
_MOST_UNEVEN = 0.2


def looks_the_same_everywhere(pixels: NDArray[np.uint8]) -> bool:
    """Return whether a picture is one texture.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (side, side, 3)

    Notes
    -----
    Of the 4,500 training photographs of Corel-5K, none is taken for one; the brick wall, the grass
    and the gravel that scikit-image carries are.
    """
    return max(unevenness(pixels)) < _MOST_UNEVEN


def unevenness(pixels: NDArray[np.uint8]) -> tuple[float, float]:
    """Return how much cells of a picture differ in brightness and in contrast.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (side, side, 3)
        With a side of 12 pixels at least.

    Returns
    -------
    brightness, contrast : float
        Standard deviation of the cells' means over that of all pixels, in [0, 1], and of the
        cells' standard deviations over their mean; the picture is looked at at half its size.
        Both are infinite for a picture of one colour.
    """
    side = pixels.shape[0] // (2 * _CELLS)  # of a cell, in halved pixels
    kept = 2 * side * _CELLS
    gray = pixels[:kept, :kept].astype(np.float32) @ _GRAY
    half = gray.reshape(kept // 2, 2, kept // 2, 2).mean(axis=(1, 3))
    cells = half.reshape(_CELLS, side, _CELLS, side)
    contrasts = cells.std(axis=(1, 3))
    if contrasts.mean() < 1:  # of 255: nothing but noise
        return float("inf"), float("inf")
    brightness = cells.mean(axis=(1, 3)).std() / half.std()
    return float(brightness), float(contrasts.std() / contrasts.mean())
