"""Readers: a path to a :class:`~indexing.records.Corpus`, one module a layout.

A reader is a function ``read(path) -> Corpus``. :data:`READERS` names them all; a name is
imported when it is asked for, so that a folder of pictures pays for no Parquet library. The page
``README.md`` beside this file says where each data set comes from, which files are expected, and
what all readers hold to: what counts as tags, labels, owner and split.
"""

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from indexing.corpora.layouts import detect_format
from indexing.errors import CorpusError
from indexing.records import Corpus

__all__ = ["READERS", "detect_format", "read_corpus"]

READERS: Final[dict[str, str]] = {
    "folder": "indexing.corpora.folder:read",
    "table": "indexing.corpora.table:read",
    "corel5k": "indexing.corpora.corel5k:read",
    "coco": "indexing.corpora.coco:read",
    "coco-captions": "indexing.corpora.coco_captions:read",
    "espgame": "indexing.corpora.image_labels:read_espgame",
    "iaprtc12": "indexing.corpora.image_labels:read_iaprtc12",
    "mirflickr": "indexing.corpora.mirflickr:read",
    "mirflickr-r1": "indexing.corpora.mirflickr:read_relevant",
    "nuswide": "indexing.corpora.nuswide:read",
    "nuswide-81": "indexing.corpora.nuswide:read_concepts",
    "nuswide-all": "indexing.corpora.nuswide:read_all",
    "fivek": "indexing.corpora.fivek:read",
    "imagenet": "indexing.corpora.imagenet:read",
}


def read_corpus(path: str | os.PathLike[str], format: str | None = None) -> Corpus:
    """Read the pictures at a path and what people say of them.

    Parameters
    ----------
    path : path-like
        A folder or a table file.
    format : str or None
        One of :data:`READERS`; None = :func:`detect_format` decides.

    Returns
    -------
    Corpus
        Records sorted by ``image_id``.

    Raises
    ------
    CorpusError
        If the format is unknown, or the path is not there or not of the format.
    """
    name = detect_format(path) if format is None else format
    if name not in READERS:
        raise CorpusError(
            f"no corpus format is called {name!r}; accepted: {', '.join(READERS)}; "
            "choose one of them, or name none to have it detected"
        )
    module, attribute = READERS[name].split(":")
    read: Callable[[Path], Corpus] = getattr(importlib.import_module(module), attribute)
    return read(Path(path))
