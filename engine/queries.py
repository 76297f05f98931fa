"""Pictures that are asked about: read, decoded and extracted, in the order they were given."""

import contextlib
import hashlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from indexing.ahead import run_ahead
from indexing.errors import PictureError, RefusalReason
from indexing.extractors import FeatureExtractor
from indexing.pixels import Framing, decode, read_picture
from indexing.records import printable_path

__all__ = ["Query", "Unreadable", "read_queries", "read_square"]

# Pictures that are answered together; more would only delay the first answer.
_ANSWERED_TOGETHER = 256


@dataclass(frozen=True, slots=True)
class Query:
    """A picture that could be read.

    Parameters
    ----------
    image : str
        Its path as it was given, printable.
    content : bytes
        sha256 of the file.
    feature : ndarray of float32, shape (n_dims,)
    """

    image: str
    content: bytes
    feature: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A picture that could not be read, and why."""

    image: str
    error: str


Asked: TypeAlias = Query | Unreadable


def read_queries(
    images: Sequence[str | Path], extractor: FeatureExtractor
) -> Iterator[list[Asked]]:
    """Read, decode and extract pictures; the network runs while the next ones are decoded.

    Parameters
    ----------
    images : sequence of path
    extractor : FeatureExtractor

    Yields
    ------
    list of Query or Unreadable
        Runs of about 256 pictures, in order; together they cover ``images``.
    """
    order = _InOrder()

    def frames() -> Generator[tuple[tuple[int, bytes], NDArray[np.uint8]], None, None]:
        framing = extractor.framing
        places = range(len(images))
        work = run_ahead(places, lambda place: read_square(images[place], framing))
        with contextlib.closing(work) as readings:
            for place, read in readings:
                if isinstance(read, Unreadable):
                    order.put(place, read)
                else:
                    content, pixels = read
                    yield (place, content), pixels

    with contextlib.closing(frames()) as source:
        for (place, content), feature in extractor.stream(source):
            image = printable_path(images[place])
            if np.isfinite(feature).all():
                order.put(place, Query(image, content, feature))
            else:
                order.put(place, Unreadable(image, "unreadable: no finite feature comes of it"))
            if len(order) >= _ANSWERED_TOGETHER:
                yield order.take()
    yield order.take()


def read_square(
    image: str | Path, framing: Framing
) -> tuple[bytes, NDArray[np.uint8]] | Unreadable:
    """Read and decode one picture.

    Returns
    -------
    tuple of (bytes, ndarray of uint8, shape (size, size, 3)) or Unreadable
        The sha256 of the file and its pixels as a network sees them, or why there are none.
    """
    try:
        data = read_picture(Path(image))
        return hashlib.sha256(data).digest(), decode(data, framing)
    except PictureError as error:
        return Unreadable(printable_path(image), _said(Path(image), error))


def _said(image: Path, error: PictureError) -> str:
    """Return a fault in the words for a path that somebody has typed."""
    if image.is_dir():
        return f"a folder; pictures are accepted: {printable_path(image)}/*"
    if error.reason is RefusalReason.VANISHED and not image.is_symlink():
        return "no such file"
    return str(error)


class _InOrder:
    """Puts things that arrive in any order back into theirs."""

    def __init__(self) -> None:
        self._arrived: dict[int, Asked] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._arrived)

    def put(self, place: int, thing: Asked) -> None:
        self._arrived[place] = thing

    def take(self) -> list[Asked]:
        """Return whatever continues what was taken before, without a gap."""
        taken = []
        while self._next in self._arrived:
            taken.append(self._arrived.pop(self._next))
            self._next += 1
        return taken
