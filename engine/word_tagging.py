"""Scores of any list of words for pictures, and words that tags bring along."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.picture_scores import IndexedPictures, ask
from engine.queries import Query, Unreadable, read_queries
from engine.results import RankedTag, Relation, TagAnswer
from engine.saying import KnowsProbabilities
from engine.tower_words import TowerWords, has_text_side
from engine.unseen_words import N_FREQUENT, UnseenWords
from engine.word_space import indexed_directions
from engine.wording import TagNames
from indexing.errors import InputError
from indexing.extractors import FeatureExtractor, open_extractor
from indexing.extractors.classifier import Classifier, open_classifier
from indexing.extractors.table import DEFAULT_EXTRACTOR
from indexing.names import did_you_mean
from indexing.pixels import Framing
from indexing.words.class_names import N_CLASSES
from learners.voting import KNN
from learners.words import WordVectors
from learners.words.expansion import BroughtWord, Chance, brought_words, supported

if TYPE_CHECKING:
    from engine.tagger import Tagger

__all__ = ["WORDS", "ExpansionRule", "WordTagger"]

WORDS = "words"
"""Who answers where words were given, as answers name it."""


class ExpansionRule(StrEnum):
    """Which of the words near a tag are added."""

    CHECKED = "checked"
    """Those that the picture itself supports more than chance would."""
    PAPER = "paper"
    """The two nearest of each tag, as published."""


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """Where pictures lie among words, and why: their classes, and how likely each tag is."""

    classes: NDArray[np.float32]
    likely: NDArray[np.float32] | None
    directions: NDArray[np.float32]


class WordTagger:
    """Scores words for pictures, with a workspace or without one.

    Parameters
    ----------
    words : WordVectors
    tagger : Tagger or None
        Of the workspace; None = the default network answers.
    device : {"auto", "cpu", "cuda"}
        Where the network runs, without a workspace.
    waiting : callable, optional
        Given what takes long, a context that lasts as long.
    learner : str, optional
        Who scores the tags of the workspace; by default the best there is.
    """

    def __init__(
        self,
        words: WordVectors,
        tagger: "Tagger | None" = None,
        device: str = "auto",
        waiting: Callable[[str], AbstractContextManager[object]] = nullcontext,
        *,
        learner: str | None = None,
    ) -> None:
        self._learner = learner
        self._words = words
        self._tagger = tagger
        self._device = device
        self._waiting = waiting
        self._unseen = UnseenWords(words)

    @cached_property
    def extractor(self) -> FeatureExtractor:
        """The network."""
        if self._tagger is not None:
            return self._tagger.extractor
        with self._waiting(f"opening {DEFAULT_EXTRACTOR} (compiled once, then kept)"):
            return open_extractor(DEFAULT_EXTRACTOR, self._device)

    @cached_property
    def _classifier(self) -> Classifier:
        classifier = open_classifier(self.extractor)
        if classifier is None or len(classifier.biases) != N_CLASSES:
            raise self._no_classes()
        return classifier

    def _no_classes(self) -> InputError:
        return InputError(
            f"the network {self.extractor.name} tells no classes of ImageNet, by which words are "
            "scored that nobody has tagged with; a network with that classifier is accepted; build "
            f"with --extractor {DEFAULT_EXTRACTOR}"
        )

    @property
    def unheard(self) -> str | None:
        """Why the learner does not say how likely words are that are tags; None = it does."""
        if self._tower is not None:
            return "the text side of the network scores all words"
        if self._tagger is None or not self._tagger.tagged.vocabulary:
            return "no picture here has a tag"
        if not isinstance(self._tagger.served(self._learner).learner, KNN | KnowsProbabilities):
            return (
                "it knows no probabilities, as a calibrated learner does, such as hybrid, and knn"
            )
        return None

    def missing(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return the words of which nothing is known: no vector, and no general word."""
        if self._tower is not None:
            return ()
        return tuple(word for word in words if not self._unseen.is_known(word))

    def meant(self, words: Sequence[str]) -> dict[str, str]:
        """Return the tags of the workspace that words which are none were perhaps meant to be."""
        if self._tower is not None or self._tagger is None:
            return {}
        names = TagNames(self._tagger.tagged.vocabulary)
        strange = (
            word
            for word in words
            if names.column(word) is None and not self._unseen.is_common(word)
        )
        return {word: tag for word in strange if (tag := names.near(word)) is not None}

    @cached_property
    def _tower(self) -> TowerWords | None:
        """The text side of the workspace's network, if it has one."""
        if self._tagger is None or not has_text_side(self._tagger.manifest["extractor"]["name"]):
            return None
        return TowerWords(self.extractor)

    def tag(
        self, images: Sequence[str | Path], words: Sequence[str], top: int | None = None
    ) -> Iterator[TagAnswer]:
        """Answer with the words, best first, for each picture, in order.

        Parameters
        ----------
        images : sequence of path
        words : sequence of str
            Those of :meth:`missing` are not answered.
        top : int, optional
            So many of them; None = all.

        Yields
        ------
        TagAnswer
            Scores are those of :class:`engine.unseen_words.UnseenWords`. A word that is a tag of
            the workspace is as likely outright as its learner says, if that is more than what
            the classes say. Where the workspace's network has a text side, they are cosines.

        Raises
        ------
        InputError
            Nothing is known of any word, or the network tells no classes.
        """
        unknown = set(self.missing(words))
        known = [word for word in dict.fromkeys(words) if word not in unknown]
        if not known:
            close = list(self.meant(words).values())
            raise InputError(
                f"nothing is known of {', '.join(map(repr, words)) or 'no word'}; words that "
                f"{self._words.source} hold, or general ones, are accepted; "
                + (did_you_mean(close) if close else "try others, or other vectors with --vectors")
            )
        started = time.perf_counter()
        for run in read_queries(images, self.extractor, self._framings()):
            queries = [asked for asked in run if isinstance(asked, Query)]
            scored: Iterator[NDArray[np.float32]] = iter(())
            if queries:
                scored = iter(self._scores(queries, known))
            seconds = (time.perf_counter() - started) / max(1, len(queries))
            for asked in run:
                if isinstance(asked, Unreadable):
                    yield TagAnswer(asked.image, WORDS, error=asked.error)
                    continue
                scores = next(scored)
                order = np.argsort(-scores, kind="stable")[:top]
                tags = tuple(RankedTag(known[place], float(scores[place])) for place in order)
                yield TagAnswer(asked.image, WORDS, tags, seconds)
            started = time.perf_counter()

    def _framings(self) -> set[Framing]:
        """Return how the workspace's learner wants to see pictures."""
        if self._tower is not None or self._tagger is None or not self._tagger.tagged.vocabulary:
            return set()
        return self._tagger.served(self._learner).framings

    def _scores(self, queries: Sequence[Query], words: Sequence[str]) -> NDArray[np.float32]:
        if self._tower is not None:
            return self._tower.scores(words, np.stack([query.feature for query in queries]))
        placed = self._placed(queries)
        scores = self._unseen.scores(words, placed.directions, placed.classes)
        if self._tagger is None or placed.likely is None:
            return scores
        outright = self._unseen.outright(words, placed.classes)
        names = TagNames(self._tagger.tagged.vocabulary)
        for place, column in enumerate(map(names.column, words)):
            if column is not None:
                scores[:, place] += np.maximum(placed.likely[:, column] - outright[:, place], 0)
        return scores

    def _placed(self, queries: Sequence[Query]) -> _Placed:
        """Find where pictures lie among words, by their classes and by the workspace's tags."""
        classes, tagger = self._classes(queries), self._tagger
        if tagger is None or not tagger.tagged.vocabulary:
            return _Placed(classes, None, self._unseen.directions(classes))
        served = tagger.served(self._learner)

        def squares(framing: Framing) -> NDArray[np.uint8]:
            return np.stack([query.squares[framing] for query in queries])

        contents = [query.content for query in queries]
        asked = ask(tagger, served, contents, tagger.vectors(queries), squares)
        likely = asked.probabilities
        if likely is None and isinstance(served.learner, KNN):
            likely = asked.scores  # a share of the voters
        directions = self._unseen.directions(classes, tagger.tagged.vocabulary, likely)
        return _Placed(classes, likely, directions)

    def _classes(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        return self._classifier(np.stack([query.feature for query in queries]))

    def expanded(
        self, answers: Iterator[TagAnswer], images: Sequence[str | Path], rule: ExpansionRule
    ) -> Iterator[TagAnswer]:
        """Add to each answer the words that its tags bring along, marked.

        Parameters
        ----------
        answers : iterator of TagAnswer
            One a picture of `images`.
        images : sequence of path
        rule : ExpansionRule
            On a fold of Corel-5K's training pictures (500 of them, tagged by knn), the paper's
            brought 4,563 words, 32 of them right (0.7 %); the checked one 844, 16 right (1.9 %).

        Raises
        ------
        InputError
            Nothing in the workspace is tagged, or the network tells no classes.
        """
        if self._tagger is not None:
            self._tagger.learner(self._learner)  # where nothing is tagged, that is what is said
        if rule is ExpansionRule.PAPER:
            for answer in answers:
                brought = self._brought(answer)
                added = [
                    RankedTag(word.word, word.cosine, brought_by=word.tag, relation=Relation.NEAR)
                    for word in brought
                ]
                yield answer.with_tags((*answer.tags, *added))
            return
        chance = self._chance
        for run in read_queries(images, self.extractor, self._framings()):
            for asked in run:
                answer = next(answers)
                if isinstance(asked, Unreadable) or answer.error is not None:
                    yield answer
                    continue
                direction = self._placed([asked]).directions[0]
                kept = supported(self._brought(answer), self._words, direction, chance)
                added = [
                    RankedTag(word.word, score, brought_by=word.tag, relation=Relation.NEAR)
                    for word, score in kept
                ]
                yield answer.with_tags((*answer.tags, *added))

    def _brought(self, answer: TagAnswer) -> list[BroughtWord]:
        tags = [ranked.tag for ranked in answer.tags]
        return brought_words(tags, self._words, n_frequent=N_FREQUENT) if tags else []

    @cached_property
    def _chance(self) -> Chance:
        """What words score that a picture has nothing to do with.

        On the workspace's own pictures and tags; without one, on the classes and their names.
        """
        if self._tagger is None:
            classes = np.eye(N_CLASSES, dtype=np.float32)
            return Chance.of(self._unseen.directions(classes), self._unseen.class_vectors)
        pictures = IndexedPictures(self._tagger)
        if pictures.class_probabilities() is None:
            raise self._no_classes()
        vocabulary = self._tagger.tagged.vocabulary
        tags, _ = self._words.matrix(vocabulary)
        directions = indexed_directions(pictures, self._unseen, vocabulary, self._learner)
        return Chance.of(directions, tags)
