"""Carry trained learners over to pictures that came, went or were retagged, without training."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.generations import inherit
from engine.own_index import build_own_index, described, save_index, updated_index
from engine.tagged import TaggedPictures, is_voter
from engine.trained import (
    is_trained,
    load_learner,
    member_of,
    own_index_folder,
    save_learner,
    trained_folder,
    trained_identity,
)
from engine.vectors import SpaceVectors, StoredVectors
from indexing.catalogue import Entry
from indexing.errors import ArtifactError, IndexingError, InputError
from indexing.index import Index
from indexing.tags import tag_key
from learners.base import TagLearner

__all__ = ["Earlier", "carry_over", "changed_votes"]


@dataclass(frozen=True)
class Earlier:
    """A generation of the same vectors, to start from.

    Parameters
    ----------
    folder : Path
    entries : sequence of Entry
        Its pictures.
    learners : dict
        Its learners, from the manifest.
    factory : str
        What its index was asked to be.
    """

    folder: Path
    entries: Sequence[Entry]
    learners: dict[str, dict[str, Any]]
    factory: str


def changed_votes(earlier: Earlier, entries: Sequence[Entry]) -> int:
    """Return how many pictures vote otherwise than in the generation before, or only in one."""
    then, now = (
        {(entry.row, entry.record.tags) for entry in some if is_voter(entry)}
        for some in (earlier.entries, entries)
    )
    return len({row for row, _ in then ^ now})


def carry_over(
    folder: Path,
    earlier: Earlier,
    tagged: TaggedPictures,
    vectors: StoredVectors,
    *,
    n_changed: int,
    factory: str,
    device: str,
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Write the trained learners of one generation into the next, for its pictures and tags.

    Parameters
    ----------
    folder : Path
        Of the new generation.
    earlier : Earlier
    tagged : TaggedPictures
        The pictures that vote now.
    vectors : StoredVectors
    n_changed : int
        How many of the votes are others than before.
    factory : str
        What indexes are asked to be.
    device : {"auto", "cpu", "cuda"}

    Returns
    -------
    learners : dict
        Those that were carried over, for the manifest.
    dropped : dict of str to str
        Those that were not, and why.
    """
    carrying = _Carrying(folder, earlier, tagged, vectors, n_changed, factory, device)
    trained = {name: entry for name, entry in earlier.learners.items() if is_trained(entry)}
    learners: dict[str, dict[str, Any]] = {}
    dropped: dict[str, str] = {}
    # One that mixes others shares files with them, where they are the same: they come first.
    for name in sorted(trained, key=lambda name: "members" in trained[name]):
        try:
            learners[name] = carrying.whole(name, trained[name])
        except (ArtifactError, IndexingError, InputError) as error:
            dropped[name] = str(error)
            shutil.rmtree(trained_folder(folder, name), ignore_errors=True)
    return {name: learners[name] for name in trained if name in learners}, dropped


class _Carrying:
    """Writes learners of one generation into the next; one that lies there twice, once."""

    def __init__(
        self,
        folder: Path,
        earlier: Earlier,
        tagged: TaggedPictures,
        vectors: StoredVectors,
        n_changed: int,
        factory: str,
        device: str,
    ) -> None:
        self._folder = folder
        self._earlier = earlier
        self._tagged = tagged
        self._vectors = vectors
        self._n_changed = n_changed
        self._factory = factory
        self._device = device
        self._written: dict[tuple[int, int], tuple[str, dict[str, Any]]] = {}

    def whole(self, name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Carry a learner over with those that it mixes; return what the manifest says now.

        Raises
        ------
        ArtifactError, IndexingError, InputError
            One of them cannot be carried over.
        """
        carried = self._one(name, entry)
        if "members" in entry:
            carried["members"] = {
                member: self._one(member_of(name, member), its)
                for member, its in entry["members"].items()
            }
        return carried

    def _one(self, name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        # Files that are linked are one file: what becomes of them is linked again.
        lies = trained_identity(self._earlier.folder, name)
        if lies not in self._written:
            self._written[lies] = name, self._rewritten(name, entry)
        first, facts = self._written[lies]
        if first != name:
            source = trained_folder(self._folder, first)
            inherit(source, trained_folder(self._folder, name), without=set())
        return {**entry, "n_changed": entry["n_changed"] + self._n_changed, **facts}

    def _rewritten(self, name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Write a learner for the pictures and tags as they are now; return what changes."""
        columns = _columns_then(self._earlier, self._tagged)
        learner = load_learner(self._earlier.folder, name).rebased(self._tagged.tags, columns)
        before = None
        if self._factory == self._earlier.factory:
            before = own_index_folder(self._earlier.folder, name)
        index = _own_index(
            learner, before, self._tagged, self._vectors, self._factory, self._device
        )
        save_learner(learner, trained_folder(self._folder, name))
        if index is not None:
            save_index(index, own_index_folder(self._folder, name))
        return {
            "new_tags": _not_answered(learner, entry, self._tagged, columns),
            "index": described(index),
        }


def _columns_then(earlier: Earlier, tagged: TaggedPictures) -> NDArray[np.int64]:
    """Return which column of the generation before each tag was; -1 = a tag that is new."""
    if not tagged.vocabulary:
        raise InputError("no picture has a tag any more")
    before = TaggedPictures.load(earlier.folder).vocabulary
    columns_then = {tag_key(tag): column for column, tag in enumerate(before)}
    return np.array([columns_then.get(tag_key(tag), -1) for tag in tagged.vocabulary], np.int64)


def _not_answered(
    learner: TagLearner,
    entry: Mapping[str, Any],
    tagged: TaggedPictures,
    columns: NDArray[np.int64],
) -> list[str]:
    """Return the tags of the vocabulary that came after a learner was trained, if it minds."""
    if learner.answers_new_tags:
        return []
    before = {tag_key(tag) for tag in entry.get("new_tags", [])}
    return [
        tag
        for tag, column in zip(tagged.vocabulary, columns.tolist(), strict=True)
        if column < 0 or tag_key(tag) in before
    ]


def _own_index(
    learner: TagLearner,
    before: Path | None,
    tagged: TaggedPictures,
    vectors: StoredVectors,
    factory: str,
    device: str,
) -> Index | None:
    space = learner.space
    if space is None:
        return None
    rows = tagged.tags.rows
    index = None
    if before is not None:
        index = updated_index(before, rows, SpaceVectors(space, vectors), device)
    if index is None:
        index = build_own_index(space, rows, vectors, factory, device)
    return index
