"""Open word vectors by their source, read once and kept in the cache folder."""

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError
from indexing.extractors.cache import cache_folder, staged
from indexing.records import printable_path
from indexing.words.table import WordTable, load_word_table, make_word_table, save_word_table
from indexing.words.vector_files import (
    glove_package_files,
    read_glove_package,
    read_vector_file,
)

__all__ = ["DEFAULT_SOURCE", "open_word_table"]

DEFAULT_SOURCE = "GloVe 6B, 50 dims"
"""What people are told of the word vectors that come with the installation."""

_READING = 1  # raised where files are read otherwise, so that what is kept is made anew

logger = logging.getLogger(__name__)


def open_word_table(source: str | Path | None = None) -> WordTable:
    """Open word vectors.

    Parameters
    ----------
    source : str or Path, optional
        A file in GloVe, word2vec or fastText format, or a folder that
        :func:`indexing.words.table.save_word_table` wrote. None = GloVe 6B, 50 dims, which
        comes with the installation.

    Raises
    ------
    ArtifactError
        If it cannot be read.
    InputError
        If a file holds no word vectors.
    MissingDependencyError
        If a package that reads it is not installed.

    Notes
    -----
    A file is read once, some seconds to minutes, and kept in the cache folder in a form that
    opens in milliseconds. It is known again by path, size and time of change: a hash of
    several gigabytes would take longer than all the rest. Where nothing can be written, it is
    read each time.
    """
    if source is None:
        return _kept(DEFAULT_SOURCE, glove_package_files(), read_glove_package)
    path = Path(source).expanduser()
    if path.is_dir():
        return load_word_table(path)
    return _kept(printable_path(path), (path,), lambda: read_vector_file(path))


def _kept(
    name: str,
    files: tuple[Path, ...],
    read: Callable[[], tuple[list[str], NDArray[np.float32]]],
) -> WordTable:
    """Open what an earlier run kept, or read the files and keep them."""
    folder = cache_folder() / "words" / _identity(files)
    is_damaged = False
    if folder.is_dir():
        try:
            return load_word_table(folder)
        except ArtifactError as error:
            logger.warning("%s: reading %s again", error, name)
            is_damaged = True
    logger.info("reading %s, once", name)
    table = make_word_table(*read(), source=name)
    try:
        with staged(folder, replace=is_damaged) as fresh:
            save_word_table(table, fresh)
    except OSError as error:
        logger.warning("%s cannot be used (%s): %s is not kept", folder.parent, error, name)
        return table
    return load_word_table(folder)


def _identity(files: tuple[Path, ...]) -> str:
    """Return what tells a version of the files from another."""
    try:
        stats = [(str(file.resolve()), file.stat()) for file in files]
    except OSError as error:
        raise ArtifactError(
            f"{printable_path(files[0])} cannot be read ({error.strerror}); a file of word "
            "vectors is wanted; check the path"
        ) from error
    known = [[path, stat.st_size, stat.st_mtime_ns] for path, stat in stats]
    text = json.dumps([_READING, known])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
