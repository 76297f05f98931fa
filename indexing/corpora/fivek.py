"""The ``fivek`` layout: MIT-Adobe FiveK, with its list of categories.

======================================  ==================================================
``filesAdobe.txt``,                     the names of the pictures, by licence; together
``filesAdobeMIT.txt``                   they are the records
``categories.txt``                      ``name,location,time,light,subject``; ``None`` =
                                        not determined
``tiff16_c/`` (``_a _b _d _e``)         what an expert made of them
``raw_photos/HQa1to700/photos/`` ...    the raw files, ``.dng``
======================================  ==================================================

The labels are the determined values of the four, in that order, ``_`` read as a space. They are
tags too: the data set has no splits and no other tags. Who took a picture is not said. The
pictures are those of the first expert there, C before A, B, D and E, in whatever format they
were converted to; where there is none, the raw files. Whether they are there is not looked at.
"""

import re
from operator import attrgetter
from pathlib import Path
from typing import Final

from indexing.corpora.layouts import FIVEK_FILES, require
from indexing.corpora.lines import line_fault, read_lines
from indexing.corpora.walk import PICTURE_EXTENSIONS
from indexing.errors import CorpusError
from indexing.records import Corpus, ImageRecord, printable_path
from indexing.tags import merge_tags

__all__ = ["read"]

_EXPERTS: Final = tuple(f"tiff16_{expert}" for expert in "cabde")
_FIELDS: Final = ("name", "location", "time", "light", "subject")
_UNDETERMINED: Final = "None"
_NAME: Final = re.compile(r"a(\d{4})-.+")
# The last number of each raw folder; the third is misnamed, it starts at 1401.
_RAW_FOLDERS: Final = {
    700: "HQa1to700",
    1400: "HQa701to1400",
    2100: "HQa1400to2100",
    2800: "HQa2101to2800",
    3500: "HQa2801to3500",
    4200: "HQa3501to4200",
    5000: "HQa4201to5000",
}


def read(path: Path) -> Corpus:
    """Read MIT-Adobe FiveK.

    Parameters
    ----------
    path : Path
        The folder with ``categories.txt``.

    Raises
    ------
    CorpusError
        If a list is missing, or, with ``path:line``, for the first line that is malformed or
        names a picture that the other lists do not.
    """
    require(path, "folder")
    *lists, categories = (path / name for name in FIVEK_FILES)
    named = _names(lists)
    labels = _categories(categories)
    for name, (file, line) in named.items():
        if name not in labels:
            raise line_fault(
                file,
                line,
                f"{name} is not in categories.txt; a picture with categories is accepted; unpack "
                "the lists again",
            )
    experts = next((path / name for name in _EXPERTS if (path / name).is_dir()), None)
    rendered = {} if experts is None else _rendered(experts)
    records = [
        ImageRecord(
            image_id=name,
            path=_raw(path, name)
            if experts is None
            else experts / rendered.get(name, f"{name}.tif"),
            tags=labels[name],
            labels=labels[name],
        )
        for name in named
    ]
    return Corpus(
        root=path, format="fivek", records=tuple(sorted(records, key=attrgetter("image_id")))
    )


def _names(files: list[Path]) -> dict[str, tuple[Path, int]]:
    """Return the pictures that the lists name, each with its file and line."""
    named: dict[str, tuple[Path, int]] = {}
    for file in files:
        for line, name in read_lines(file):
            if name in named:
                first, first_line = named[name]
                raise line_fault(
                    file,
                    line,
                    f"{name} is already in {first.name}:{first_line}; a picture is accepted once; "
                    "remove one of the two lines",
                )
            number = _NAME.fullmatch(name)
            if number is None or not 0 < int(number[1]) <= max(_RAW_FOLDERS):
                raise line_fault(
                    file,
                    line,
                    f"{name!r} is no name of a picture; names from a0001- to a5000- are accepted; "
                    "correct the line",
                )
            named[name] = file, line
    if not named:
        raise CorpusError(
            f"{printable_path(files[0])}: no picture; a name a line is accepted; unpack the lists "
            "again"
        )
    return named


def _categories(file: Path) -> dict[str, tuple[str, ...]]:
    labels: dict[str, tuple[str, ...]] = {}
    for line, text in read_lines(file):
        name, *values = text.split(",")
        if 1 + len(values) != len(_FIELDS):
            raise line_fault(
                file,
                line,
                f"{1 + len(values)} fields; {','.join(_FIELDS)} are accepted; correct the line",
            )
        if name in labels:
            raise line_fault(
                file,
                line,
                f"{name} is there twice; a picture is accepted once; remove one of the two lines",
            )
        determined = (value for value in values if value.strip() != _UNDETERMINED)
        labels[name] = merge_tags(value.replace("_", " ") for value in determined)
    return labels


def _rendered(folder: Path) -> dict[str, str]:
    """Return the file name of each picture of an expert, whatever its extension."""
    return {
        file.stem: file.name
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in PICTURE_EXTENSIONS
    }


def _raw(path: Path, name: str) -> Path:
    number = int(name[1:5])
    folder = next(folder for last, folder in _RAW_FOLDERS.items() if number <= last)
    return path / "raw_photos" / folder / "photos" / f"{name}.dng"
