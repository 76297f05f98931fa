"""Pictures that are asked about together, as those of one album."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError, PictureError
from indexing.pixels import Capture, capture_of, read_picture
from learners.together import Together, album_distances

__all__ = ["MOST_TOGETHER", "Album"]

MOST_TOGETHER = 2_000
"""Pictures of an album, at most: all pairs are looked at."""


@dataclass(frozen=True, eq=False)
class Album:
    """Pictures that share evidence; see :class:`learners.together.Together`.

    Parameters
    ----------
    distances : ndarray of float32, shape (n_pictures, n_pictures)
        Between them.
    rule : Together
    """

    distances: NDArray[np.float32]
    rule: Together = field(default_factory=Together)

    @classmethod
    def of(cls, images: Sequence[str | Path], vectors: NDArray[np.float32]) -> "Album":
        """Look at pictures together, and at when and with what they were taken.

        Parameters
        ----------
        images : sequence of path
            Pictures that could be read.
        vectors : ndarray of float32, shape (n_pictures, n_dims)
            Of each, in the index's space.

        Raises
        ------
        InputError
            They are more than :data:`MOST_TOGETHER`.
        """
        if len(images) > MOST_TOGETHER:
            raise InputError(
                f"{len(images):,} pictures together; up to {MOST_TOGETHER:,} of one event are "
                "accepted; ask about each album on its own"
            )
        captures = [_capture(Path(image)) for image in images]
        numbers = {
            camera: number
            for number, camera in enumerate(
                sorted({capture.camera for capture in captures if capture is not None})
            )
        }
        cameras = [-1 if one is None else numbers[one.camera] for one in captures]
        seconds = [0.0 if one is None else one.seconds for one in captures]
        return cls(
            album_distances(vectors, np.array(cameras, np.int64), np.array(seconds, np.float64))
        )

    def scores(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return scores, float32 (n_pictures, n_tags), seen together."""
        return self.rule.scores(scores, self.distances)

    def probabilities(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return probabilities, float32 (n_pictures, n_tags), seen together."""
        return self.rule.probabilities(probabilities, self.distances)


def _capture(image: Path) -> Capture | None:
    try:
        return capture_of(read_picture(image))
    except PictureError:  # it was there a moment ago
        return None
