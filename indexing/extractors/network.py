"""What is known of a network beside its weights, and the calls that every runtime shares."""

import abc
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError, InputError
from indexing.extractors.base import Fingerprint, Key
from indexing.pixels import Framing, Resample

__all__ = ["NetworkExtractor", "NetworkSpec", "describe_preprocessing", "framing_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpec:
    """A network as its users see it.

    Parameters
    ----------
    fingerprint : Fingerprint
        What decides its vectors.
    framing : Framing
        How a picture is cut and scaled for it.
    blocks : tuple of int
        Widths of the parts of a vector: the last feature first, then the pooled last map of
        each stage.
    n_classes : int
        Classes of its classifier; 0 = it has none.
    """

    fingerprint: Fingerprint
    framing: Framing
    blocks: tuple[int, ...]
    n_classes: int

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "fingerprint": self.fingerprint.to_json(),
            "framing": {
                "size": self.framing.size,
                "trim": self.framing.trim,
                "resample": str(self.framing.resample),
            },
            "blocks": list(self.blocks),
            "n_classes": self.n_classes,
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        ArtifactError
            If a field is missing or of another kind.
        """
        try:
            if not isinstance(value, dict) or set(value) != {field.name for field in fields(cls)}:
                raise TypeError("other fields than expected")
            framing = value["framing"]
            return cls(
                fingerprint=Fingerprint.from_json(value["fingerprint"]),
                framing=Framing(
                    size=int(framing["size"]),
                    trim=float(framing["trim"]),
                    resample=Resample(framing["resample"]),
                ),
                blocks=tuple(int(width) for width in value["blocks"]),
                n_classes=int(value["n_classes"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"a network is described by {value!r} ({error}); what this version writes is "
                "accepted; export the network again"
            ) from error


def framing_for(size: int, interpolation: str) -> Framing:
    """Return this project's framing, at the size and with the filter of a network's own.

    A filter that :class:`indexing.pixels.Resample` does not have becomes the default one.
    """
    if interpolation in set(Resample):
        return Framing(size=size, resample=Resample(interpolation))
    return Framing(size=size)


def describe_preprocessing(
    framing: Framing,
    mean: tuple[float, ...],
    scale: tuple[float, ...],
    blocks: tuple[int, ...],
) -> str:
    """Put into words what happens between a picture and its vector.

    Parameters
    ----------
    framing : Framing
        How a picture is cut and scaled.
    mean, scale : tuple of float
        The network sees ``(pixel - mean) / scale``, a channel, pixels in 0 .. 255.
    blocks : tuple of int
        Widths of the parts of the vector.
    """

    def channels(values: tuple[float, ...]) -> str:
        return ", ".join(f"{value:.6g}" for value in values)

    return (
        f"{framing.size} px, trim {framing.trim:g}, {framing.resample}; "
        f"pixels less ({channels(mean)}) over ({channels(scale)}); "
        f"blocks {'+'.join(map(str, blocks))}"
    )


class NetworkExtractor(abc.ABC):
    """A network on some runtime; see :class:`indexing.extractors.base.FeatureExtractor`.

    Parameters
    ----------
    name : str
        The name it was opened by.
    spec : NetworkSpec
        What is known of the network.
    runtime : str
        What computes, where and in which arithmetic.
    """

    def __init__(self, name: str, spec: NetworkSpec, runtime: str) -> None:
        self.name = name
        self.spec = spec
        self.runtime = runtime

    @property
    def fingerprint(self) -> Fingerprint:
        """What decides its vectors."""
        return self.spec.fingerprint

    @property
    def framing(self) -> Framing:
        """How a picture is cut and scaled for it."""
        return self.spec.framing

    @property
    def blocks(self) -> tuple[int, ...]:
        """Widths of the parts of a vector, in order."""
        return self.spec.blocks

    @property
    def n_dims(self) -> int:
        """Width of a vector."""
        return sum(self.spec.blocks)

    @property
    def n_classes(self) -> int:
        """Classes that the network tells apart; 0 = it has no classifier."""
        return self.spec.n_classes

    def extract(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return features, float32 (n_images, n_dims), of uint8 (n_images, size, size, 3)."""
        return self.infer(pixels)[0]

    def classify(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return class probabilities, float32 (n_images, n_classes)."""
        return self.infer(pixels)[1]

    def infer(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return features and class probabilities from one pass.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (n_images, size, size, 3)
            RGB, framed by `framing`.

        Returns
        -------
        features : ndarray of float32, shape (n_images, n_dims)
        probabilities : ndarray of float32, shape (n_images, n_classes)

        Raises
        ------
        InputError
            If the pictures have another shape or type.
        """
        features = np.empty((len(pixels), self.n_dims), np.float32)
        probabilities = np.empty((len(pixels), self.n_classes), np.float32)
        for row, feature, probability in self._outputs(self._checked(enumerate(pixels))):
            features[row] = feature
            probabilities[row] = probability
        return features, probabilities

    def stream(
        self, pictures: Iterable[tuple[Key, NDArray[np.uint8]]]
    ) -> Iterator[tuple[Key, NDArray[np.float32]]]:
        """Yield (key, float32 (n_dims,)) for each (key, uint8 (size, size, 3)), in order.

        Pulls lazily, with a bounded number in flight. An exception of `pictures` passes
        through; a consumer that stops early leaves nothing running. `pictures` itself is
        not closed.

        Raises
        ------
        InputError
            If a picture has another shape or type.
        """
        with closing(self._outputs(self._checked(pictures))) as outputs:
            for key, feature, _ in outputs:
                yield key, feature

    @abc.abstractmethod
    def _outputs(
        self, pictures: Iterator[tuple[Key, NDArray[np.uint8]]]
    ) -> Generator[tuple[Key, NDArray[np.float32], NDArray[np.float32]], None, None]:
        """Yield (key, features, probabilities) in order; both arrays belong to the caller."""

    def _checked(
        self, pictures: Iterable[tuple[Key, NDArray[np.uint8]]]
    ) -> Iterator[tuple[Key, NDArray[np.uint8]]]:
        shape = (self.framing.size, self.framing.size, 3)
        for key, picture in pictures:
            if picture.shape != shape or picture.dtype != np.uint8:
                raise InputError(
                    f"a picture for {self.name} is {picture.dtype} {picture.shape}; it takes "
                    f"uint8 {shape}; decode it with the framing of the extractor"
                )
            yield key, picture
