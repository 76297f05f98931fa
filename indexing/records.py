"""What a reader hands to the build: one record a picture, and the corpus they make."""

import os
from dataclasses import dataclass
from pathlib import Path

from indexing.errors import CorpusError, RefusalReason

__all__ = ["Corpus", "ImageRecord", "Refusal", "printable_path"]


def printable_path(path: str | os.PathLike[str]) -> str:
    r"""Return a path as valid Unicode; bytes that are not UTF-8 show as ``\xNN``.

    Examples
    --------
    >>> printable_path("caf\udce9.jpg")
    'caf\\xe9.jpg'
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """One picture and what people say of it.

    Parameters
    ----------
    image_id : str
        Name of the picture inside its corpus, unique there, valid Unicode.
    path : Path
        Where the file lies; it may hold bytes that are not UTF-8 (surrogate-escaped).
    owner : str or None
        Who made or uploaded the picture; None = unknown.
    tags : tuple of str or None
        What people typed (noisy), merged by :func:`indexing.tags.merge_tags`. None = nobody
        has tagged it: searchable, never votes. Empty = tagged with nothing: a negative.
    labels : tuple of str or None
        Ground truth where a data set has it.
    split : str or None
        ``"train"``, ``"val"`` or ``"test"``; pictures of a split that is not ``"train"``
        never vote. None = the corpus has no splits.
    """

    image_id: str
    path: Path
    owner: str | None = None
    tags: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that could not be used, kept so that people can be told.

    Parameters
    ----------
    path : str
        Printable path of the file.
    reason : RefusalReason
        The kind of fault.
    detail : str
        What was found, in one line.
    """

    path: str
    reason: RefusalReason
    detail: str


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Tagged pictures, as a reader found them.

    Parameters
    ----------
    root : Path
        What was read: a folder or a table file.
    format : str
        Name of the reader.
    records : tuple of ImageRecord
        Sorted by ``image_id``, which is unique.
    refusals : tuple of Refusal
        Files that the reader itself could not use: an unreadable sidecar, a folder named
        like a picture, a table row whose picture is missing.
    embedded_keywords : bool
        Whether the keywords inside the picture files count as tags of records whose ``tags``
        are None.
    """

    root: Path
    format: str
    records: tuple[ImageRecord, ...]
    refusals: tuple[Refusal, ...] = ()
    embedded_keywords: bool = False

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for record in self.records:
            if record.image_id in seen:
                raise CorpusError(
                    f"{printable_path(self.root)}: the image {record.image_id!r} occurs twice; "
                    "an image may occur once; remove one of them"
                )
            seen.add(record.image_id)

    def __len__(self) -> int:
        return len(self.records)
