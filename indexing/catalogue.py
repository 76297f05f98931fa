"""The catalogue: which pictures a generation holds, as one Parquet file.

A row of the file is a picture: its stable row id, its name and path, the hash of its content
and what people say of it. Refused files lie beside it in a Parquet file of their own.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from indexing.errors import ArtifactError, RefusalReason
from indexing.records import ImageRecord, Refusal

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Catalogue", "Entry", "assign_rows", "load_catalogue", "load_refusals", "save_catalogue"]

_IMAGES_FILE = "catalogue.parquet"
_REFUSED_FILE = "refused.parquet"


@dataclass(frozen=True, slots=True)
class Entry:
    """One indexed picture.

    Parameters
    ----------
    row : int
        Stable id, handed out once and never reused.
    content : bytes
        sha256 of the file.
    record : ImageRecord
        What the reader, and the keywords inside the file, say of it.
    """

    row: int
    content: bytes
    record: ImageRecord


@dataclass(frozen=True)
class Catalogue:
    """The pictures of one generation, by image id, and the files it refused."""

    entries: tuple[Entry, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    def by_row(self) -> dict[int, Entry]:
        """Return the entries by row id."""
        return {entry.row: entry for entry in self.entries}

    @property
    def n_tagged(self) -> int:
        """How many pictures somebody has tagged, if only with nothing."""
        return sum(entry.record.tags is not None for entry in self.entries)


def assign_rows(
    records: Sequence[ImageRecord],
    contents: Sequence[bytes],
    previous: Sequence[Entry],
    next_row: int,
) -> tuple[tuple[Entry, ...], int]:
    """Give every picture its row id; a picture that moved or was renamed keeps its own.

    Parameters
    ----------
    records : sequence of ImageRecord
        Sorted by image id.
    contents : sequence of bytes
        Content hash of each record.
    previous : sequence of Entry
        The catalogue before.
    next_row : int
        The first id never handed out.

    Returns
    -------
    entries : tuple of Entry
    next_row : int
        The first id never handed out, after this.

    Examples
    --------
    >>> a = ImageRecord(image_id="a.jpg", path=Path("a.jpg"))
    >>> b = ImageRecord(image_id="b.jpg", path=Path("b.jpg"))
    >>> before, n = assign_rows([a], [b"x"], [], 0)
    >>> [entry.row for entry in assign_rows([b], [b"x"], before, n)[0]]
    [0]
    """
    stayed = {(entry.record.image_id, entry.content): entry.row for entry in previous}
    rows: list[int | None] = [
        stayed.pop((record.image_id, content), None)
        for record, content in zip(records, contents, strict=True)
    ]
    # Whatever is left belongs to a name that is gone or holds another picture now.
    moved: dict[bytes, list[int]] = {}
    for (_, content), row in sorted(stayed.items(), key=lambda item: item[1], reverse=True):
        moved.setdefault(content, []).append(row)
    entries = []
    for record, content, kept in zip(records, contents, rows, strict=True):
        if kept is None and moved.get(content):
            kept = moved[content].pop()
        if kept is None:
            kept, next_row = next_row, next_row + 1
        entries.append(Entry(kept, content, record))
    return tuple(entries), next_row


def save_catalogue(catalogue: Catalogue, folder: Path) -> None:
    """Write a catalogue into ``folder``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    entries = catalogue.entries
    records = [entry.record for entry in entries]
    images = pa.table(
        {
            "row": pa.array([entry.row for entry in entries], pa.int64()),
            "image_id": pa.array([record.image_id for record in records], pa.string()),
            # Paths are bytes: not every file name is UTF-8.
            "path": pa.array([os.fsencode(record.path) for record in records], pa.binary()),
            "content": pa.array([entry.content for entry in entries], pa.binary()),
            "owner": pa.array([record.owner for record in records], pa.string()),
            "tags": pa.array([record.tags for record in records], pa.list_(pa.string())),
            "labels": pa.array([record.labels for record in records], pa.list_(pa.string())),
            "split": pa.array([record.split for record in records], pa.string()),
        }
    )
    refused = pa.table(
        {
            "path": pa.array([refusal.path for refusal in catalogue.refusals], pa.string()),
            "reason": pa.array(
                [str(refusal.reason) for refusal in catalogue.refusals], pa.string()
            ),
            "detail": pa.array([refusal.detail for refusal in catalogue.refusals], pa.string()),
        }
    )
    pq.write_table(images, folder / _IMAGES_FILE)
    pq.write_table(refused, folder / _REFUSED_FILE)


def load_catalogue(folder: Path) -> Catalogue:
    """Read what :func:`save_catalogue` wrote.

    Raises
    ------
    ArtifactError
        A file is missing or is no catalogue.
    """
    images = _read_columns(folder / _IMAGES_FILE)
    entries = tuple(
        Entry(
            row,
            content,
            ImageRecord(
                image_id=image_id,
                path=Path(os.fsdecode(path)),
                owner=owner,
                tags=None if tags is None else tuple(tags),
                labels=None if labels is None else tuple(labels),
                split=split,
            ),
        )
        for row, image_id, path, content, owner, tags, labels, split in zip(
            *(
                images[name].to_pylist()
                for name in (
                    "row",
                    "image_id",
                    "path",
                    "content",
                    "owner",
                    "tags",
                    "labels",
                    "split",
                )
            ),
            strict=True,
        )
    )
    return Catalogue(entries, load_refusals(folder))


def load_refusals(folder: Path) -> tuple[Refusal, ...]:
    """Read the refused files alone of what :func:`save_catalogue` wrote.

    Raises
    ------
    ArtifactError
        The file is missing or damaged.
    """
    refused = _read_columns(folder / _REFUSED_FILE)
    return tuple(
        Refusal(path, RefusalReason(reason), detail)
        for path, reason, detail in zip(
            *(refused[name].to_pylist() for name in ("path", "reason", "detail")), strict=True
        )
    )


def _read_columns(path: Path) -> "pyarrow.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # One thread: the tables are small and starting a pool costs more than reading them.
        return pq.ParquetFile(path).read(use_threads=False)
    except (OSError, pa.ArrowInvalid) as error:
        raise ArtifactError(
            f"{path} cannot be read ({error}); a catalogue of this project is accepted; build again"
        ) from error
