"""A bag of visual words: the hand-crafted feature that networks are measured against.

Words are learned from pictures once (:func:`learn_words`), kept in a file
(:func:`save_words`), and opened as the extractor ``bag-of-words:PATH``. Nothing here imports
torch; FAISS is imported to learn words only.
"""

import hashlib
import zipfile
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError, InputError
from indexing.extractors.base import Device, Fingerprint, Key
from indexing.extractors.gradients import N_VALUES, gradient_histograms
from indexing.extractors.network import NetworkExtractor, NetworkSpec
from indexing.pixels import Framing
from indexing.records import printable_path

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "FRAMING",
    "RECIPE",
    "VisualWords",
    "learn_words",
    "open_visual_words",
    "save_words",
]

FORMAT = "tag-engine visual words"
FORMAT_VERSION = 1

FRAMING = Framing(size=192)
"""How pictures are cut and scaled, for learning words and for counting them."""

CELLS = (4, 8)  # pixels; a descriptor is four cells wide
FAINTEST = 0.005
N_QUARTERS = 4

_ROUNDS = 20
_SAMPLED_A_PICTURE = 60
_SAMPLED_A_WORD = 256  # FAISS takes no more by default

RECIPE = (
    f"dense SIFT, cells of {' and '.join(map(str, CELLS))} px, faintest {FAINTEST:g}; "
    "counts in all and in quarters"
)
"""What is described and counted, in words: words of another recipe are other words."""


class VisualWords(NetworkExtractor):
    """Counts how often each visual word occurs, in the picture and in each of its quarters.

    Parameters
    ----------
    name : str
        The name it was opened by.
    words : ndarray of float32, shape (n_words, 128)
        Centers of the descriptors that count as one word.

    Notes
    -----
    The two blocks of a vector are the levels of a spatial pyramid: ``n_words`` counts of the
    whole picture, then those of its quarters, row by row. Square roots of counts, of unit
    length a block, are what an index makes of them: compared by their cosine that is the
    Bhattacharyya coefficient of the two histograms. Pictures in which there is nothing to
    describe (one colour) have a vector of zeros.

    References
    ----------
    S. Lazebnik, C. Schmid, J. Ponce, "Beyond Bags of Features: Spatial Pyramid Matching for
    Recognizing Natural Scene Categories", CVPR 2006.
    """

    def __init__(self, name: str, words: NDArray[np.float32]) -> None:
        n_words = len(words)
        blocks = (n_words, N_QUARTERS * n_words)
        framing = FRAMING
        fingerprint = Fingerprint(
            model="bag of visual words",
            weights=hashlib.sha256(np.ascontiguousarray(words, "<f4").tobytes()).hexdigest(),
            preprocessing=(
                f"{framing.size} px, trim {framing.trim:g}, {framing.resample}; {RECIPE}; "
                f"blocks {'+'.join(map(str, blocks))}"
            ),
        )
        spec = NetworkSpec(fingerprint=fingerprint, framing=framing, blocks=blocks, n_classes=0)
        super().__init__(name, spec, f"numpy {np.__version__} cpu float32")
        self.words = words
        self._half_squares = np.vecdot(words, words) / 2

    def _outputs(
        self, pictures: Iterator[tuple[Key, NDArray[np.uint8]]]
    ) -> Generator[tuple[Key, NDArray[np.float32], NDArray[np.float32]], None, None]:
        for key, picture in pictures:
            yield key, self._counts(picture), np.empty(0, np.float32)

    def _counts(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        n_words = len(self.words)
        descriptors, quarter = _described(picture)
        # The nearest center, |d - w|^2 being |d|^2 - 2 (d.w - |w|^2 / 2). One product for the
        # whole picture: see the notes of `gradient_histograms`.
        nearness = descriptors @ self.words.T  # (n_descriptors, n_words)
        nearness -= self._half_squares
        place = n_words * quarter + nearness.argmax(axis=1)
        quarters = np.bincount(place, minlength=N_QUARTERS * n_words)
        whole = quarters.reshape(N_QUARTERS, n_words).sum(axis=0)
        return np.concatenate([whole, quarters]).astype(np.float32)


def open_visual_words(argument: str, device: Device | str) -> VisualWords:
    """Open ``bag-of-words:PATH``: words that :func:`save_words` wrote.

    Parameters
    ----------
    argument : str
        Path of the file.
    device : Device or str
        ``auto`` or ``cpu``.

    Raises
    ------
    ArtifactError
        If the file is missing, foreign, damaged or of another version.
    InputError
        If CUDA is asked for.
    """
    if device == Device.CUDA:
        raise InputError(
            f"bag-of-words:{argument} was asked for on cuda; visual words are counted on the CPU; "
            "use the device auto or cpu"
        )
    path = Path(argument).expanduser()
    place = printable_path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            kind, version, words = str(file["format"]), int(file["version"]), file["words"]
    except OSError as error:
        raise ArtifactError(
            f"{place} cannot be read ({error.strerror or error}); a file that save_words wrote is "
            "wanted; check the path"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            f"{place} holds no visual words ({error}); a file that save_words wrote is wanted; "
            "learn the words again"
        ) from error
    if kind != FORMAT or version != FORMAT_VERSION:
        raise ArtifactError(
            f"{place} holds {kind!r} of version {version}; {FORMAT!r} of version {FORMAT_VERSION} "
            "is accepted; learn the words again"
        )
    try:
        return VisualWords(f"bag-of-words:{argument}", _checked_words(words))
    except InputError as error:
        raise ArtifactError(f"{place}: {error}") from error


def learn_words(
    frames: Iterable[NDArray[np.uint8]], n_words: int = 1000, seed: int = 0
) -> NDArray[np.float32]:
    """Learn visual words: the centers of clusters of descriptors, by k-means.

    Parameters
    ----------
    frames : iterable of ndarray of uint8, shape (192, 192, 3)
        Pictures as :func:`indexing.pixels.decode` gives them for :data:`FRAMING`; pulled one
        by one. Some thousands are enough.
    n_words : int, default=1000
        At least 1.
    seed : int, default=0
        Of the descriptors that are drawn and of the first centers.

    Returns
    -------
    ndarray of float32, shape (n_words, 128)

    Raises
    ------
    InputError
        If there are fewer descriptors than words, or a picture has another shape or type.
    """
    if n_words < 1:
        raise InputError(f"{n_words} visual words were asked for; at least 1; raise the number")
    sample = _sampled(frames, _SAMPLED_A_WORD * n_words, np.random.default_rng(seed))
    if len(sample) < n_words:
        raise InputError(
            f"{len(sample)} descriptors for {n_words} visual words; as many as words are needed "
            "at least; give more pictures or ask for fewer words"
        )
    import faiss

    clusters = faiss.Kmeans(
        N_VALUES,
        n_words,
        niter=_ROUNDS,
        seed=seed,
        min_points_per_centroid=1,
        max_points_per_centroid=_SAMPLED_A_WORD,
    )
    clusters.train(sample)
    words: NDArray[np.float32] = clusters.centroids
    return words


def save_words(words: NDArray[np.float32], path: Path) -> None:
    """Write words to a file for ``bag-of-words:PATH``; it appears whole or not at all.

    Parameters
    ----------
    words : ndarray of float32, shape (n_words, 128)
        What :func:`learn_words` returned.
    path : Path
        An ``.npz`` file; its folder is made.

    Raises
    ------
    InputError
        If these are no words.
    """
    checked = _checked_words(words)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".new-{path.name}")
    with scratch.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            format=np.asarray(FORMAT),
            version=np.asarray(FORMAT_VERSION),
            words=checked,
        )
    scratch.replace(path)


def _checked_words(words: NDArray[np.float32]) -> NDArray[np.float32]:
    if (
        words.dtype != np.float32
        or words.ndim != 2
        or not len(words)
        or words.shape[1] != N_VALUES
        or not np.isfinite(words).all()
    ):
        raise InputError(
            f"visual words of {words.dtype} {words.shape}; finite float32 (n_words, {N_VALUES}) is "
            "accepted; learn the words again"
        )
    return words


def _described(picture: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return all descriptors of a picture that are not zero, and the quarter of each."""
    descriptors, quarters = [], []
    for cell in CELLS:
        found = gradient_histograms(picture, cell, FAINTEST)  # (n, n, 128)
        lower = 2 * np.arange(len(found)) >= len(found)
        quarter = 2 * lower[:, None] + lower  # (n, n)
        says = found.any(axis=2)
        descriptors.append(found[says])
        quarters.append(quarter[says])
    return np.concatenate(descriptors), np.concatenate(quarters)


def _sampled(
    frames: Iterable[NDArray[np.uint8]], most: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return a uniform sample of the descriptors that each picture gives, in bounded memory."""
    sample = np.empty((most, N_VALUES), np.float32)
    n_seen = 0
    for frame in frames:
        if frame.shape != (FRAMING.size, FRAMING.size, 3) or frame.dtype != np.uint8:
            raise InputError(
                f"a picture to learn words from is {frame.dtype} {frame.shape}; uint8 "
                f"{(FRAMING.size, FRAMING.size, 3)} is accepted; decode it with FRAMING"
            )
        found, _ = _described(frame)
        drawn = found[rng.permutation(len(found))[:_SAMPLED_A_PICTURE]]
        number = np.arange(n_seen, n_seen + len(drawn))
        # Reservoir sampling: once it is full, the i-th stays with probability most / i, in a
        # place that is drawn.
        place = np.where(number < most, number, rng.integers(0, number + 1))
        sample[place[place < most]] = drawn[place < most]
        n_seen += len(drawn)
    return sample[: min(n_seen, most)]
