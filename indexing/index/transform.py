"""From features as a network gave them to the vectors that an index holds."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError, IndexingError

__all__ = ["VectorTransform"]

KIND = "vector transform"
FORMAT_VERSION = 1
RECORD = "transform.json"
ARRAYS = "transform.npz"

# What reading a damaged JSON or npz file raises.
UNREADABLE = (OSError, EOFError, ValueError, LookupError, TypeError, BadZipFile)

# Values changed at a time: they stay in the cache of a core.
CHUNK_VALUES = 1 << 18


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class VectorTransform:
    r"""Signed square root and unit length a block of features, then, at will, a projection.

    A block is what one layer of the network gave. With :math:`B` blocks, a value :math:`x_i` of
    block :math:`b` becomes

    .. math:: z_i = \frac{\operatorname{sign}(x_i) \sqrt{|x_i|}}
              {\sqrt{B \sum_{j \in b} |x_j|}},

    so that every block weighs the same and a vector has unit length. A block of zeros stays
    zero. A projection makes :math:`(z - \mu) M` of it.

    Parameters
    ----------
    widths : tuple of int
        Values in each block, in order.
    normalize : bool
        False leaves the features as they are before the projection.
    mean : ndarray of float32, shape (n_in,), optional
        Taken off before the projection.
    matrix : ndarray of float32, shape (n_in, n_out), optional
        The projection; ``mean`` goes with it.

    Raises
    ------
    IndexingError
        Where widths are not positive, or the projection does not fit them.

    Examples
    --------
    >>> transform = VectorTransform(widths=(2, 1))
    >>> transform(np.array([[9.0, -16.0, 0.5]], dtype=np.float32)).round(4)
    array([[ 0.4243, -0.5657,  0.7071]], dtype=float32)
    """

    widths: tuple[int, ...]
    normalize: bool = True
    mean: NDArray[np.float32] | None = None
    matrix: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 1:
            raise IndexingError(
                f"the block widths are {self.widths}; one positive width a block is accepted; "
                "pass the widths that the extractor tells"
            )
        if self.mean is None and self.matrix is None:
            return
        if (
            self.mean is None
            or self.matrix is None
            or self.mean.shape != (self.n_in,)
            or self.matrix.shape[:-1] != (self.n_in,)
            or self.mean.dtype != np.float32
            or self.matrix.dtype != np.float32
        ):
            raise IndexingError(
                f"the projection does not fit {self.n_in} values; a mean of float32 ({self.n_in},) "
                f"and a matrix of float32 ({self.n_in}, n_out) are accepted; pass both"
            )

    @classmethod
    def of_blocks(cls, blocks: Sequence[int]) -> Self:
        """Return the transform of an extractor's features: its last layer, and its maps as one.

        Parameters
        ----------
        blocks : sequence of int
            Widths of the last layer's feature and of the pooled maps of the stages before it.

        Notes
        -----
        The maps together weigh as much as the last layer. Were every map to weigh as much,
        seven shallow ones would outvote it: on folds of the training split of Corel-5K that
        costs 4 points of C-F1@5 in nearest-neighbour voting (41.7 against 37.6), and the last
        layer alone costs 1.

        Examples
        --------
        >>> VectorTransform.of_blocks((1280, 16, 24)).widths
        (1280, 40)
        """
        first, *others = blocks
        return cls(widths=(first, sum(others)) if others else (first,))

    @classmethod
    def identity(cls, n_dims: int) -> Self:
        """Return the transform that leaves features as they are."""
        return cls(widths=(n_dims,), normalize=False)

    @property
    def n_in(self) -> int:
        """Values in a feature."""
        return sum(self.widths)

    @property
    def n_out(self) -> int:
        """Values in a vector."""
        return self.n_in if self.matrix is None else int(self.matrix.shape[1])

    def __call__(
        self, features: NDArray[np.float32], *, in_place: bool = False
    ) -> NDArray[np.float32]:
        """Transform features.

        Parameters
        ----------
        features : ndarray of float32, shape (n, n_in)
            As the extractor gave them.
        in_place : bool
            Whether their memory may be written over, and, where there is no projection, returned.

        Returns
        -------
        ndarray of float32, shape (n, n_out)

        Raises
        ------
        IndexingError
            Where the features are of another width or type.
        """
        if features.dtype != np.float32 or features.ndim != 2 or features.shape[1] != self.n_in:
            raise IndexingError(
                f"the features are {features.dtype} of shape {features.shape}; float32 of shape "
                f"(n, {self.n_in}) is accepted; use the extractor that this was made for"
            )
        if not self.normalize and self.matrix is None:
            return features
        whole = in_place and self.matrix is None
        vectors = features if whole else np.empty((len(features), self.n_out), dtype=np.float32)
        step = max(1, CHUNK_VALUES // self.n_in)
        for start in range(0, len(features), step):
            part = slice(start, start + step)
            chunk = self._normalized(features[part]) if self.normalize else features[part]
            if self.mean is None or self.matrix is None:
                vectors[part] = chunk
            else:
                np.matmul(chunk - self.mean, self.matrix, out=vectors[part])
        return vectors

    def _normalized(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        sizes = np.abs(features)
        blocks = []
        start = 0
        for width in self.widths:
            block = sizes[:, start : start + width]
            # The squared length after the square root is the sum of the sizes before it.
            total = block.sum(axis=1, keepdims=True, dtype=np.float64)
            total[total == 0.0] = 1.0
            blocks.append((block, np.sqrt(len(self.widths) * total).astype(np.float32)))
            start += width
        np.sqrt(sizes, out=sizes)
        for block, length in blocks:
            block /= length
        return np.copysign(sizes, features, out=sizes)

    def save(self, folder: Path) -> None:
        """Write the transform into a folder, beside other files of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        record = {
            "kind": KIND,
            "format_version": FORMAT_VERSION,
            "widths": self.widths,
            "normalize": self.normalize,
            "projection": self.matrix is not None,
        }
        (folder / RECORD).write_text(json.dumps(record) + "\n", encoding="utf-8")
        if self.mean is not None and self.matrix is not None:
            np.savez(folder / ARRAYS, mean=self.mean, matrix=self.matrix)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises
        ------
        ArtifactError
            Where it is missing, foreign, damaged or of a newer version.
        """
        try:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            if record["kind"] != KIND or record["format_version"] != FORMAT_VERSION:
                raise ValueError(f"{record['kind']} of format {record['format_version']}")
            mean, matrix = None, None
            if record["projection"]:
                with (
                    (folder / ARRAYS).open("rb") as file,
                    np.load(file, allow_pickle=False) as arrays,
                ):
                    mean, matrix = arrays["mean"], arrays["matrix"]
            return cls(
                widths=tuple(record["widths"]),
                normalize=record["normalize"],
                mean=mean,
                matrix=matrix,
            )
        except (*UNREADABLE, IndexingError) as error:
            raise ArtifactError(
                f"{folder} holds no vector transform that can be read ({error}); one of format "
                f"{FORMAT_VERSION} is accepted; build the index again"
            ) from error
