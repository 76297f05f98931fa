"""Visual words of a data set: learned from its training pictures once, and kept."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets import Dataset
from benchmarks.exercises import NO_COPY
from engine.generations import GenerationFolders
from indexing.ahead import run_ahead
from indexing.errors import PictureError
from indexing.extractors.visual_words import (
    FORMAT_VERSION,
    FRAMING,
    RECIPE,
    learn_words,
    save_words,
)
from indexing.pixels import decode, read_picture

__all__ = ["N_WORDS", "learned_words"]

N_WORDS = 1_000
"""Visual words that are learned unless somebody asks for another number."""

_SEED = 0


def learned_words(
    dataset: Dataset,
    folder: Path,
    *,
    n_words: int = N_WORDS,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Return a file of visual words for ``bag-of-words:PATH``; learn them where there is none.

    Parameters
    ----------
    dataset : Dataset
        Its training pictures are looked at, and no others: pictures that have a copy outside
        the training split are left out too.
    folder : Path
        Where the files lie, such as :func:`benchmarks.features.feature_cache`; each is named
        by the contents of the pictures and by how words are learned.
    n_words : int, default=N_WORDS
    on_progress : callable
        Called with (pictures described, pictures to describe).

    Raises
    ------
    InputError
        If the pictures show too little for so many words.
    LockedError
        If another process is writing the folder.

    Notes
    -----
    Words are learned without tags. On folds of the training split those of all its pictures
    serve every fold, those asked about included: no tag is given away by it, and the words
    are the ones that the test split is described with. A picture that cannot be read is
    skipped here, and refused by name when its words are to be counted.
    """
    records = [dataset.corpus.records[place] for place in _places(dataset)]
    paths = [record.path for record in records]
    with GenerationFolders(folder).lock():
        path = folder / "words" / f"{_digest(paths, n_words)}.npz"
        if not path.is_file():
            save_words(learn_words(_frames(paths, on_progress), n_words, _SEED), path)
    return path


def _places(dataset: Dataset) -> NDArray[np.int64]:
    groups = dataset.groups
    outside = np.delete(groups, dataset.training)
    outside = outside[outside > NO_COPY]
    return dataset.training[~np.isin(groups[dataset.training], outside)]


def _digest(paths: list[Path], n_words: int) -> str:
    """Return sixteen hex digits that change with what is learned from, and how."""
    how = f"{RECIPE}; {FRAMING}; format {FORMAT_VERSION}; {n_words} words, seed {_SEED}"
    digest = hashlib.sha256(how.encode())
    for _, content in run_ahead(paths, _content):
        digest.update(content)
    return digest.hexdigest()[:16]


def _content(path: Path) -> bytes:
    try:
        return hashlib.sha256(read_picture(path)).digest()
    except PictureError:
        return b""


def _frames(
    paths: list[Path], on_progress: Callable[[int, int], None]
) -> Iterator[NDArray[np.uint8]]:
    for done, (_, frame) in enumerate(run_ahead(paths, _frame), start=1):
        if frame is not None:
            yield frame
        on_progress(done, len(paths))


def _frame(path: Path) -> NDArray[np.uint8] | None:
    try:
        return decode(read_picture(path), FRAMING)
    except PictureError:
        return None
