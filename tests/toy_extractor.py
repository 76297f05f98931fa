"""An extractor that needs no network: colours of a coarse grid, in two blocks."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from indexing.extractors import Fingerprint
from indexing.pixels import Framing

Key = TypeVar("Key")


class ToyExtractor:
    """Mean colour of the 4 x 4 cells (48 dims), and of the whole (3 dims)."""

    framing = Framing(size=32)
    blocks = (48, 3)
    n_dims = 51
    n_classes = 0
    runtime = "toy"

    def __init__(self, name: str = "toy", weights: str = "0") -> None:
        self.name = name
        self.fingerprint = Fingerprint(model=name, weights=weights, preprocessing="32 px")
        self.n_seen = 0

    def extract(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.n_seen += len(pixels)
        cells = pixels.reshape(-1, 4, 8, 4, 8, 3).mean(axis=(2, 4), dtype=np.float32)
        whole = cells.mean(axis=(1, 2))
        return np.concatenate([cells.reshape(-1, 48), whole], axis=1)

    def stream(
        self, pictures: Iterable[tuple[Key, NDArray[np.uint8]]]
    ) -> Iterator[tuple[Key, NDArray[np.float32]]]:
        for key, pixels in pictures:
            yield key, self.extract(pixels[None])[0]


def open_toy(argument: str, device: str) -> ToyExtractor:
    """Open it as a row of the table of extractors: ``toy``, or ``toy:WEIGHTS``."""
    return ToyExtractor(f"toy:{argument}" if argument else "toy", weights=argument or "0")
