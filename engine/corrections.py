"""The corrections of a workspace: a small journal beside its generations.

::

    .engine/corrections/
    ├── journal.jsonl               what was taught, a line a step with the number of its format
    │                               (none: 1), replaced atomically
    └── features/DIGEST/CONTENT.npy     of each taught picture, by network and content hash

No build and no training writes into it or takes it away: what readers bring and what people
corrected stay apart. A step is kept by the content of its picture, so that it follows a file
that was moved, and every copy of it.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError
from indexing.records import printable_path
from indexing.tags import tag_key

__all__ = ["CorrectionJournal", "Stamp", "Step", "TaughtPicture", "taught_pictures"]

Stamp: TypeAlias = tuple[int, int, int]
"""Tells one state of the journal from another."""

_FOLDER = "corrections"
_JOURNAL = "journal.jsonl"
_CONTENT_BYTES = 32
_FORMAT_VERSION = 1


class _OtherFormatError(ValueError):
    """A line of the journal has a format that this version of the engine does not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One correction, as ``engine teach`` was told it.

    Parameters
    ----------
    content : bytes
        sha256 of the picture's file.
    path : Path
        Where the file lay.
    added, removed : tuple of str
        Tags as they were typed; none is in both.
    """

    content: bytes
    path: Path
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``--list --json`` prints."""
        return {
            "image": printable_path(self.path),
            "content": self.content.hex(),
            "added": list(self.added),
            "removed": list(self.removed),
        }

    def to_line(self) -> str:
        """Return the line of the journal, without its end."""
        kept = {"format": _FORMAT_VERSION, "path": os.fsencode(self.path).hex(), **self.to_json()}
        return json.dumps(kept, ensure_ascii=False)

    @classmethod
    def from_line(cls, line: str) -> "Step":
        """Read what :meth:`to_line` wrote.

        Raises
        ------
        ValueError, LookupError, TypeError
            The line is another one, or of another format.
        """
        kept = json.loads(line)
        if "format" in kept and kept["format"] != _FORMAT_VERSION:  # the first had none
            raise _OtherFormatError(f"format {kept['format']!r}")
        content = bytes.fromhex(kept["content"])
        if len(content) != _CONTENT_BYTES:
            raise ValueError("no content hash")
        added, removed = (_tags_of(kept[name]) for name in ("added", "removed"))
        path = Path(os.fsdecode(bytes.fromhex(kept["path"])))
        return cls(content=content, path=path, added=added, removed=removed)


@dataclass(frozen=True, slots=True)
class TaughtPicture:
    """What all steps together say of the pictures that hold some bytes.

    Parameters
    ----------
    content : bytes
        sha256 of the file.
    path : Path
        Where it lay when it was taught last.
    added, removed : dict of str to str
        Tags by key (:func:`indexing.tags.tag_key`) to the spelling that was typed; no key is in
        both: the later step counts.
    """

    content: bytes
    path: Path
    added: dict[str, str]
    removed: dict[str, str]


def taught_pictures(steps: Sequence[Step]) -> dict[bytes, TaughtPicture]:
    """Return what the steps say of each picture, by content, in the order they were taught first.

    Examples
    --------
    >>> content = bytes(32)
    >>> steps = [
    ...     Step(content=content, path=Path("a.jpg"), added=("Beach", "Sea")),
    ...     Step(content=content, path=Path("b.jpg"), removed=("beach",)),
    ... ]
    >>> taught_pictures(steps)[content].added, taught_pictures(steps)[content].removed
    ({'sea': 'Sea'}, {'beach': 'beach'})
    """
    taught: dict[bytes, TaughtPicture] = {}
    for step in steps:
        before = taught.get(step.content)
        added = {} if before is None else dict(before.added)
        removed = {} if before is None else dict(before.removed)
        for tags, theirs, others in (
            (step.added, added, removed),
            (step.removed, removed, added),
        ):
            for tag in tags:
                theirs[tag_key(tag)] = tag
                others.pop(tag_key(tag), None)
        taught[step.content] = TaughtPicture(step.content, step.path, added, removed)
    return taught


class CorrectionJournal:
    """The steps of a workspace and the features of their pictures.

    Parameters
    ----------
    root : Path
        The workspace folder. Whoever writes holds its lock.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / _FOLDER
        self._path = self._folder / _JOURNAL

    def stamp(self) -> Stamp | None:
        """Return what changes whenever the journal does; None where there is none."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def read(self) -> tuple[Step, ...]:
        """Return all steps, the last one last; none where nothing was taught.

        Raises
        ------
        ArtifactError
            The journal cannot be read, a line of it is none, or has another format.
        """
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError(self._damaged(str(error))) from error
        steps = []
        for number, line in enumerate(lines, start=1):
            if not line:
                continue
            try:
                steps.append(Step.from_line(line))
            except _OtherFormatError as error:
                raise ArtifactError(
                    f"{printable_path(self._path)} has {error} (line {number}); this version of "
                    f"the engine reads format {_FORMAT_VERSION}; use the version that wrote it"
                ) from error
            except (ValueError, LookupError, TypeError) as error:
                raise ArtifactError(self._damaged(f"line {number}: {error}")) from error
        return tuple(steps)

    def counts(self, digest: str) -> dict[str, int]:
        """Return how many steps, pictures and tags there are, as ``engine info --json`` has them.

        Parameters
        ----------
        digest : str
            Of a network's fingerprint: ``unseen`` counts the pictures that it has not seen, and
            that their neighbours do not hear of.
        """
        steps = self.read()
        taught = taught_pictures(steps)
        return {
            "steps": len(steps),
            "pictures": len(taught),
            "added": sum(len(one.added) for one in taught.values()),
            "removed": sum(len(one.removed) for one in taught.values()),
            "unseen": sum(not self._feature_path(digest, one).is_file() for one in taught),
        }

    def _damaged(self, found: str) -> str:
        return (
            f"{printable_path(self._path)} cannot be used ({found}); the corrections that 'engine "
            "teach' wrote are accepted; delete that line, or the file to go on without corrections"
        )

    def write(self, steps: Sequence[Step]) -> None:
        """Replace the journal: readers see the one before or this one, whole.

        Features of pictures that no step is about are dropped afterwards.
        """
        text = "".join(step.to_line() + "\n" for step in steps)
        self._folder.mkdir(parents=True, exist_ok=True)
        _replace(self._path, text.encode())
        wanted = {f"{step.content.hex()}.npy" for step in steps}
        for file in self._folder.glob("features/*/*"):
            if file.name not in wanted:
                file.unlink(missing_ok=True)

    def keep_feature(self, digest: str, content: bytes, feature: NDArray[np.float32]) -> None:
        """Keep what a network made of a picture.

        Parameters
        ----------
        digest : str
            Of the network's fingerprint.
        content : bytes
            sha256 of the file.
        feature : ndarray of float32, shape (n_dims,)
        """
        path = self._feature_path(digest, content)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as file:
            np.save(file, feature, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def feature(self, digest: str, content: bytes, n_dims: int) -> NDArray[np.float32] | None:
        """Return what a network made of a picture, float32 (n_dims,); None where nobody kept it."""
        try:
            feature = np.load(self._feature_path(digest, content), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        if feature.shape != (n_dims,) or feature.dtype != np.float32:
            return None
        return np.asarray(feature)

    def _feature_path(self, digest: str, content: bytes) -> Path:
        return self._folder / "features" / digest / f"{content.hex()}.npy"


def _tags_of(kept: object) -> tuple[str, ...]:
    """Return the tags of a line; a text alone is no list of its letters."""
    if not isinstance(kept, list) or not all(isinstance(tag, str) and tag_key(tag) for tag in kept):
        raise ValueError("a list of tags is wanted")
    return tuple(kept)


def _replace(path: Path, data: bytes) -> None:
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
