"""What the tests of the data sets' layouts write, and how they compare messages."""

import json
import re
from pathlib import Path
from typing import Any

from PIL import Image

from indexing.records import Corpus, ImageRecord


def exactly(text: str) -> str:
    return rf"\A{re.escape(text)}\Z"


def by_id(corpus: Corpus) -> dict[str, ImageRecord]:
    return {record.image_id: record for record in corpus.records}


def unreadable(path: Path) -> str:
    """Return what is said of a file that is missing."""
    return (
        f"{path}: cannot be read (No such file or directory); a readable file is accepted; check "
        "that it is there and that you may read it"
    )


def no_folder(path: Path) -> str:
    """Return what is said of a folder that is missing."""
    return (
        f"{path}: no such file or folder; accepted: a folder of pictures, or a table "
        "(.csv .tsv .jsonl .ndjson .parquet); check the path"
    )


def write(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def write_picture(path: Path, shade: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 3), (shade, 20, 40)).save(path)
    return path
