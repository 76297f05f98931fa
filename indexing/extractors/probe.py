"""A picture that every machine can draw, to compare what they make of it."""

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError
from indexing.extractors.base import FeatureExtractor
from indexing.pixels import Framing

__all__ = ["MIN_COSINE", "check_probe", "probe_picture"]

MIN_COSINE = 0.999


def probe_picture(framing: Framing) -> NDArray[np.uint8]:
    """Draw a picture of coloured rings and waves.

    Integer arithmetic only, so that every machine and every version of numpy draws the same.

    Parameters
    ----------
    framing : Framing
        Its `size` is that of the picture.

    Returns
    -------
    ndarray of uint8, shape (size, size, 3)

    Notes
    -----
    Fine strong patterns, because flat and pale places hide a difference in rounding noise: the
    EfficientNet-Lite vectors of this picture in bfloat16 and in float32 agree to 0.9999, those
    of a smooth gradient to 0.98; with the channels in reversed order they agree to 0.94, with
    the padding of the wrong framework to 0.98 (measured).
    """
    side = framing.size
    y, x = np.indices((side, side), dtype=np.int64) * 1024 // side  # 0 .. 1023 at any size
    rings = (x - 512) ** 2 + (y - 512) ** 2
    red = 140 + _wave(rings // 300, 80, 80) + _wave(x, 400, 30)
    green = 110 + _wave(x * y // 500, 64, 70) + _wave(y, 300, 30)
    blue = 70 + _wave(3 * y - x, 76, 60)
    return np.stack([red, green, blue], axis=2).clip(0, 255).astype(np.uint8)


def _wave(along: NDArray[np.int64], period: int, height: int) -> NDArray[np.int64]:
    """Return a triangular wave between ``-height`` and `height`."""
    phase = along % period
    return np.minimum(phase, period - phase) * 4 * height // period - height


def check_probe(
    extractor: FeatureExtractor, vector: NDArray[np.float32], min_cosine: float = MIN_COSINE
) -> None:
    """Refuse an extractor whose arithmetic is not that of the stored vectors.

    Parameters
    ----------
    extractor : FeatureExtractor
        What is about to answer.
    vector : ndarray of float32, shape (n_dims,)
        The feature of :func:`probe_picture` when the pictures were indexed.
    min_cosine : float, default=0.999
        Smallest cosine in [-1, 1] between that and the feature now.

    Raises
    ------
    ArtifactError
        If the two differ.
    """
    picture = probe_picture(extractor.framing)
    now = extractor.extract(picture[None])[0].astype(np.float64)
    then = np.asarray(vector, np.float64)
    if then.shape != now.shape:
        raise ArtifactError(
            f"the stored probe vector has shape {then.shape}; {extractor.name} gives "
            f"{now.shape}; build the workspace again"
        )
    with np.errstate(invalid="ignore"):
        cosine = float(now @ then / (np.linalg.norm(now) * np.linalg.norm(then)))
    # "not >=" refuses NaN, too: a vector of zeros, or one that is not finite.
    if not cosine >= min_cosine:
        raise ArtifactError(
            f"{extractor.name} on {extractor.runtime} sees the probe picture at cosine "
            f"{cosine:.4f} to the stored vector; at least {min_cosine:g} is accepted; "
            "use the device the workspace was built with, or build it again"
        )
