"""A generation seen through the corrections of its workspace: who votes, and for what."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.corrections import CorrectionJournal, TaughtPicture, taught_pictures
from engine.neighborhood import Searchable
from engine.tagged import TaggedPictures
from engine.wider_search import WiderSearch
from indexing.catalogue import Entry
from indexing.index import Index, VectorTransform
from indexing.records import ImageRecord, printable_path
from indexing.tags import tag_key
from learners.base import Space, TagLearner, TagMatrix
from learners.corrections import N_NEAR, CorrectedTags, nearness, shifts
from learners.tag_matrix import locate
from learners.voting import NeighborVoting

__all__ = ["CorrectedPictures", "Heard", "open_corrected"]

_FIRST_ROW = 1 << 62
"""Above every row id that a build hands out: pictures that vote through corrections alone."""


@dataclass(frozen=True, eq=False)
class Heard:
    """What some pictures hear of corrections, beside what votes tell; they may hear nothing.

    Parameters
    ----------
    near : ndarray of float32, shape (n_queries, n_corrected), or None
        How near each corrected picture is (:func:`learners.corrections.nearness`); None = no
        picture hears of anything.
    added, removed : ndarray of bool, shape (n_corrected, n_tags), or None
        What was corrected there.
    """

    near: NDArray[np.float32] | None = None
    added: NDArray[np.bool_] | None = None
    removed: NDArray[np.bool_] | None = None

    def corrected(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return scores, or probabilities, as they are after the corrections.

        Parameters
        ----------
        values : ndarray of float32, shape (n_queries, n_tags)
            Higher is better.
        """
        shift = self._shift(values)
        return values if shift is None else values + shift

    def sources(self, scores: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return what the corrections add to scores, as a source; none where nothing is heard."""
        shift = self._shift(scores)
        return {} if shift is None else {"corrections": shift}

    def _shift(self, values: NDArray[np.float32]) -> NDArray[np.float32] | None:
        if self.near is None or self.added is None or self.removed is None:
            return None
        return shifts(values, self.near, self.added, self.removed)


@dataclass(frozen=True, kw_only=True, eq=False)
class CorrectedPictures:
    """The pictures that vote, with what people corrected since they were read.

    Parameters
    ----------
    read : TaggedPictures
        As the readers brought them.
    taught : sequence of TaughtPicture
        One a content.
    features : ndarray of float32, shape (n_taught, n_dims)
        Of each; NaN where the network of this generation has not seen it.
    transform : VectorTransform
        Features to vectors.

    Notes
    -----
    A picture that votes already does so with its corrections. One that does not, because
    nobody had tagged it or it is not indexed at all, votes from its first added tag on. One of
    which only removals are known cannot vote, since nobody said what it shows: it speaks
    against what was removed near it (:func:`learners.corrections.shifts`). Learners that do not
    vote hear of every correction that way.
    """

    read: TaggedPictures
    taught: Sequence[TaughtPicture]
    features: NDArray[np.float32]
    transform: VectorTransform

    @cached_property
    def tagged(self) -> TaggedPictures:
        """All pictures that vote; their matrix is a ``CorrectedTags``, unless nothing is taught."""
        if not self.taught:
            return self.read
        read, n_tags = self.read, len(self._vocabulary)
        rows = np.concatenate([read.tags.rows, self.extra_rows])
        owners = np.concatenate([read.tags.owners, np.full(len(self.extra_rows), -1)])
        taught = b"".join(one.content for one in self._extra)
        before = TagMatrix(
            rows=read.tags.rows,
            indptr=read.tags.indptr,
            indices=self._columns[read.tags.indices],
            n_tags=n_tags,
            owners=read.tags.owners,
        )
        present = before.cells
        added, removed = self._corrected_cells()
        present = _with(_without(present, removed), added)
        forbidden = TagMatrix.from_cells(removed, rows, n_tags, owners)
        now = TagMatrix.from_cells(present, rows, n_tags, owners)
        tags = CorrectedTags(
            rows=now.rows,
            indptr=now.indptr,
            indices=now.indices,
            n_tags=n_tags,
            owners=now.owners,
            forbidden=forbidden,
            before=before,
        )
        return TaggedPictures(
            tags,
            np.concatenate([read.contents, np.frombuffer(taught, np.uint8).reshape(-1, 32)]),
            tuple(self._vocabulary.values()),
            read.abstaining,
        )

    @property
    def to_train_on(self) -> TaggedPictures:
        """The pictures that readers brought, of their vocabulary, with corrections as their tags.

        What is trained is kept with a generation, and so knows its pictures and tags alone.
        """
        if not self.taught:
            return self.read
        n_images = self.read.tags.n_images
        tags = self.tagged.tags.take(np.arange(n_images)).of_tags(self._columns)
        return TaggedPictures(tags, self.read.contents, self.read.vocabulary, self.read.abstaining)

    @property
    def columns_read(self) -> NDArray[np.int64]:
        """Which column each tag was before corrections, int64 (n_tags,); -1 = it is new."""
        columns = np.full(len(self._vocabulary), -1, np.int64)
        columns[self._columns] = np.arange(len(self._columns))
        return columns

    def applied(self, learner: TagLearner) -> TagLearner:
        """Return a learner that was fitted on what was read, and answers for what is corrected."""
        is_new = len(self._vocabulary) > len(self._columns)
        if isinstance(learner, NeighborVoting) or is_new:
            return learner.rebased(self.tagged.tags, self.columns_read)
        return learner

    @cached_property
    def extra_rows(self) -> NDArray[np.int64]:
        """Rows of the pictures that vote through corrections alone, ascending."""
        return _FIRST_ROW + np.arange(np.count_nonzero(self._is_extra), dtype=np.int64)

    @property
    def entries(self) -> dict[int, Entry]:
        """What :attr:`extra_rows` are, by row."""
        return {
            row: Entry(
                row,
                one.content,
                ImageRecord(
                    image_id=printable_path(one.path),
                    path=one.path,
                    tags=tuple(one.added.values()),
                ),
            )
            for row, one in zip(self.extra_rows.tolist(), self._extra, strict=True)
        }

    def widened(self, index: Index, space: Space | None) -> Searchable:
        """Return the search of an index, in a space or not, and of the extra pictures."""
        if not len(self.extra_rows):
            return index
        vectors = self._vectors[self._is_extra]
        return WiderSearch(index, self.extra_rows, vectors if space is None else space(vectors))

    def facts(
        self, contents: Sequence[bytes], columns: Sequence[int] | None = None
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return what was corrected in the very pictures that are asked about.

        Parameters
        ----------
        contents : sequence of n_queries bytes
            sha256 of each.
        columns : sequence of int, optional
            Tags that are asked for; by default all.

        Returns
        -------
        added, removed : ndarray of bool, shape (n_queries, n_tags or n_columns)
        """
        places = {one.content: place for place, one in enumerate(self.taught)}
        found = np.array([places.get(content, -1) for content in contents], np.int64)
        votes = np.stack(self._votes)  # (2, n_taught, n_tags)
        if columns is not None:
            votes = votes[:, :, list(columns)]
        facts = np.zeros((2, len(found), votes.shape[2]), bool)
        facts[:, found >= 0] = votes[:, found[found >= 0]]
        return facts[0], facts[1]

    def heard(
        self, learner: TagLearner, vectors: NDArray[np.float32], index: Callable[[], Searchable]
    ) -> Heard:
        """Return what pictures hear of corrections beside what the votes of a learner tell them.

        Parameters
        ----------
        learner : TagLearner
        vectors : ndarray of float32, shape (n_queries, n_dims)
            Of the queries, in the space of the workspace's index.
        index : callable
            Gives what searches there; called only where there is something to hear of.
        """
        is_told = self._is_seen & self._may_vote
        if isinstance(learner, NeighborVoting):
            is_told = is_told & ~self._is_extra & ~self._is_read
        if not is_told.any() or not len(vectors) or not self.read.tags.n_images:
            return Heard()
        n_near = min(N_NEAR, self.read.tags.n_images)
        found = index().search(vectors, n_near, among=self.read.tags.rows)
        radii = np.where(np.isfinite(found.distances), found.distances, 0).max(axis=1)
        distances = _cosine_distances(vectors, self._vectors[is_told])
        added, removed = (votes[is_told] for votes in self._votes)
        return Heard(nearness(distances, radii), added, removed)

    @cached_property
    def _vocabulary(self) -> dict[str, str]:
        """Tags by key, ascending, with the spelling that is shown."""
        spellings = {tag_key(tag): tag for tag in self.read.vocabulary}
        for one in self.taught:
            for key, tag in one.added.items():
                spellings.setdefault(key, tag)
        return dict(sorted(spellings.items()))

    @cached_property
    def _columns(self) -> NDArray[np.int64]:
        """Column of each tag that was read, ascending."""
        places = {key: place for place, key in enumerate(self._vocabulary)}
        return np.array([places[tag_key(tag)] for tag in self.read.vocabulary], np.int64)

    @cached_property
    def _votes(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """What was added and what was removed, each bool (n_taught, n_tags)."""
        places = {key: place for place, key in enumerate(self._vocabulary)}
        added, removed = np.zeros((2, len(self.taught), len(places)), bool)
        for number, one in enumerate(self.taught):
            added[number, [places[key] for key in one.added]] = True
            removed[number, [places[key] for key in one.removed if key in places]] = True
        return added, removed

    @cached_property
    def _is_seen(self) -> NDArray[np.bool_]:
        """Whether there is a feature of each taught picture."""
        return np.isfinite(self.features[:, 0])

    @cached_property
    def _may_vote(self) -> NDArray[np.bool_]:
        """Whether each taught picture is in no split that never votes."""
        return np.array([one.content not in self.read.abstaining for one in self.taught], bool)

    @cached_property
    def _is_read(self) -> NDArray[np.bool_]:
        """Whether each taught picture, or a copy of it, votes without its corrections."""
        return np.array([bool(self.read.places_of(one.content)) for one in self.taught], bool)

    @cached_property
    def _is_extra(self) -> NDArray[np.bool_]:
        """Whether each taught picture votes through its corrections alone."""
        adds = np.array([bool(one.added) for one in self.taught], bool)
        extra: NDArray[np.bool_] = adds & self._is_seen & self._may_vote & ~self._is_read
        return extra

    @property
    def _extra(self) -> list[TaughtPicture]:
        """The taught pictures that vote through their corrections alone."""
        return [one for one, is_extra in zip(self.taught, self._is_extra, strict=True) if is_extra]

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        """Of the taught pictures, float32 (n_taught, n_dims); NaN where there is no feature."""
        vectors = np.full((len(self.taught), self.transform.n_out), np.nan, np.float32)
        vectors[self._is_seen] = self.transform(self.features[self._is_seen])
        return vectors

    def _corrected_cells(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the cells that were added and removed in pictures that vote, ascending."""
        places: list[list[int]] = [self.read.places_of(one.content) for one in self.taught]
        for row, number in enumerate(np.flatnonzero(self._is_extra).tolist()):
            places[number] = [self.read.tags.n_images + row]
        picture = np.array([place for found in places for place in found], np.int64)
        source = np.repeat(np.arange(len(places)), [len(found) for found in places])
        n_tags = len(self._vocabulary)
        added, removed = (
            np.unique(picture[place] * n_tags + column)
            for place, column in (np.nonzero(votes[source]) for votes in self._votes)
        )
        return added, removed


def open_corrected(
    root: Path, extractor: Mapping[str, Any], read: TaggedPictures, transform: VectorTransform
) -> CorrectedPictures:
    """Return the pictures of a generation with the corrections of its workspace.

    Parameters
    ----------
    root : Path
        The workspace folder.
    extractor : mapping
        The network of the generation, as its manifest describes it.
    read : TaggedPictures
        As the readers brought them.
    transform : VectorTransform
        Features to vectors.

    Raises
    ------
    ArtifactError
        The journal is damaged.
    """
    journal = CorrectionJournal(root)
    taught = tuple(taught_pictures(journal.read()).values())
    features = np.full((len(taught), extractor["n_dims"]), np.nan, np.float32)
    for place, one in enumerate(taught):
        feature = journal.feature(extractor["digest"], one.content, extractor["n_dims"])
        if feature is not None:
            features[place] = feature
    return CorrectedPictures(read=read, taught=taught, features=features, transform=transform)


def _without(cells: NDArray[np.int64], gone: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return ascending cells without some: a copy, and no sorting of all."""
    places = locate(gone, cells)
    return np.delete(cells, places[places >= 0])


def _with(cells: NDArray[np.int64], more: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return ascending cells with some more, likewise."""
    new = more[locate(more, cells) < 0]
    return np.insert(cells, np.searchsorted(cells, new), new)


def _cosine_distances(
    queries: NDArray[np.float32], others: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the cosine distances, float32 (n_queries, n_others), in [0, 2]."""
    lengths = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(others, axis=1)
    cosines = (queries @ others.T) / np.where(lengths > 0, lengths, 1)
    distances: NDArray[np.float32] = np.clip(1 - cosines, 0, 2)
    return distances
