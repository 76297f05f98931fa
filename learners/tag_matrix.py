"""The tagged pictures that vote: which picture carries which tag, and who owns it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexing.errors import ArtifactError, InputError

__all__ = ["TagMatrix", "locate"]


def locate(rows: ArrayLike, known_rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each row id stands in a sorted list of row ids.

    Parameters
    ----------
    rows : array of int64, any shape
        Row ids to look up; -1 is a pad.
    known_rows : ndarray of int64, shape (n_known,)
        Sorted, unique, not negative; gaps are allowed.

    Returns
    -------
    ndarray of int64, shape of `rows`
        Position in `known_rows`, -1 where the row is a pad or is not there.

    Examples
    --------
    >>> locate([[7, 3], [4, -1]], np.array([3, 7, 9]))
    array([[ 1,  0],
           [-1, -1]])
    """
    wanted = np.asarray(rows, dtype=np.int64)
    if known_rows.size == 0:
        return np.full(wanted.shape, -1, dtype=np.int64)
    position = np.minimum(np.searchsorted(known_rows, wanted), known_rows.size - 1)
    found: NDArray[np.int64] = np.where(known_rows[position] == wanted, position, -1)
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class TagMatrix:
    """Tags of pictures as a compressed sparse row matrix of present tags, numpy alone.

    Parameters
    ----------
    rows : ndarray of int64, shape (n_images,)
        Stable row ids of the pictures; sorted, unique, not negative; gaps are allowed.
    indptr : ndarray of int64, shape (n_images + 1,)
        Picture ``i`` carries ``indices[indptr[i]:indptr[i + 1]]``.
    indices : ndarray of int64, shape (n_present,)
        Tag positions in ``[0, n_tags)``, sorted and unique within a picture.
    n_tags : int
        Size of the vocabulary, which is sorted by tag key.
    owners : ndarray of int64, shape (n_images,)
        Who owns each picture; -1 = unknown.

    Raises
    ------
    InputError
        If the arrays do not fit together, or a tag lies outside the vocabulary.

    Notes
    -----
    scipy would bring the same layout, at the price of its import in every ``engine tag``.

    Examples
    --------
    >>> tags = TagMatrix.from_lists([4, 9], [[0, 2], [2]], n_tags=3)
    >>> tags.counts
    array([1, 0, 2])
    >>> tags.positions([9, 5, -1])
    array([ 1, -1, -1])
    """

    rows: NDArray[np.int64]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    n_tags: int
    owners: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in ("rows", "indptr", "indices", "owners"):
            object.__setattr__(self, name, _int64_vector(name, getattr(self, name)))
        object.__setattr__(self, "n_tags", int(self.n_tags))
        n_images = self.rows.size
        if n_images and (self.rows[0] < 0 or np.any(np.diff(self.rows) <= 0)):
            raise InputError(
                "the rows of a tag matrix are negative, unsorted or repeated; "
                "row ids ascend from 0; sort them and remove repetitions"
            )
        if self.owners.shape != (n_images,):
            raise InputError(
                f"{self.owners.size} owners for {n_images} pictures; each picture has one owner; "
                "give -1 where it is unknown"
            )
        lengths = np.diff(self.indptr)
        if (
            self.indptr.shape != (n_images + 1,)
            or self.indptr[0] != 0
            or self.indptr[-1] != self.indices.size
            or np.any(lengths < 0)
        ):
            raise InputError(
                f"indptr does not cut {self.indices.size} tags into {n_images} pictures; it holds "
                "n_images + 1 ascending offsets from 0; build the matrix with from_lists"
            )
        if self.indices.size and not 0 <= self.indices.min() <= self.indices.max() < self.n_tags:
            raise InputError(
                f"tag positions lie in {self.indices.min()} .. {self.indices.max()}; the "
                f"vocabulary has {self.n_tags} tags, from 0; drop tags that are not in it"
            )
        owner_of_entry = np.repeat(np.arange(n_images), lengths)
        same_picture = np.diff(owner_of_entry) == 0
        if np.any(np.diff(self.indices)[same_picture] <= 0):
            raise InputError(
                "a picture's tags are unsorted or repeated; they ascend within a picture; "
                "build the matrix with from_lists"
            )

    @classmethod
    def from_lists(
        cls,
        rows: ArrayLike,
        tag_index_lists: Iterable[Sequence[int] | NDArray[np.integer]],
        n_tags: int,
        owners: ArrayLike | None = None,
    ) -> "TagMatrix":
        """Build the matrix from one list of tag positions a picture.

        Parameters
        ----------
        rows : array of int64, shape (n_images,)
            Row ids, unique, in any order.
        tag_index_lists : iterable of n_images sequences of int
            Tag positions of each picture, in any order; repetitions count once.
        n_tags : int
            Size of the vocabulary.
        owners : array of int64, shape (n_images,), optional
            Who owns each picture; -1 = unknown. None = all unknown.

        Raises
        ------
        InputError
            If a row occurs twice, a tag lies outside the vocabulary or the lengths differ.
        """
        given_rows = _int64_vector("rows", rows)
        lists = [np.unique(np.asarray(tags, dtype=np.int64)) for tags in tag_index_lists]
        if len(lists) != given_rows.size:
            raise InputError(
                f"{len(lists)} tag lists for {given_rows.size} rows; each picture has one list; "
                "give an empty list for a picture tagged with nothing"
            )
        given_owners = (
            np.full(given_rows.size, -1, dtype=np.int64)
            if owners is None
            else _int64_vector("owners", owners)
        )
        if given_owners.size != given_rows.size:
            raise InputError(
                f"{given_owners.size} owners for {given_rows.size} pictures; each picture has one "
                "owner; give -1 where it is unknown"
            )
        order = np.argsort(given_rows, kind="stable")
        lengths = np.array([lists[i].size for i in order], dtype=np.int64)
        empty = np.empty(0, dtype=np.int64)
        return cls(
            rows=given_rows[order],
            indptr=np.concatenate([[0], np.cumsum(lengths)]),
            indices=np.concatenate([empty, *(lists[i] for i in order)]),
            n_tags=n_tags,
            owners=given_owners[order],
        )

    @classmethod
    def from_cells(
        cls,
        cells: NDArray[np.int64],
        rows: NDArray[np.int64],
        n_tags: int,
        owners: NDArray[np.int64],
    ) -> "TagMatrix":
        """Build the matrix from its present cells; see :attr:`cells`.

        Parameters
        ----------
        cells : ndarray of int64, shape (n_present,)
            Ascending, each once.
        rows, n_tags, owners
            As the class takes them.

        Examples
        --------
        >>> tags = TagMatrix.from_lists([4, 9], [[0, 2], [2]], n_tags=3)
        >>> again = TagMatrix.from_cells(tags.cells, tags.rows, 3, tags.owners)
        >>> bool(np.array_equal(again.toarray(), tags.toarray()))
        True
        """
        starts = np.searchsorted(cells, np.arange(len(rows) + 1) * n_tags)
        indices = cells % max(n_tags, 1)
        return cls(rows=rows, indptr=starts, indices=indices, n_tags=n_tags, owners=owners)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "TagMatrix":
        """Rebuild the matrix from :meth:`to_arrays`.

        Raises
        ------
        ArtifactError
            If an array is missing or the arrays do not fit together.
        """
        names = ("rows", "indptr", "indices", "n_tags", "owners")
        missing = [name for name in names if name not in arrays]
        if missing:
            raise ArtifactError(
                f"a saved tag matrix lacks {', '.join(missing)}; it holds {', '.join(names)}; "
                "train the learner again"
            )
        try:
            rows, indptr, indices, n_tags, owners = (np.asarray(arrays[name]) for name in names)
            return cls(rows=rows, indptr=indptr, indices=indices, n_tags=int(n_tags), owners=owners)
        except (InputError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"a saved tag matrix is damaged ({error}); train the learner again"
            ) from error

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays that :meth:`from_arrays` takes, ready for ``numpy.savez``."""
        return {
            "rows": self.rows,
            "indptr": self.indptr,
            "indices": self.indices,
            "n_tags": np.asarray(self.n_tags, dtype=np.int64),
            "owners": self.owners,
        }

    @property
    def n_images(self) -> int:
        """Number of pictures."""
        return self.rows.size

    @property
    def cells(self) -> NDArray[np.int64]:
        """Present cells as ``position * n_tags + tag``, int64, shape (n_present,), ascending."""
        positions = np.repeat(np.arange(self.n_images), np.diff(self.indptr))
        present: NDArray[np.int64] = positions * self.n_tags + self.indices
        return present

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Number of pictures that carry each tag, int64, shape (n_tags,)."""
        return np.bincount(self.indices, minlength=self.n_tags).astype(np.int64, copy=False)

    @cached_property
    def prior(self) -> NDArray[np.float64]:
        """Share of the pictures that carry each tag, float64, shape (n_tags,), in [0, 1]."""
        shares: NDArray[np.float64] = self.counts / max(self.n_images, 1)
        return shares

    def positions(self, rows: ArrayLike) -> NDArray[np.int64]:
        """Return where each row id stands here; -1 for pads and for rows that do not vote.

        Parameters
        ----------
        rows : array of int64, any shape
            Row ids; -1 pads.
        """
        return locate(rows, self.rows)

    def tags_of(self, position: int) -> NDArray[np.int64]:
        """Return the tag positions of the picture at `position`, int64, ascending."""
        if not 0 <= position < self.n_images:
            raise InputError(
                f"position {position} in a matrix of {self.n_images} pictures; positions count "
                "from 0; -1 is a pad, test for it first"
            )
        return self.indices[self.indptr[position] : self.indptr[position + 1]]

    def take(self, positions: ArrayLike) -> "TagMatrix":
        """Return the pictures at ascending `positions` as a matrix of their own."""
        chosen = _int64_vector("positions", positions)
        if chosen.size and not 0 <= chosen.min() <= chosen.max() < self.n_images:
            raise InputError(
                f"positions lie in {chosen.min()} .. {chosen.max()}; the matrix has "
                f"{self.n_images} pictures, from 0; drop the pads"
            )
        lengths = np.diff(self.indptr)[chosen]
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        entries = np.arange(indptr[-1]) + np.repeat(self.indptr[chosen] - indptr[:-1], lengths)
        return TagMatrix(
            rows=self.rows[chosen],
            indptr=indptr,
            indices=self.indices[entries],
            n_tags=self.n_tags,
            owners=self.owners[chosen],
        )

    def of_tags(self, columns: ArrayLike) -> "TagMatrix":
        """Return the same pictures with the tags at ascending `columns` alone."""
        chosen = _int64_vector("columns", columns)
        if len(chosen) == self.n_tags:
            return self
        place = locate(self.indices, chosen)
        kept = place >= 0
        before = np.concatenate([[0], np.cumsum(kept)])
        return TagMatrix(
            rows=self.rows,
            indptr=before[self.indptr],
            indices=place[kept],
            n_tags=len(chosen),
            owners=self.owners,
        )

    def toarray(self) -> NDArray[np.bool_]:
        """Return the matrix as bool, shape (n_images, n_tags); for small ones."""
        dense = np.zeros((self.n_images, self.n_tags), dtype=bool)
        dense[np.repeat(np.arange(self.n_images), np.diff(self.indptr)), self.indices] = True
        return dense


def _int64_vector(name: str, values: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(
            f"{name} is {array.dtype} of shape {array.shape}; it is a vector of integers; "
            "convert it first"
        )
    return array.astype(np.int64, copy=False)
