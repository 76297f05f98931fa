"""The ``espgame`` and ``iaprtc12`` layouts: ``train.json``, ``test.json``, perhaps ``images/``.

The files are those of :mod:`indexing.corpora.corel5k`; a vocabulary beside them,
``espgame_vocabulary.txt`` or ``iaprtc12_vocabulary.txt``, says which data set it is. The labels
are ground truth in both splits, and tags in the training split only.

The pictures are distributed apart from the labels, and the labels are of use without them: where
a picture is not there, its path is where it would lie, ``images/NAME``. IAPR TC-12 comes in
subfolders, ``images/00/25.jpg``; a picture is found at any depth. Pictures that the files do not
name, as most of the ESP Game's 100,000, are left out.
"""

from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

from indexing.corpora.annotations import read_annotations
from indexing.corpora.layouts import COREL5K_FILES, require
from indexing.corpora.walk import walk
from indexing.records import Corpus, ImageRecord
from indexing.tags import merge_tags

__all__ = ["labelled_records", "read_espgame", "read_iaprtc12"]


def read_espgame(path: Path) -> Corpus:
    """Read the ESP Game subset of 20,770 pictures and 268 labels.

    Parameters
    ----------
    path : Path
        The folder with ``train.json`` and ``test.json``.

    Raises
    ------
    CorpusError
        If one of them is missing or malformed, or a picture occurs twice.
    """
    return _read(path, "espgame")


def read_iaprtc12(path: Path) -> Corpus:
    """Read IAPR TC-12, 19,627 pictures and 291 labels; see :func:`read_espgame`."""
    return _read(path, "iaprtc12")


def _read(path: Path, format: str) -> Corpus:
    require(path, "folder")
    images = path / "images"
    places = _places(images)
    records = labelled_records(path, lambda name: images / places.get(name, name))
    return Corpus(
        root=path, format=format, records=tuple(sorted(records, key=attrgetter("image_id")))
    )


def labelled_records(path: Path, place_of: Callable[[str], Path]) -> list[ImageRecord]:
    """Read the pictures that ``train.json`` and ``test.json`` name.

    Parameters
    ----------
    path : Path
        The folder with the two files.
    place_of : callable
        Where the picture of a name lies.

    Raises
    ------
    CorpusError
        If one of the files is missing or malformed.
    """
    records: list[ImageRecord] = []
    for split, name in COREL5K_FILES.items():
        for sample in read_annotations(path / name).entries("samples"):
            image_id = sample.text("image_name")
            labels = merge_tags(sample.texts("image_labels"))
            records.append(
                ImageRecord(
                    image_id=image_id,
                    path=place_of(image_id),
                    tags=labels if split == "train" else None,
                    labels=labels,
                    split=split,
                )
            )
    return records


def _places(images: Path) -> dict[str, str]:
    """Return where each file name lies below a folder; of several the first, parents first."""
    places: dict[str, str] = {}
    if images.is_dir():
        for folder in walk(images):
            for name in folder.pictures:
                places.setdefault(name, folder.prefix + name)
    return places
