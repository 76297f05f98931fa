"""Pictures that are asked about: read, decoded and extracted, in the order they were given."""

import contextlib
import hashlib
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from indexing.ahead import run_ahead
from indexing.errors import PictureError, RefusalReason
from indexing.extractors import FeatureExtractor
from indexing.pixels import Framing, decode, read_picture
from indexing.records import printable_path

__all__ = ["Query", "Seen", "Unreadable", "read_queries", "read_squares", "said_of"]

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
    squares : mapping of Framing to ndarray of uint8, each of shape (size, size, 3)
        The picture as it was asked to be seen.
    """

    image: str
    content: bytes
    feature: NDArray[np.float32]
    squares: Mapping[Framing, NDArray[np.uint8]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A picture that could not be read, and why."""

    image: str
    error: str


Asked: TypeAlias = Query | Unreadable


def read_queries(
    images: Sequence[str | Path],
    extractor: FeatureExtractor,
    framings: Collection[Framing] = (),
) -> Iterator[list[Asked]]:
    """Read, decode and extract pictures; the network runs while the next ones are decoded.

    Parameters
    ----------
    images : sequence of path
    extractor : FeatureExtractor
    framings : collection of Framing, default=()
        How else pictures are to be seen; each is read once.

    Yields
    ------
    list of Query or Unreadable
        Runs of about 256 pictures, in order; together they cover ``images``.
    """
    order = _InOrder()

    def frames() -> Generator[tuple[tuple[int, Seen], NDArray[np.uint8]], None, None]:
        framing = extractor.framing
        places = range(len(images))
        work = run_ahead(places, lambda place: read_squares(images[place], {framing, *framings}))
        with contextlib.closing(work) as readings:
            for place, read in readings:
                if isinstance(read, Unreadable):
                    order.put(place, read)
                else:
                    pixels = read.squares[framing]
                    if framing not in framings:
                        del read.squares[framing]
                    yield (place, read), pixels

    with contextlib.closing(frames()) as source:
        for (place, seen), feature in extractor.stream(source):
            image = printable_path(images[place])
            if np.isfinite(feature).all():
                order.put(place, Query(image, seen.content, feature, seen.squares))
            else:
                order.put(place, Unreadable(image, "unreadable: no finite feature comes of it"))
            if len(order) >= _ANSWERED_TOGETHER:
                yield order.take()
    yield order.take()


class Seen(NamedTuple):
    """A picture as it is seen.

    Parameters
    ----------
    content : bytes
        sha256 of the file.
    squares : dict of Framing to ndarray of uint8, each of shape (size, size, 3)
    """

    content: bytes
    squares: dict[Framing, NDArray[np.uint8]]


def read_squares(image: str | Path, framings: Collection[Framing]) -> Seen | Unreadable:
    """Read and decode one picture; return what was seen, or why nothing was."""
    try:
        data = read_picture(Path(image))
        squares = {framing: decode(data, framing) for framing in framings}
        return Seen(hashlib.sha256(data).digest(), squares)
    except PictureError as error:
        return Unreadable(printable_path(image), said_of(Path(image), error))


def said_of(image: Path, error: PictureError) -> str:
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
