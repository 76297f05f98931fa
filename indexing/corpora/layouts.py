"""What each layout looks like from outside, and which one a path has."""

import os
import re
import stat
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Final, Literal

from indexing.errors import CorpusError
from indexing.records import printable_path

__all__ = [
    "COREL5K_FILES",
    "FIVEK_FILES",
    "IMAGENET_ARCHIVE",
    "SYNSET",
    "TABLE_EXTENSIONS",
    "coco_files",
    "detect_format",
    "require",
]

TABLE_EXTENSIONS: Final = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
COREL5K_FILES: Final = {"train": "train.json", "test": "test.json"}
FIVEK_FILES: Final = ("filesAdobe.txt", "filesAdobeMIT.txt", "categories.txt")
IMAGENET_ARCHIVE: Final = "ILSVRC/Data/CLS-LOC"
SYNSET: Final = r"n\d{8}"
_COCO_FILE: Final = re.compile(r"instances_((train|val)\d*)\.json")

_ADVICE: Final = (
    f"accepted: a folder of pictures, or a table ({' '.join(TABLE_EXTENSIONS)}); check the path"
)


def detect_format(path: str | os.PathLike[str]) -> str:
    """Return the name of the reader that a path needs.

    The first of these that fits. A folder: ``espgame`` and ``iaprtc12`` (``train.json``,
    ``test.json`` and the vocabulary of the data set), ``corel5k`` (``train.json``, ``test.json``
    and ``images/``), ``mirflickr`` (``meta/tags/tags1.txt``), ``nuswide``
    (``ImageList/Imagelist.txt`` and ``NUS_WID_Tags/``), ``fivek`` (``categories.txt`` and the
    lists of both licences), ``imagenet`` (``LOC_synset_mapping.txt``, ``ILSVRC/Data/CLS-LOC/``,
    or synsets in ``train/``), ``coco`` (``annotations/instances_*.json``), else ``folder``. A
    file: ``table``, by an extension of :data:`TABLE_EXTENSIONS`.

    What shares its files with another layout is read only when it is named: ``mirflickr-r1``,
    ``nuswide-81``, ``nuswide-all``, ``coco-captions``.

    Raises
    ------
    CorpusError
        If the path does not exist, cannot be looked at, or is a file of another kind.
    """
    path = Path(path)
    kind = _kind(path)
    if kind == "table":
        return "table"
    if kind == "other":
        raise CorpusError(f"{printable_path(path)}: a file that is no table; {_ADVICE}")
    return next((name for name, fits in _FOLDERS.items() if fits(path)), "folder")


def require(path: Path, kind: Literal["folder", "table"]) -> None:
    """Raise unless the path is what a reader reads.

    Raises
    ------
    CorpusError
        If the path does not exist, cannot be looked at, or is something else.
    """
    found = _kind(path)
    if found != kind:
        raise CorpusError(
            f"{printable_path(path)}: a {found if found != 'other' else 'file'} where this format "
            f"takes a {kind}; {_ADVICE}"
        )


def coco_files(root: Path) -> list[tuple[Path, str, str]]:
    """Return the instance files of MS-COCO's layout, sorted: path, picture folder, split."""
    matches = [
        (path, _COCO_FILE.fullmatch(path.name))
        for path in sorted(root.glob("annotations/instances_*.json"))
    ]
    return [(path, match[1], match[2]) for path, match in matches if match]


def _kind(path: Path) -> Literal["folder", "table", "other"]:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise CorpusError(f"{printable_path(path)}: no such file or folder; {_ADVICE}") from None
    except OSError as error:
        raise CorpusError(
            f"{printable_path(path)}: cannot be looked at ({error.strerror}); {_ADVICE}"
        ) from None
    if stat.S_ISDIR(mode):
        return "folder"
    return "table" if stat.S_ISREG(mode) and path.suffix.lower() in TABLE_EXTENSIONS else "other"


def _has_files(root: Path, *names: str) -> bool:
    return all((root / name).is_file() for name in names)


def _is_imagenet(root: Path) -> bool:
    if _has_files(root, "LOC_synset_mapping.txt") or (root / IMAGENET_ARCHIVE).is_dir():
        return True
    try:
        with os.scandir(root / "train") as entries:
            some = [entry.name for entry in islice(entries, 100)]
    except OSError:  # no such folder, or one that is not to be looked at
        return False
    return any(re.fullmatch(SYNSET, name) for name in some)


_FOLDERS: Final[dict[str, Callable[[Path], bool]]] = {
    "espgame": lambda root: _has_files(root, *COREL5K_FILES.values(), "espgame_vocabulary.txt"),
    "iaprtc12": lambda root: _has_files(root, *COREL5K_FILES.values(), "iaprtc12_vocabulary.txt"),
    "corel5k": lambda root: (
        _has_files(root, *COREL5K_FILES.values()) and (root / "images").is_dir()
    ),
    "mirflickr": lambda root: _has_files(root, "meta/tags/tags1.txt"),
    "nuswide": lambda root: (
        _has_files(root, "ImageList/Imagelist.txt") and (root / "NUS_WID_Tags").is_dir()
    ),
    "fivek": lambda root: _has_files(root, *FIVEK_FILES),
    "imagenet": _is_imagenet,
    "coco": lambda root: bool(coco_files(root)),
}
