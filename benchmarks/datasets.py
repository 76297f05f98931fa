"""Data sets as the harness reads them, and what a protocol makes of them."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from benchmarks.exercises import NO_COPY, TaggedSet
from benchmarks.pictures import Pictures
from benchmarks.posing import Posed, draws_of, folds_of, pose
from benchmarks.protocols import Completion, Protocol
from indexing.ahead import run_ahead
from indexing.errors import InputError, PictureError
from indexing.pixels import read_picture
from indexing.records import Corpus, ImageRecord
from indexing.tags import display_spellings, tag_key
from learners.tag_matrix import TagMatrix

__all__ = ["Dataset", "content_groups", "exercises"]

_TRAINING_SPLITS = (None, "train")


class _Drawn(TypedDict):
    completion: Completion | None
    n_examples: int | None
    album_size: int | None
    seed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """A corpus and what is known of the bytes of its pictures; labels of all splits included.

    No learner ever gets one: :func:`exercises` makes of it what learners may see.

    Parameters
    ----------
    name : str
        As it stands in the results.
    corpus : Corpus
    groups : ndarray of int64, shape (n_images,)
        Pictures of equal bytes share a number; -1 = nothing is known of the bytes.
    pictures : Pictures, optional
        All of them, for learners of pixels. None = there are no files to look at.
    """

    name: str
    corpus: Corpus
    groups: NDArray[np.int64]
    pictures: Pictures | None = None

    @property
    def image_ids(self) -> list[str]:
        """Names of all pictures, in the order of the corpus."""
        return [record.image_id for record in self.corpus.records]

    @cached_property
    def used(self) -> NDArray[np.bool_]:
        """Which pictures have tags or labels, bool (n_images,); no others are looked at."""
        return np.array(
            [r.tags is not None or r.labels is not None for r in self.corpus.records], np.bool_
        )

    @cached_property
    def training(self) -> NDArray[np.int64]:
        """Positions of the pictures that may be learned from, int64 (n_training,)."""
        return _positions(
            self.corpus.records, lambda r: r.split in _TRAINING_SPLITS and r.tags is not None
        )

    @cached_property
    def labelled_training(self) -> NDArray[np.int64]:
        """Positions of the pictures whose labels may be learned, int64 (n_training,)."""
        return _positions(
            self.corpus.records, lambda r: r.split in _TRAINING_SPLITS and r.labels is not None
        )

    @cached_property
    def digest(self) -> str:
        """Sixteen hex digits that change with the pictures' names, splits, tags or labels."""
        facts = [
            (r.image_id, r.split, r.owner, r.tags, r.labels, group)
            for r, group in zip(self.corpus.records, self.groups.tolist(), strict=True)
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    def copies(self) -> list[list[dict[str, str | None]]]:
        """Return the pictures of equal bytes that are not all of one split, group by group."""
        found = defaultdict(list)
        for record, group in zip(self.corpus.records, self.groups.tolist(), strict=True):
            if group > NO_COPY:
                found[group].append({"image_id": record.image_id, "split": record.split})
        return [same for same in found.values() if len({one["split"] for one in same}) > 1]


def content_groups(corpus: Corpus) -> NDArray[np.int64]:
    """Read every file and number its content; -1 where it cannot be read or is not there."""
    groups = np.full(len(corpus), NO_COPY, np.int64)
    numbers: dict[bytes, int] = {}

    def hashed(place: int) -> bytes | None:
        try:
            return hashlib.sha256(read_picture(corpus.records[place].path)).digest()
        except PictureError:
            return None

    for place, content in run_ahead(range(len(corpus)), hashed):
        if content is not None:
            groups[place] = numbers.setdefault(content, len(numbers))
    return groups


def exercises(
    protocol: Protocol,
    dataset: Dataset,
    features: NDArray[np.float32] | None,
    blocks: tuple[int, ...] | None = None,
    directions: NDArray[np.float32] | None = None,
) -> tuple[list[Posed], dict[str, Any]]:
    """Make exercises of a data set.

    Parameters
    ----------
    protocol : Protocol
    dataset : Dataset
    features : ndarray of float32, shape (n_images, n_dims), optional
        Of the pictures of the data set, in its order; rows of unused pictures are not read.
        None = the tags are the features.
    blocks : tuple of int, optional
        Widths of the parts of a feature that are layers of their own.
    directions : ndarray of float32, shape (n_images, n_word_dims), optional
        Where the network's own classes point in word space.

    Returns
    -------
    posed : list of Posed
        One, one a fold, or one a draw of unseen tags.
    facts : dict
        What people must know of the data: how many pictures and tags there are, the copies
        across splits and how many were left out of training, labels that no training picture
        has.

    Raises
    ------
    InputError
        If the data set lacks the split, or has no tagged pictures to learn from.
    """
    records = dataset.corpus.records
    train = dataset.labelled_training if protocol.reads_tags else dataset.training
    learned = [_truth(records[i]) if protocol.reads_tags else records[i].tags for i in train]
    spellings = display_spellings(tags or () for tags in learned)
    counts = _matrix(learned, train, list(spellings)).counts
    keys = [list(spellings)[column] for column in protocol.vocabulary.choose(counts)]
    vocabulary = np.array([spellings[key] for key in keys], dtype=np.str_)
    typed = list(display_spellings(records[i].tags or () for i in train))

    def tagged(positions: NDArray[np.int64], truth: bool) -> TaggedSet:
        lists = [_truth(records[i]) if truth else records[i].tags or () for i in positions]
        owners = _owners([records[i].owner for i in positions])
        return TaggedSet(
            image_ids=np.array([records[i].image_id for i in positions], dtype=np.str_),
            tags=_matrix(lists, positions, keys, owners),
            groups=dataset.groups[positions],
            vocabulary=vocabulary,
            features=None if features is None else features[positions],
            blocks=blocks,
            directions=None if directions is None else directions[positions],
            pictures=None if dataset.pictures is None else dataset.pictures.take(positions),
            inputs=_matrix([records[i].tags for i in positions], positions, typed)
            if protocol.reads_tags
            else None,
        )

    known = tagged(train, truth=protocol.reads_tags)
    drawn: _Drawn = {
        "completion": protocol.completion,
        "n_examples": protocol.n_examples,
        "album_size": protocol.album_size,
        "seed": protocol.seed,
    }
    if protocol.n_folds is not None:
        asked = train
        posed = folds_of(known, protocol.n_folds, unseen=protocol.unseen, **drawn)
    else:
        asked = _positions(
            records, lambda r: r.split == protocol.evaluation and _truth(r) is not None
        )
        if not asked.size:
            splits = sorted({str(r.split) for r in records if r.split is not None})
            raise InputError(
                f"{dataset.name} has no labelled picture in the split {protocol.evaluation!r}; "
                f"it has {', '.join(splits) or 'no splits'}; name another one, or use --folds"
            )
        questions = tagged(asked, truth=True)
        if protocol.unseen is not None:
            posed = draws_of(known, questions, unseen=protocol.unseen, seed=protocol.seed)
        else:
            posed = [pose(known, questions, **drawn)]
    true_keys = {tag_key(label) for i in asked for label in _truth(records[i]) or ()}
    facts = {
        "dataset": dataset.name,
        "protocol": str(protocol),
        "n_training": posed[0].exercise.training.n_images,
        "n_asked": int(asked.size),
        "n_tags": len(keys),
        "labels_outside_vocabulary": sorted(true_keys - set(keys)),
        "copies_across_splits": dataset.copies(),
        "left_out_of_training_as_copies": sum(one.n_copies for one in posed),
    }
    return posed, facts


def _truth(record: ImageRecord) -> tuple[str, ...] | None:
    return record.tags if record.labels is None else record.labels


def _positions(
    records: tuple[ImageRecord, ...], wanted: Callable[[ImageRecord], bool]
) -> NDArray[np.int64]:
    return np.array([i for i, record in enumerate(records) if wanted(record)], np.int64)


def _owners(names: list[str | None]) -> NDArray[np.int64]:
    numbers = {name: number for number, name in enumerate(sorted({n for n in names if n}))}
    return np.array([numbers[name] if name else -1 for name in names], np.int64)


def _matrix(
    lists: Sequence[tuple[str, ...] | None],
    rows: NDArray[np.int64],
    keys: list[str],
    owners: NDArray[np.int64] | None = None,
) -> TagMatrix:
    """Return the tags that are in the vocabulary; the others are no candidates."""
    columns = {key: column for column, key in enumerate(keys)}
    known = [[columns[key] for key in map(tag_key, tags or ()) if key in columns] for tags in lists]
    return TagMatrix.from_lists(rows, known, len(keys), owners)
