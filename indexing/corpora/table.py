"""The ``table`` layout: a file with a row a picture.

==========  ============================================================================
``image``   path of the picture, relative to the table's folder, or absolute; as written,
            it is the name of the picture
``tags``    what people typed; an empty cell, text or list = tagged with nothing; null, or
            no such column or key = nobody has tagged it
``owner``   optional: who made the picture
``labels``  optional: ground truth, written like ``tags``
``split``   optional: ``train``, ``val`` (or ``validation``) or ``test``
==========  ============================================================================

Several tags in one cell of text are separated by ``|`` where the cell has one, else by ``;``
where it has one, else by ``,``. In JSON Lines and Parquet they may be a list, whose items
are taken whole. Other columns are ignored. Whether a picture is there is not looked at here.
"""

from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from indexing.corpora.fields import kind_of, tags_field, text_field, valid_text
from indexing.corpora.layouts import require
from indexing.corpora.rows import read_rows
from indexing.errors import CorpusError, InputError
from indexing.records import Corpus, ImageRecord, printable_path

__all__ = ["COLUMNS", "read", "split_cell"]

COLUMNS: Final = ("image", "tags", "owner", "labels", "split")
_SPLITS: Final = {"train": "train", "val": "val", "validation": "val", "test": "test"}


def read(path: Path) -> Corpus:
    """Read a CSV, TSV, JSON Lines or Parquet file.

    Parameters
    ----------
    path : Path
        The table; its extension says which of the four it is.

    Raises
    ------
    CorpusError
        If the file is missing or no table, or, with ``path:line``, for the first bad line. The
        line of a row that spans several is its first; the rows of a Parquet file count from 1.
    """
    require(path, "table")
    records: list[ImageRecord] = []
    lines: dict[str, int] = {}
    for line, row in read_rows(path, COLUMNS):
        try:
            record = _record(path.parent, row)
            first = lines.setdefault(record.image_id, line)
            if first != line:
                raise InputError(
                    f"the image {record.image_id!r} is already on line {first}; an image is "
                    "accepted once; remove one of the two lines"
                )
        except InputError as error:
            raise CorpusError(f"{printable_path(path)}:{line}: {error}") from None
        records.append(record)
    return Corpus(
        root=path, format="table", records=tuple(sorted(records, key=attrgetter("image_id")))
    )


def split_cell(text: str) -> list[str]:
    """Part the text of a cell into tags.

    Examples
    --------
    >>> split_cell("New York, NY|sea"), split_cell("sea, sky")
    (['New York, NY', 'sea'], ['sea', ' sky'])
    """
    separator = next((sign for sign in "|;" if sign in text), ",")
    return text.split(separator)


def _record(folder: Path, row: dict[str, Any]) -> ImageRecord:
    image = row.get("image")
    if image is None or image == "":
        raise InputError("no image; a row names its picture; fill in the field image")
    if not isinstance(image, str):
        raise InputError(f"image is {kind_of(image)}; a path is accepted; write it as a text")
    split = text_field("split", row.get("split"))
    if split is not None and split not in _SPLITS:
        raise InputError(
            f"the split {split!r} is unknown; accepted: {', '.join(_SPLITS)}; use one of them"
        )
    return ImageRecord(
        image_id=_image_id(image),
        path=folder / image,
        owner=text_field("owner", row.get("owner")),
        tags=tags_field("tags", row.get("tags"), split_cell),
        labels=tags_field("labels", row.get("labels"), split_cell),
        split=None if split is None else _SPLITS[split],
    )


def _image_id(image: str) -> str:
    try:
        return valid_text("image", printable_path(image))
    except UnicodeEncodeError:  # a surrogate that stands for no byte of a file name
        return valid_text("image", image)
