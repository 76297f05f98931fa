"""What a learner, and the network's own classes, say of every indexed picture: scored once, kept.

::

    .engine/scores/ID/         of one generation; others go when it is written to
    ├── tags-NAME-KEY/         of one learner and the corrections it heard
    │   ├── scores.npy         float32 (n_tags, n_pictures)
    │   ├── ties.npy           the same, where equal scores are told apart
    │   ├── probabilities.npy  the same, where the learner is calibrated
    │   ├── given.npy          int32 (n_pictures, 5): the best tags of each
    │   └── unscored.npy       int64 (n, 2): pictures and their facts that nobody else speaks for
    ├── words-NAME-KEY/        where pictures lie in a space of words
    └── classes/               float16 (n_pictures, n_classes), where the network tells any

All can be deleted at any time. A tag is a row, so that a search reads no more than its words.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.facts import Facts
from engine.pixels import StoredPixels
from engine.saying import probabilities_of
from engine.serving import Questions, Served, voters_of
from indexing.catalogue import Entry
from indexing.extractors.cache import staged
from indexing.pixels import Framing
from indexing.store import WorkspaceStore
from learners.ranking import rank_tags
from learners.votes import tag_votes

if TYPE_CHECKING:
    from engine.tagger import Tagger

__all__ = ["N_GIVEN", "Asked", "IndexedPictures", "TagScores", "ask"]

logger = logging.getLogger(__name__)

N_GIVEN = 5
"""Tags of a picture that count as given to it, its best ones."""

_FOLDER = "scores"
_SCORED_AT_ONCE = 512
_FORMAT = 3
_BY_PICTURE = ("given", "unscored")


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """What a learner says of some pictures, corrections heard.

    Parameters
    ----------
    scores : ndarray of float32, shape (n_queries, n_tags)
    tie_breaks : tuple of ndarray
        As :meth:`learners.base.TagLearner.tie_breaks`.
    probabilities : ndarray of float32, shape (n_queries, n_tags), or None
        None where the learner is not calibrated.
    unscored : ndarray of bool, shape (n_queries, n_tags)
        Facts whose score is not the learner's own (:meth:`engine.facts.Facts.unscored`).
    """

    scores: NDArray[np.float32]
    tie_breaks: tuple[NDArray[np.generic], ...]
    probabilities: NDArray[np.float32] | None
    unscored: NDArray[np.bool_]


def ask(
    tagger: "Tagger",
    served: Served,
    contents: Sequence[bytes],
    vectors: NDArray[np.float32],
    squares: Callable[[Framing], NDArray[np.uint8]],
) -> Asked:
    """Ask a learner about pictures; none votes for itself, nor do its copies.

    Parameters
    ----------
    tagger : Tagger
    served : Served
        From :meth:`engine.tagger.Tagger.served`.
    contents : sequence of n_queries bytes
        sha256 of each.
    vectors : ndarray of float32, shape (n_queries, n_dims)
    squares : callable
        Gives the pictures as a learner wants to see them, uint8 (n_queries, size, size, 3).
    """
    tagged, learner = tagger.tagged, served.learner
    facts = Facts.of(tagger.pictures, contents)
    batch = Questions(tagged, vectors, facts.own_groups, tagger.blocks, squares=squares).batch(
        served
    )
    heard = tagger.pictures.heard(learner, vectors, lambda: tagger.voters_index)
    uncorrected, probabilities = learner.predict_scores(batch), probabilities_of(learner, batch)
    scores, ballots = heard.corrected(uncorrected), voters_of(learner, batch)
    n_voters = None if ballots is None else tag_votes(ballots.weighing_one(), tagged.tags)
    return Asked(
        scores=scores,
        tie_breaks=learner.tie_breaks(batch),
        probabilities=None if probabilities is None else heard.corrected(probabilities),
        unscored=facts.unscored(n_voters, uncorrected, scores),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class TagScores:
    """What a learner says of every indexed picture.

    Parameters
    ----------
    learner : str
    scores : ndarray of float32, shape (n_tags, n_pictures)
        Tags as in the vocabulary, pictures as in :attr:`IndexedPictures.entries`.
    ties : ndarray of float32, shape (n_tags, n_pictures), or None
        What orders pictures of equal score.
    probabilities : ndarray of float32, shape (n_tags, n_pictures), or None
        In [0, 1]; None where the learner is not calibrated.
    given : ndarray of int32, shape (n_pictures, 5 or fewer)
        The best tags of each picture.
    unscored : ndarray of int64, shape (n_unscored, 2)
        Pictures, and tags that people gave them and nobody else speaks for: their scores are not
        the learner's own.
    """

    learner: str
    scores: NDArray[np.float32]
    ties: NDArray[np.float32] | None
    probabilities: NDArray[np.float32] | None
    given: NDArray[np.int32]
    unscored: NDArray[np.int64]


class IndexedPictures:
    """Every indexed picture of a generation, and what is said of it.

    Parameters
    ----------
    tagger : Tagger
    """

    def __init__(self, tagger: "Tagger") -> None:
        self._tagger = tagger
        self._folder = tagger.root / _FOLDER / tagger.manifest["id"]

    @cached_property
    def entries(self) -> list[Entry]:
        """The pictures by ascending row."""
        return [entry for _, entry in sorted(self._tagger.indexed.items())]

    @property
    def _contents(self) -> list[bytes]:
        return [entry.content for entry in self.entries]

    def tag_scores(self, learner: str | None = None) -> TagScores:
        """Return what a learner says of every picture, by default the best one.

        A picture does not vote for itself, nor do its copies; corrections are heard.

        Raises
        ------
        InputError, ArtifactError
            As :meth:`engine.tagger.Tagger.learner`.
        """
        name, _ = self._tagger.learner(learner)
        arrays = self._kept(f"tags-{name}-{self._key()}", lambda: self._scored(name))
        return TagScores(
            learner=name,
            scores=arrays["scores"],
            ties=arrays.get("ties"),
            probabilities=arrays.get("probabilities"),
            given=arrays["given"],
            unscored=arrays["unscored"],
        )

    def directions(self, name: str, make: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return where pictures lie in word space; made once, and kept.

        Parameters
        ----------
        name : str
            What they depend on beside the generation and its corrections.
        make : callable
            Gives float32 (n_pictures, n_dims).
        """
        named = hashlib.sha256(name.encode()).hexdigest()[:16]
        kept = self._kept(f"words-{named}-{self._key()}", lambda: {"directions": make()})
        directions: NDArray[np.float32] = kept["directions"]
        return directions

    def _key(self) -> str:
        """Return what changes with the corrections."""
        stamp = [_FORMAT, self._tagger.corrections_stamp]
        return hashlib.sha256(json.dumps(stamp).encode()).hexdigest()[:16]

    def class_probabilities(self) -> NDArray[np.floating] | None:
        """Return what the network was trained to tell, float (n_pictures, n_classes).

        None where its classes are not ImageNet's, or it tells none.
        """
        from indexing.words.class_names import N_CLASSES

        def classified() -> dict[str, NDArray[Any]]:
            from indexing.extractors.classifier import open_classifier

            classifier = open_classifier(self._tagger.extractor)
            if classifier is None or len(classifier.biases) != N_CLASSES:
                return {"classes": np.zeros((0, 0), np.float16)}
            with self._tagger.waiting("reading what the network tells of each picture"):
                parts = [classifier(part).astype(np.float16) for part in self.features()]
            return {"classes": np.concatenate([np.zeros((0, N_CLASSES), np.float16), *parts])}

        found = self._kept("classes", classified)["classes"]
        return found if found.shape[1] else None

    def vectors(self) -> Iterator[NDArray[np.float32]]:
        """Yield the vectors of some pictures at a time, float32 (n, n_dims), in order."""
        for features in self.features():
            yield self._tagger.transform(features)

    def features(self) -> Iterator[NDArray[np.float32]]:
        """Yield the features of some pictures at a time, float32 (n, n_dims), in order."""
        extractor = self._tagger.manifest["extractor"]
        contents = self._contents
        with WorkspaceStore(self._tagger.root / "store") as store:
            features = store.features(extractor["digest"], extractor["n_dims"])
            for start in range(0, len(contents), _SCORED_AT_ONCE):
                yield features.fetch(contents[start : start + _SCORED_AT_ONCE])

    def _scored(self, name: str) -> dict[str, NDArray[Any]]:
        """Ask a learner about every picture."""
        tagger = self._tagger
        served = tagger.served(name)
        contents = self._contents
        rows = np.array([entry.row for entry in self.entries], np.int64)
        pixels = StoredPixels(tagger.indexed, tagger.root)
        found: dict[str, list[NDArray[Any]]] = {}
        start = 0
        with tagger.waiting(f"asking {name} about {len(contents):,} pictures, once"):
            for vectors in self.vectors():
                part = contents[start : start + len(vectors)]
                squares = partial(pixels, rows[start : start + len(vectors)])
                asked = ask(tagger, served, part, vectors, squares)
                best = rank_tags(asked.scores, N_GIVEN, asked.tie_breaks).astype(np.int32)
                unscored = np.argwhere(asked.unscored) + np.array([start, 0])
                start += len(vectors)
                chunk: dict[str, NDArray[Any]] = {
                    "scores": asked.scores,
                    "given": best,
                    "unscored": unscored,
                }
                if asked.tie_breaks and asked.tie_breaks[0].shape == asked.scores.shape:
                    chunk["ties"] = asked.tie_breaks[0].astype(np.float32)
                if asked.probabilities is not None:
                    chunk["probabilities"] = asked.probabilities
                for key, array in chunk.items():
                    found.setdefault(key, []).append(array)
        return {
            key: np.concatenate(parts) if key in _BY_PICTURE else np.concatenate(parts).T
            for key, parts in found.items()
        }

    def _kept(
        self, name: str, make: Callable[[], dict[str, NDArray[Any]]]
    ) -> dict[str, NDArray[Any]]:
        """Return arrays that were kept, mapped; else make and keep them, if that is possible."""
        folder = self._folder / name
        if folder.is_dir():
            try:
                return {
                    path.stem: np.load(path, mmap_mode="r", allow_pickle=False)
                    for path in folder.glob("*.npy")
                }
            except (OSError, ValueError) as error:
                logger.warning("%s cannot be read (%s): made again", folder, error)
        arrays = make()
        try:
            self._forget_others(name)
            with staged(folder, replace=True) as fresh:
                for key, array in arrays.items():
                    np.save(fresh / f"{key}.npy", np.ascontiguousarray(array), allow_pickle=False)
        except OSError as error:
            logger.info("%s cannot be written (%s): made again the next time", folder, error)
        return arrays

    def _forget_others(self, name: str) -> None:
        """Remove what was kept of other generations, and of the same learner's other answers."""
        others = [other for other in self._folder.parent.glob("*") if other != self._folder]
        others += self._folder.glob(f"{name.rpartition('-')[0]}-*") if "-" in name else []
        for other in others:
            shutil.rmtree(other, ignore_errors=True)
