"""Pixels of indexed pictures, decoded anew from their files: a workspace keeps none."""

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.ahead import run_ahead
from indexing.catalogue import Entry
from indexing.errors import CorpusError, PictureError
from indexing.pixels import Framing, decode, read_picture
from indexing.records import printable_path

__all__ = ["StoredPixels"]


class StoredPixels:
    """Squares of the pictures of a catalogue.

    Parameters
    ----------
    entries : mapping of int to Entry
        Indexed pictures by row id.
    folder : Path
        Of the disk that squares are held on while somebody needs them: they need not fit into
        memory.
    """

    def __init__(self, entries: Mapping[int, Entry], folder: Path) -> None:
        self._entries = entries
        self._folder = folder

    def __call__(
        self,
        rows: NDArray[np.int64],
        framing: Framing,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> NDArray[np.uint8]:
        """Return squares in a nameless file, mapped, which goes with the array.

        Parameters
        ----------
        rows : ndarray of int64, shape (n_images,)
        framing : Framing
        on_progress : callable, optional
            Called with the pictures done and their number.

        Returns
        -------
        ndarray of uint8, shape (n_images, size, size, 3)

        Raises
        ------
        CorpusError
            If a picture has gone, has changed, or cannot be read any more.
        """
        shape = (len(rows), framing.size, framing.size, 3)
        if not len(rows):
            return np.zeros(shape, np.uint8)
        with tempfile.TemporaryFile(dir=self._folder) as file:
            squares = np.memmap(file, dtype=np.uint8, mode="w+", shape=shape)
        entries = [self._entries[row] for row in rows.tolist()]
        work = run_ahead(range(len(rows)), lambda place: _square(entries[place], framing))
        with contextlib.closing(work) as decoded:
            for done, (place, square) in enumerate(decoded, start=1):
                squares[place] = square
                on_progress(done, len(rows))
        return np.asarray(squares)


def _square(entry: Entry, framing: Framing) -> NDArray[np.uint8]:
    path = entry.record.path
    try:
        data = read_picture(path)
        if hashlib.sha256(data).digest() != entry.content:
            raise CorpusError(_advised(path, "it is not the picture any more that was indexed"))
        return decode(data, framing)
    except PictureError as error:
        raise CorpusError(_advised(path, str(error))) from error


def _advised(path: Path, fault: str) -> str:
    return (
        f"{printable_path(path)}: {fault}; a learner that looks at pictures needs the files of all "
        "that are tagged; put it back, or run 'engine build' so that the workspace goes on without"
    )
