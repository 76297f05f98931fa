r"""The ``nuswide`` layout: lists of pictures, and files of flags with a line a picture.

======================================  ==================================================
``ImageList/Imagelist.txt``             the pictures, ``actor\0001_2124494179.jpg``, a line
                                        each; every other file goes by this order
``ImageList/TrainImagelist.txt``,       which of them belong to which split; each belongs
``ImageList/TestImagelist.txt``         to exactly one
``NUS_WID_Tags/AllTags1k.txt``          1,000 flags a line, for ``TagList1k.txt``
``NUS_WID_Tags/AllTags81.txt``          81 flags a line, for ``Concepts81.txt``
``NUS_WID_Tags/All_Tags.txt``           the Flickr number and all the tags of a picture
``ConceptsList/Concepts81.txt``         the 81 concepts
``Groundtruth/AllLabels/Labels_*.txt``  a flag a line, one file a concept
======================================  ==================================================

``nuswide`` takes as tags the 1,000 most frequent, ``nuswide-81`` those that are concepts,
``nuswide-all`` all of them. The labels are the concepts of the ground truth. The pictures lie in
``Flickr/`` or ``images/``; whether they are there is not looked at here.
"""

import re
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Final

from indexing.corpora.layouts import require
from indexing.corpora.lines import flag_lines, flag_rows, line_fault, read_lines, read_words
from indexing.errors import CorpusError
from indexing.records import Corpus, ImageRecord, printable_path
from indexing.tags import merge_tags

__all__ = ["read", "read_all", "read_concepts"]

_SPLITS: Final = {"train": "TrainImagelist.txt", "test": "TestImagelist.txt"}
_FLICKR_NUMBER: Final = re.compile(r"(\d+)\.[^./]+$")


def read(path: Path) -> Corpus:
    """Read NUS-WIDE with the 1,000 most frequent tags.

    Parameters
    ----------
    path : Path
        The folder with ``ImageList/``, ``NUS_WID_Tags/``, ``ConceptsList/`` and
        ``Groundtruth/``.

    Raises
    ------
    CorpusError
        If a file is missing, has not a line a picture, or, with ``path:line``, for the first line
        that is malformed.
    """
    require(path, "folder")
    tags_folder = path / "NUS_WID_Tags"
    words = read_words(_first_there(tags_folder / "TagList1k.txt", path / "ConceptsList"))
    return _read(path, "nuswide", _flagged(tags_folder / "AllTags1k.txt", words))


def read_concepts(path: Path) -> Corpus:
    """Read NUS-WIDE with those tags that are among the 81 concepts; see :func:`read`."""
    require(path, "folder")
    file = path / "NUS_WID_Tags" / "AllTags81.txt"
    return _read(path, "nuswide-81", _flagged(file, _concepts(path)))


def read_all(path: Path) -> Corpus:
    """Read NUS-WIDE with all the tags; see :func:`read`."""
    require(path, "folder")
    return _read(path, "nuswide-all", None)


def _read(path: Path, format: str, tags: Iterator[tuple[str, ...]] | None) -> Corpus:
    images = _images(path / "ImageList" / "Imagelist.txt")
    splits = _image_splits(path / "ImageList", images)
    labels = _labels(path, len(images))
    file = path / "NUS_WID_Tags" / "All_Tags.txt"
    tag_rows = list(_typed(file, list(images)) if tags is None else tags)
    if len(tag_rows) != len(images):
        raise CorpusError(
            f"{printable_path(path / 'NUS_WID_Tags')}: {len(tag_rows)} pictures in the tags of "
            f"{format}, {len(images)} in ImageList/Imagelist.txt; as many are accepted; unpack "
            "both again"
        )
    pictures = path / ("Flickr" if (path / "Flickr").is_dir() else "images")
    records = [
        ImageRecord(
            image_id=image,
            path=pictures / image,
            tags=image_tags,
            labels=tuple(image_labels),
            split=splits[image],
        )
        for image, image_tags, image_labels in zip(images, tag_rows, labels, strict=True)
    ]
    return Corpus(
        root=path, format=format, records=tuple(sorted(records, key=attrgetter("image_id")))
    )


def _images(path: Path) -> dict[str, int]:
    """Return the pictures of a list, ``/`` between, each with its line."""
    images: dict[str, int] = {}
    for line, text in read_lines(path):
        image = text.replace("\\", "/")
        first = images.setdefault(image, line)
        if first != line:
            raise line_fault(
                path,
                line,
                f"the image {image!r} is already on line {first}; an image is accepted once; "
                "remove one of the two lines",
            )
    return images


def _image_splits(folder: Path, images: dict[str, int]) -> dict[str, str]:
    splits: dict[str, str] = {}
    for split, name in _SPLITS.items():
        for image, line in _images(folder / name).items():
            if image not in images:
                found = "is not in Imagelist.txt"
            elif splits.setdefault(image, split) != split:
                found = "is in the training split too"
            else:
                continue
            raise line_fault(
                folder / name,
                line,
                f"the image {image!r} {found}; an image of Imagelist.txt is accepted, in one of "
                "the splits; correct the lists",
            )
    for image, line in images.items():
        # A picture of no split would vote, whatever split it belongs to.
        if image not in splits:
            raise line_fault(
                folder / "Imagelist.txt",
                line,
                f"the image {image!r} is in neither {' nor '.join(_SPLITS.values())}; one of the "
                "splits is accepted; add it to one of them",
            )
    return splits


def _labels(path: Path, n_images: int) -> list[list[str]]:
    """Return the labels of each picture, in the order of the concepts.

    ``Groundtruth/TrainTestLabels`` says the same by split and is not read: one of its files,
    ``Labels_lake_Train.txt``, is known to hold a number that is no flag.
    """
    labels: list[list[str]] = [[] for _ in range(n_images)]
    for concept in _concepts(path):
        file = path / "Groundtruth" / "AllLabels" / f"Labels_{concept.replace(' ', '_')}.txt"
        for image in flag_lines(file, n_images):
            labels[image].append(concept)
    return labels


def _concepts(path: Path) -> tuple[str, ...]:
    return read_words(_first_there(path / "ConceptsList" / "Concepts81.txt", path))


def _first_there(file: Path, *folders: Path) -> Path:
    """Return the file, or one of its name in another folder where that one is there."""
    places = (file, *(folder / file.name for folder in folders))
    return next((place for place in places if place.is_file()), file)


def _flagged(file: Path, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for columns in flag_rows(file, len(words)):
        yield tuple(words[column] for column in columns)


def _typed(file: Path, images: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield the tags of each line, once its number is seen to be that of the picture."""
    for at, (line, text) in enumerate(read_lines(file)):
        number, *tags = text.split()
        expected = _FLICKR_NUMBER.search(images[at]) if at < len(images) else None
        if at < len(images) and (expected is None or expected[1] != number):
            raise line_fault(
                file,
                line,
                f"the Flickr number {number} where Imagelist.txt has {images[at]!r}; the order of "
                "Imagelist.txt is accepted; unpack both again",
            )
        yield merge_tags(tags)
