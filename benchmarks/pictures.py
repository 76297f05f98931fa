"""Pixels of a data set for learners that look at pictures: decoded once, mapped, never held."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.ahead import run_ahead
from indexing.errors import CorpusError, PictureError
from indexing.pixels import Framing, decode, read_picture
from indexing.records import printable_path

__all__ = ["PictureFiles", "Pictures"]

_COPIED_AT_ONCE = 256

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureFiles:
    """The files of a data set, and where their squares are kept.

    Parameters
    ----------
    name : str
        Of the data set.
    paths : tuple of Path
        A file a picture, in the order of the data set.
    used : ndarray of bool, shape (n_images,)
        The others are never opened; their squares stay black, and take no room on disk.
    folder : Path
        Holds an npy file a framing; it can be deleted any time.
    """

    name: str
    paths: tuple[Path, ...]
    used: NDArray[np.bool_]
    folder: Path

    def squares(self, framing: Framing, on_progress: Progress) -> NDArray[np.uint8]:
        """Return all squares, mapped read-only; decode what is not there in this framing yet.

        Parameters
        ----------
        framing : Framing
        on_progress : callable
            Called with (stage, pictures done, pictures to do) while pictures are decoded.

        Returns
        -------
        ndarray of uint8, shape (n_images, size, size, 3)

        Raises
        ------
        CorpusError
            If a used picture cannot be read: the numbers would be of another set.
        """
        path = self.folder / f"{self.name}-{framing.size}-{self._digest(framing)}.npy"
        if not path.is_file():
            self._decode(path, framing, on_progress)
        squares: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
        return squares

    def _digest(self, framing: Framing) -> str:
        """Return what changes with the framing and with the files, as far as their dates tell."""
        facts: list[object] = [framing.size, framing.trim, str(framing.resample), len(self.paths)]
        for place in np.flatnonzero(self.used).tolist():
            with contextlib.suppress(OSError):  # decoding it will say what is wrong with it
                found = self.paths[place].stat()
                facts.append((place, str(self.paths[place]), found.st_size, found.st_mtime_ns))
        return hashlib.sha256(json.dumps(facts).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def _decode(self, path: Path, framing: Framing, on_progress: Progress) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        places = np.flatnonzero(self.used)
        shape = (len(self.paths), framing.size, framing.size, 3)
        handle, name = tempfile.mkstemp(prefix=".new-", suffix=".npy", dir=self.folder)
        os.close(handle)
        scratch = Path(name)
        try:
            squares = np.lib.format.open_memmap(scratch, mode="w+", dtype=np.uint8, shape=shape)
            work = run_ahead(places.tolist(), lambda place: _square(self.paths[place], framing))
            with contextlib.closing(work) as decoded:
                for done, (place, square) in enumerate(decoded, start=1):
                    squares[place] = square
                    on_progress("decoding pictures", done, len(places))
            squares.flush()
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pictures:
    """Some pictures of a data set, whose pixels are looked at when somebody asks for them.

    Parameters
    ----------
    files : PictureFiles
    positions : ndarray of int64, shape (n_images,)
        Which of the files they are.
    """

    files: PictureFiles
    positions: NDArray[np.int64]

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> "Pictures":
        """Return some of them, by positions or by a mask."""
        return Pictures(files=self.files, positions=self.positions[chosen])

    def squares(
        self, framing: Framing, on_progress: Progress = lambda stage, done, total: None
    ) -> NDArray[np.uint8]:
        """Return their squares: a copy in a nameless file, mapped, which goes with the array.

        Nothing of other pictures can be got at from it, and it need not fit into memory.

        Parameters
        ----------
        framing : Framing
        on_progress : callable, optional
            Called with (stage, pictures done, pictures to do) while pictures are decoded.

        Returns
        -------
        ndarray of uint8, shape (n_images, size, size, 3)

        Raises
        ------
        CorpusError
            As :meth:`PictureFiles.squares`.
        """
        every = self.files.squares(framing, on_progress)
        shape = (len(self.positions), *every.shape[1:])
        with tempfile.TemporaryFile(dir=self.files.folder) as file:
            own = np.memmap(file, dtype=np.uint8, mode="w+", shape=shape)
        for start in range(0, len(self.positions), _COPIED_AT_ONCE):
            part = slice(start, start + _COPIED_AT_ONCE)
            own[part] = every[self.positions[part]]
        return np.asarray(own)


def _square(path: Path, framing: Framing) -> NDArray[np.uint8]:
    try:
        return decode(read_picture(path), framing)
    except PictureError as error:
        raise CorpusError(
            f"{printable_path(path)}: {error}; a benchmark takes every labelled picture; mend the "
            "file, or take it out of the lists of the data set"
        ) from error
