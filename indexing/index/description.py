"""What an index is and what was measured of it: the record that is saved beside it."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError
from indexing.index.neighbors import Metric

__all__ = ["IndexDescription", "read_record", "write_record"]

KIND = "picture index"
FORMAT_VERSION = 1
RECORD = "index.json"
ROWS = "rows.npy"


@dataclass(frozen=True, kw_only=True)
class IndexDescription:
    """What an index is, and how well it answers.

    Parameters
    ----------
    factory : str
        What was asked for: ``"auto"``, ``"exact"`` or a factory string.
    form : str
        What was built; another one than asked where ``"auto"`` chose or vectors were too few.
    backend : str
        Name in :data:`indexing.index.backends.BACKENDS`.
    metric : Metric
        How distances are measured.
    n_dims : int
        Width of the vectors that it takes.
    n_images : int
        Vectors that it holds.
    search_parameter : str or None
        ``"nprobe"`` or ``"efSearch"`` where the form has one.
    search_value : int or None
        Its value, chosen when the index was built.
    recall : float
        Recall@100 against exact search on the vectors as they were before any reduction,
        in [0, 1], as measured when the index was built (@n-1 where n, the vectors, is at
        most 100).
    recall_queries : int
        Queries it was measured on; 0 = not measured, because the form is exact.
    bytes_per_image : float
        Memory of codes, ids and links, divided by the vectors.
    library : str
        What searches, with its version.
    """

    factory: str
    form: str
    backend: str
    metric: Metric
    n_dims: int
    n_images: int = 0
    search_parameter: str | None = None
    search_value: int | None = None
    recall: float = 1.0
    recall_queries: int = 0
    bytes_per_image: float = 0.0
    library: str = ""


def write_record(
    folder: Path, description: IndexDescription, rows: NDArray[np.int64], files: tuple[str, ...]
) -> None:
    """Write ``rows.npy`` and ``index.json``, which also holds the sizes of the index's files."""
    np.save(folder / ROWS, rows, allow_pickle=False)
    record = {
        "kind": KIND,
        "format_version": FORMAT_VERSION,
        **asdict(description),
        "file_bytes": {name: (folder / name).stat().st_size for name in (ROWS, *files)},
    }
    (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def read_record(folder: Path) -> tuple[IndexDescription, NDArray[np.int64]]:
    """Read what :func:`write_record` wrote, and check that every file is there and whole.

    Raises
    ------
    ArtifactError
        Where something is missing, foreign, damaged or of a newer version.
    """
    path = folder / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _refusal(folder, f"has no {RECORD}") from None
    except (OSError, ValueError) as error:
        raise _refusal(folder, f"has an unreadable {RECORD} ({error})") from error
    if not isinstance(record, dict) or record.get("kind") != KIND:
        raise _refusal(folder, f"has a {RECORD} of something else")
    version = record.get("format_version")
    if version != FORMAT_VERSION:
        raise _refusal(
            folder, f"is of format {version!r}", "build it again, or use the version that wrote it"
        )
    description = _parsed(folder, record)
    for name, size in record["file_bytes"].items():
        file = folder / name
        if not file.is_file() or file.stat().st_size != size:
            raise _refusal(folder, f"has no whole {name} of {size} bytes")
    return description, _read_rows(folder, description.n_images)


def _parsed(folder: Path, record: dict[str, Any]) -> IndexDescription:
    try:
        values = {field.name: record[field.name] for field in fields(IndexDescription)}
        values["metric"] = Metric(values["metric"])
        if not all(Path(name).name == name for name in record["file_bytes"]):
            raise ValueError("a file outside the folder")
        return IndexDescription(**values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _refusal(folder, f"has a damaged {RECORD} ({error!r})") from error


def _read_rows(folder: Path, n_images: int) -> NDArray[np.int64]:
    try:
        rows: NDArray[np.int64] = np.load(folder / ROWS, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _refusal(folder, f"has an unreadable {ROWS} ({error})") from error
    whole = rows.dtype == np.int64 and rows.shape == (n_images,)
    if not whole or bool((np.diff(rows) <= 0).any()) or bool((rows[:1] < 0).any()):
        raise _refusal(folder, f"has a {ROWS} that is not {n_images} ascending row ids")
    return rows


def _refusal(folder: Path, found: str, todo: str = "build the index again") -> ArtifactError:
    return ArtifactError(
        f"{folder} {found}; an index folder of format {FORMAT_VERSION} is accepted; {todo}"
    )
