"""The tagged pictures of a generation, which vote, ready for a learner.

Saved as arrays, so that ``engine tag`` need not read the catalogue.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from indexing.catalogue import Entry
from indexing.errors import ArtifactError
from indexing.tags import display_spellings, tag_key
from learners.base import TagMatrix

__all__ = ["TaggedPictures", "is_voter"]

_ARRAYS_FILE = "tags.npz"
_VOCABULARY_FILE = "vocabulary.json"
_VOTING_SPLITS = (None, "train")


def is_voter(entry: Entry) -> bool:
    """Return whether a picture votes: it is tagged, and in no split but ``train``."""
    return entry.record.tags is not None and entry.record.split in _VOTING_SPLITS


@dataclass(frozen=True)
class TaggedPictures:
    """The pictures that vote, their tags and the content they hold.

    Parameters
    ----------
    tags : TagMatrix
        Pictures by ascending row id, tags by ascending key.
    contents : ndarray of uint8, shape (n_images, 32)
        sha256 of each picture, in the order of ``tags``.
    vocabulary : tuple of str
        The tags as people most often spell them, in the order of the matrix's columns.
    abstaining : frozenset of bytes
        sha256 of the pictures of other splits than ``train``: they never vote, whatever
        somebody teaches about them.
    """

    tags: TagMatrix
    contents: NDArray[np.uint8]
    vocabulary: tuple[str, ...]
    abstaining: frozenset[bytes] = frozenset()

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> "TaggedPictures":
        """Collect the entries that vote: tagged, and in no split but ``train``."""
        voting = sorted(filter(is_voter, entries), key=lambda entry: entry.row)
        spellings = display_spellings(entry.record.tags or () for entry in voting)
        columns = {key: column for column, key in enumerate(spellings)}
        owners = {
            owner: number
            for number, owner in enumerate(
                sorted({entry.record.owner for entry in voting if entry.record.owner is not None})
            )
        }
        matrix = TagMatrix.from_lists(
            np.array([entry.row for entry in voting], np.int64),
            [[columns[tag_key(tag)] for tag in entry.record.tags or ()] for entry in voting],
            len(columns),
            owners=np.array(
                [
                    -1 if entry.record.owner is None else owners[entry.record.owner]
                    for entry in voting
                ],
                np.int64,
            ),
        )
        contents = np.frombuffer(b"".join(entry.content for entry in voting), np.uint8)
        abstaining = frozenset(
            entry.content for entry in entries if entry.record.split not in _VOTING_SPLITS
        )
        return cls(matrix, contents.reshape(-1, 32), tuple(spellings.values()), abstaining)

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """Number of the content of each picture, int64 (n_images,): copies share theirs."""
        if not len(self.contents):
            return np.empty(0, np.int64)
        keys = np.ascontiguousarray(self.contents).view("V32").ravel()
        return np.unique(keys, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def digest(self) -> str:
        """What tells these pictures and tags from others, in hexadecimal."""
        digest = hashlib.sha256()
        for key, values in sorted({**self.tags.to_arrays(), "of": self.contents}.items()):
            digest.update(f"{key}{values.shape}".encode())
            digest.update(values.tobytes())
        return digest.hexdigest()

    @cached_property
    def _by_content(self) -> dict[bytes, list[int]]:
        places: dict[bytes, list[int]] = {}
        for place, content in enumerate(self.contents):
            places.setdefault(content.tobytes(), []).append(place)
        return places

    def take(self, positions: NDArray[np.int64]) -> "TaggedPictures":
        """Return the pictures at ascending positions, with the whole vocabulary."""
        return TaggedPictures(self.tags.take(positions), self.contents[positions], self.vocabulary)

    def contents_by_row(self) -> dict[int, bytes]:
        """Return the sha256 of each picture by its row id."""
        contents = (content.tobytes() for content in self.contents)
        return dict(zip(self.tags.rows.tolist(), contents, strict=True))

    def places_of(self, content: bytes) -> list[int]:
        """Return the places in the matrix of the pictures that hold exactly these bytes."""
        return self._by_content.get(content, [])

    def save(self, folder: Path) -> None:
        """Write the arrays and the vocabulary into ``folder``."""
        abstaining = np.frombuffer(b"".join(sorted(self.abstaining)), np.uint8).reshape(-1, 32)
        arrays: dict[str, Any] = {
            "contents": self.contents,
            "abstaining": abstaining,
            **self.tags.to_arrays(),
        }
        np.savez(folder / _ARRAYS_FILE, allow_pickle=False, **arrays)
        text = json.dumps(list(self.vocabulary), ensure_ascii=False, indent=0)
        (folder / _VOCABULARY_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "TaggedPictures":
        """Read what :meth:`save` wrote.

        Raises
        ------
        ArtifactError
            A file is missing or damaged.
        """
        try:
            vocabulary = json.loads((folder / _VOCABULARY_FILE).read_text(encoding="utf-8"))
            with (
                (folder / _ARRAYS_FILE).open("rb") as file,
                np.load(file, allow_pickle=False) as arrays,
            ):
                tags = TagMatrix.from_arrays(arrays)
                contents = arrays["contents"]
                # Generations of earlier versions do not tell.
                others = arrays["abstaining"] if "abstaining" in arrays else contents[:0]
            if tags.n_tags != len(vocabulary) or contents.shape != (tags.n_images, 32):
                raise ValueError("its files do not belong together")
            abstaining = frozenset(content.tobytes() for content in others)
            return cls(tags, contents, tuple(vocabulary), abstaining)
        except (OSError, EOFError, ValueError, LookupError, TypeError, BadZipFile) as error:
            raise ArtifactError(
                f"the tags of {folder} cannot be read ({error}); a generation of this project is "
                "accepted; build again"
            ) from error
