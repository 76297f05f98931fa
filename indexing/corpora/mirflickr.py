"""The ``mirflickr`` layout: ``im1.jpg`` ..., ``meta/tags/tags1.txt`` ... and the annotations.

The records are those of ``meta/tags``, whose files hold what the uploader typed, cleaned by the
authors, a tag a line; an empty one means tagged with nothing. The annotations are files of
picture numbers, one file a label: ``baby.txt`` lists the pictures in which a baby can be seen,
``baby_r1.txt`` those of which it is the subject. ``mirflickr`` reads the former (24 labels),
``mirflickr-r1`` the latter (14 labels, named without the suffix). They lie in ``annotations/``
or, as unpacked, in ``mirflickr25k_annotations_v080/``, inside the folder or beside it.

Who uploaded a picture is read from ``doc/owner_ids.txt`` where that file has the form of one
Flickr id a picture, in the order of their numbers. The data set has no splits.
"""

import re
from operator import attrgetter
from pathlib import Path
from typing import Final

from indexing.corpora.layouts import require
from indexing.corpora.lines import line_fault, read_lines
from indexing.errors import CorpusError
from indexing.records import Corpus, ImageRecord, printable_path
from indexing.tags import merge_tags

__all__ = ["read", "read_relevant"]

_ANNOTATIONS: Final = (
    "annotations",
    "mirflickr25k_annotations_v080",
    "../mirflickr25k_annotations_v080",
)
_RELEVANT: Final = "_r1"
_FLICKR_ID: Final = re.compile(r"\d+@N\d\d")


def read(path: Path) -> Corpus:
    """Read MIRFlickr-25K with the 24 labels of what can be seen.

    Parameters
    ----------
    path : Path
        The folder with ``im1.jpg``.

    Raises
    ------
    CorpusError
        If the tags of a picture or the annotations are missing, or, with ``path:line``, for an
        annotation that is no number of a picture.
    """
    return _read(path, "mirflickr", relevant=False)


def read_relevant(path: Path) -> Corpus:
    """Read MIRFlickr-25K with the 14 labels of what a picture is about; see :func:`read`."""
    return _read(path, "mirflickr-r1", relevant=True)


def _read(path: Path, format: str, *, relevant: bool) -> Corpus:
    require(path, "folder")
    folder = path / "meta" / "tags"
    require(folder, "folder")
    numbers = sorted(_numbers(folder, r"tags(\d+)\.txt"))
    if not numbers:
        raise CorpusError(
            f"{printable_path(folder)}: no tags1.txt; a file a picture is accepted; unpack the "
            "tags there"
        )
    if untagged := _numbers(path, r"im(\d+)\.jpg").difference(numbers):
        number = min(untagged)
        raise CorpusError(
            f"{printable_path(folder / f'tags{number}.txt')}: missing, and im{number}.jpg is "
            "there; a file a picture is accepted; unpack all of the tags"
        )
    labels = _labels(_annotations(path), set(numbers), relevant=relevant)
    owners = _owners(path / "doc" / "owner_ids.txt", numbers)
    records = [
        ImageRecord(
            image_id=f"im{number}.jpg",
            path=path / f"im{number}.jpg",
            owner=owners.get(number),
            tags=merge_tags(text for _, text in read_lines(folder / f"tags{number}.txt")),
            labels=tuple(labels[number]),
        )
        for number in numbers
    ]
    return Corpus(
        root=path, format=format, records=tuple(sorted(records, key=attrgetter("image_id")))
    )


def _numbers(folder: Path, pattern: str) -> set[int]:
    matches = (re.fullmatch(pattern, file.name) for file in folder.iterdir())
    return {int(match[1]) for match in matches if match}


def _annotations(path: Path) -> Path:
    for name in _ANNOTATIONS:
        if (path / name).is_dir():
            return path / name
    raise CorpusError(
        f"{printable_path(path)}: no annotations; the folder annotations or "
        "mirflickr25k_annotations_v080 is accepted, in it or beside it; unpack it there"
    )


def _labels(folder: Path, numbers: set[int], *, relevant: bool) -> dict[int, list[str]]:
    """Return the labels of each picture, in the order of their names."""
    labels: dict[int, list[str]] = {number: [] for number in numbers}
    files = [
        file
        for file in sorted(folder.glob("*.txt"))
        if file.stem.endswith(_RELEVANT) is relevant and file.stem.lower() != "readme"
    ]
    if not files:
        kind = f"*{_RELEVANT}.txt" if relevant else "*.txt"
        raise CorpusError(
            f"{printable_path(folder)}: no {kind}; a file of picture numbers a label is accepted; "
            "unpack the annotations there"
        )
    for file in files:
        label = file.stem.removesuffix(_RELEVANT).replace("_", " ")
        for line, text in read_lines(file):
            number = int(text) if text.isdecimal() and len(text) < 10 else None
            if number not in labels:
                raise line_fault(
                    file,
                    line,
                    f"{text!r} is the number of no picture; one that has tags is accepted; "
                    "correct the line",
                )
            if label not in labels[number]:
                labels[number].append(label)
    return labels


def _owners(path: Path, numbers: list[int]) -> dict[int, str]:
    """Return the owner of each picture; none of them where the file may mean anything else.

    A wrong owner would silence honest voters, an unknown one only counts as a voter more.
    """
    if not path.is_file():
        return {}
    owners = [text for _, text in read_lines(path)]
    if len(owners) != len(numbers) or not all(map(_FLICKR_ID.fullmatch, owners)):
        return {}
    return dict(zip(numbers, owners, strict=True))
