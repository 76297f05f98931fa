"""Spaces of TagProp's own: vectors in, vectors out, near by the cosine."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learners.batch import check_width

__all__ = ["BlockScaling", "unit_blocks"]


@dataclass(frozen=True, eq=False)
class BlockScaling:
    r"""Brings every block of a vector to a length of its own.

    The cosine distance of two vectors whose blocks have lengths :math:`s_b`,
    :math:`\sum_b s_b^2 = 1`, is :math:`\sum_b s_b^2 d_b`, with :math:`d_b` the cosine distance
    of the blocks: a weighted sum of base distances, found by an ordinary index.

    Parameters
    ----------
    widths : tuple of int
        Values in each block, in order.
    scales : ndarray of float32, shape (n_blocks,)
        Length of each block.
    """

    widths: tuple[int, ...]
    scales: NDArray[np.float32]

    @classmethod
    def of(cls, widths: tuple[int, ...], sharpness: NDArray[np.float64]) -> "BlockScaling":
        """Return the space whose distance weighs base distances as `sharpness` does."""
        total = sharpness.sum()
        shares = sharpness / total if total > 0 else np.full(len(widths), 1 / len(widths))
        return cls(widths, np.sqrt(shares).astype(np.float32))

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale vectors, float32 (n, n_dims), to float32 (n, n_dims); a zero block stays zero.

        Raises
        ------
        InputError
            If they are of another width.
        """
        check_width(features, sum(self.widths), "blocks")
        scaled = np.empty_like(features)
        blocks = zip(unit_blocks(features, self.widths), self.scales, strict=True)
        for (place, block), scale in blocks:
            np.multiply(block, scale, out=scaled[:, place])
        return scaled


def unit_blocks(
    features: NDArray[np.float32], widths: tuple[int, ...]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield where each block stands, and the block at unit length; zero blocks stay zero."""
    start = 0
    for width in widths:
        place = slice(start, start + width)
        block = features[:, place]
        lengths = np.linalg.norm(block, axis=1, keepdims=True).astype(np.float32)
        lengths[lengths == 0] = 1
        yield place, np.asarray(block / lengths, dtype=np.float32)
        start += width
