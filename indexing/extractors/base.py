"""What every extractor promises, and how it is told from another."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from indexing.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from indexing.pixels import Framing

__all__ = ["Device", "FeatureExtractor", "Fingerprint", "Key"]

Key = TypeVar("Key")


class Device(StrEnum):
    """Where a network runs; ``AUTO`` takes a CUDA device where torch can see one."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What decides a feature vector; two vectors compare only if these are equal.

    The runtime, the device and the arithmetic are no part of it: they move a vector by less
    than :func:`indexing.extractors.probe.check_probe` tolerates.

    Parameters
    ----------
    model : str
        Name of the network.
    weights : str
        SHA-256 of its weights, in hex.
    preprocessing : str
        Framing, pixel scaling and the blocks of the vector, in words.

    Examples
    --------
    >>> a = Fingerprint(model="lite", weights="9656", preprocessing="260 px")
    >>> a.digest
    '0b8d06d48a344e94'
    >>> Fingerprint.from_json(a.to_json()) == a
    True
    """

    model: str
    weights: str
    preprocessing: str

    @property
    def digest(self) -> str:
        """Sixteen hex digits of the SHA-256 over the canonical JSON."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, str]:
        """Return the fields as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        ArtifactError
            If a field is missing, unknown or no text.
        """
        names = {field.name for field in fields(cls)}
        if (
            not isinstance(value, dict)
            or set(value) != names
            or not all(isinstance(text, str) for text in value.values())
        ):
            raise ArtifactError(
                f"an extractor fingerprint reads {value!r}; it holds the texts "
                f"{', '.join(sorted(names))}; build the workspace again"
            )
        return cls(**value)


class FeatureExtractor(Protocol):
    """Turns pictures into feature vectors.

    Pictures are uint8 (n_images, size, size, 3) RGB, as :func:`indexing.pixels.decode` gives
    them for `framing`. A vector depends on its own picture alone, never on the others that
    went through with it.
    """

    @property
    def name(self) -> str:
        """The name it was opened by."""

    @property
    def fingerprint(self) -> Fingerprint:
        """What decides its vectors."""

    @property
    def framing(self) -> Framing:
        """How a picture is cut and scaled for it."""

    @property
    def n_dims(self) -> int:
        """Width of a vector."""

    @property
    def blocks(self) -> tuple[int, ...]:
        """Widths of the parts of a vector, in order; they sum to `n_dims`."""

    @property
    def n_classes(self) -> int:
        """Classes that the network tells apart; 0 = it has no classifier."""

    @property
    def runtime(self) -> str:
        """What computes, where and in which arithmetic; recorded, never compared."""

    def extract(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return features, float32 (n_images, n_dims), finite and raw."""

    def classify(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return class probabilities, float32 (n_images, n_classes); rows sum to 1."""

    def infer(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return features and class probabilities from one pass."""

    def stream(
        self, pictures: Iterable[tuple[Key, NDArray[np.uint8]]]
    ) -> Iterator[tuple[Key, NDArray[np.float32]]]:
        """Yield (key, float32 (n_dims,)) for each (key, uint8 (size, size, 3)), in any order.

        Pulls lazily, with a bounded number in flight. An exception of `pictures` passes
        through; a consumer that stops early leaves nothing running. `pictures` itself is
        not closed.
        """
