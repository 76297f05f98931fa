"""Features that people bring themselves: a matrix, and the name of the picture of each row."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from indexing.corpora.fields import read_text
from indexing.errors import CorpusError, InputError
from indexing.records import printable_path

__all__ = ["ReadyFeatures", "read_ready_features"]

_DTYPES: Final = ("float32", "float64", "float16")
_BLOCK_VALUES: Final = 1 << 22  # what is looked at, or converted, at once


@dataclass(frozen=True, eq=False)
class ReadyFeatures:
    """Vectors with the names of their pictures.

    Parameters
    ----------
    ids : tuple of str
        ``image_id`` of each row, no two the same.
    features : ndarray of float32, shape (n_images, n_dims)
        Finite; where the file holds float32 it is mapped into memory, not read, and read-only.

    Examples
    --------
    >>> ready = ReadyFeatures(("a.jpg", "b.jpg"), np.eye(2, dtype=np.float32))
    >>> ready.features[ready.rows_for(["b.jpg"])]
    array([[0., 1.]], dtype=float32)
    """

    ids: tuple[str, ...]
    features: npt.NDArray[np.float32]
    _places: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        places = {image_id: place for place, image_id in enumerate(self.ids)}
        object.__setattr__(self, "_places", places)

    def rows_for(self, image_ids: Iterable[str]) -> npt.NDArray[np.int64]:
        """Return where the vectors of some pictures are.

        Parameters
        ----------
        image_ids : iterable of str
            Names of pictures, in any order, repeated or not.

        Returns
        -------
        ndarray of int64, shape (n_asked,)
            Positions in ``features``, in the order asked.

        Raises
        ------
        InputError
            If there is no vector for one of them.
        """
        asked = tuple(image_ids)
        missing = [image_id for image_id in asked if image_id not in self._places]
        if missing:
            raise InputError(
                f"no features for {len(missing)} of {len(asked)} pictures, {missing[0]!r} the "
                "first of them; a row a picture is accepted; add the rows, or leave the pictures "
                "out"
            )
        return np.fromiter((self._places[image_id] for image_id in asked), np.int64, len(asked))


def read_ready_features(features_path: Path, ids_path: Path) -> ReadyFeatures:
    """Read a matrix of features and the names of its rows.

    Parameters
    ----------
    features_path : Path
        A ``.npy`` file, shape (n_images, n_dims), of float32, float64 or float16.
    ids_path : Path
        UTF-8 text, the ``image_id`` of each row on a line of its own, as the reader of the corpus
        names the picture.

    Raises
    ------
    CorpusError
        If one of them is missing or malformed, they differ in length, a name is blank or occurs
        twice (with ``path:line``), or a number is not finite as float32.
    """
    stored = _open_matrix(features_path)
    ids = _read_ids(ids_path)
    if len(ids) != len(stored):
        raise CorpusError(
            f"{printable_path(features_path)}: {len(stored)} rows, and {len(ids)} names in "
            f"{printable_path(ids_path)}; a name a row is accepted; write the two files together"
        )
    n_rows = max(1, _BLOCK_VALUES // stored.shape[1])
    is_ready = stored.dtype == np.float32
    features = stored if is_ready else np.empty(stored.shape, np.float32)
    for start in range(0, len(stored), n_rows):
        rows = slice(start, start + n_rows)
        if not is_ready:
            with np.errstate(over="ignore"):  # what overflows is reported below
                features[rows] = stored[rows]
        finite = np.isfinite(features[rows]).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise CorpusError(
                f"{printable_path(features_path)}: row {row} ({ids[row]!r}, "
                f"{printable_path(ids_path)}:{row + 1}) holds NaN, an infinity or what float32 "
                "cannot hold; finite numbers are accepted; compute it again, or leave it out"
            )
    return ReadyFeatures(ids, features)


def _open_matrix(path: Path) -> npt.NDArray[Any]:
    where = printable_path(path)
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise CorpusError(
            f"{where}: cannot be read ({error.strerror}); a readable file is accepted; check that "
            "it is there and that you may read it"
        ) from None
    except (ValueError, EOFError):
        raise CorpusError(
            f"{where}: no .npy file of numbers, or one cut short; {', '.join(_DTYPES)} are "
            "accepted; write it with numpy.save"
        ) from None
    if not isinstance(matrix, np.ndarray):
        matrix.close()
        raise CorpusError(
            f"{where}: an archive of arrays; a .npy file of one matrix is accepted; write it with "
            "numpy.save"
        )
    if matrix.dtype.name not in _DTYPES or matrix.ndim != 2 or 0 in matrix.shape:
        raise CorpusError(
            f"{where}: {matrix.dtype.name} of shape {matrix.shape}; {', '.join(_DTYPES)} of shape "
            "(n_images, n_dims) are accepted; write one row a picture"
        )
    return matrix


def _read_ids(path: Path) -> tuple[str, ...]:
    names = read_text(path).removesuffix("\n").split("\n")
    first: dict[str, int] = {}
    for line, text in enumerate(names, start=1):
        name = text.removesuffix("\r")
        if not name.strip():
            raise CorpusError(
                f"{printable_path(path)}:{line}: blank; the name of a picture is accepted; name "
                "each row"
            )
        if first.setdefault(name, line) != line:
            raise CorpusError(
                f"{printable_path(path)}:{line}: the image {name!r} is already on line "
                f"{first[name]}; an image is accepted once; remove one of the two rows"
            )
    return tuple(first)
