"""Find pictures by words: tags that people gave, tags they would get, words nobody has used."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.emission import LEAST_PROBABILITY
from engine.picture_scores import IndexedPictures, TagScores
from engine.queries import Query, Unreadable, read_queries
from engine.text_answer import TextAnswer, TextFound
from engine.tower_words import TowerWords, has_text_side
from engine.unseen_words import UnseenWords
from engine.word_space import indexed_directions
from engine.wording import TagNames, Term, terms_of
from indexing.errors import InputError
from indexing.names import did_you_mean
from indexing.records import printable_path
from learners.words import WordVectors, open_word_vectors

if TYPE_CHECKING:
    from engine.tagger import Tagger

__all__ = ["TextSearch", "picture_to_resemble"]

_FARTHEST = 2.0
"""Cosine distance of pictures that an approximate index does not find."""

# A word that nobody has tagged with says a picture is of it: outright, or this far above others.
_LEAST_OUTRIGHT = 0.1
_DEVIATIONS = 2.0


@dataclass(frozen=True, eq=False)
class _Evidence:
    """What one word says of every picture, higher is better; those that people gave it come first.

    Of facts that are `unscored`, the number is none of the learner's.
    """

    word: str
    scores: NDArray[np.floating]
    is_of: NDArray[np.bool_]
    ties: NDArray[np.floating] | None = None
    confirmed: NDArray[np.bool_] | None = None
    unscored: NDArray[np.bool_] | None = None

    @property
    def keys(self) -> list[NDArray[Any]]:
        """By what pictures are ordered, the most important first."""
        return [key for key in (self.confirmed, self.scores, self.ties) if key is not None]

    def is_confirmed(self, place: int) -> bool:
        """Return whether people gave a picture the word."""
        return self.confirmed is not None and bool(self.confirmed[place])

    def is_scored(self, place: int) -> bool:
        """Return whether the score of a picture is the learner's own."""
        return self.unscored is None or not self.unscored[place]


def _log_ranks(keys: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Return the logarithm of each picture's rank; equals share the mean of theirs.

    Parameters
    ----------
    keys : sequence of ndarray, shape (n_pictures,)
        The most important first; higher is better.
    """
    columns = np.column_stack(keys)
    order = np.lexsort(tuple(-key for key in columns.T[::-1]))
    is_new = np.any(np.diff(columns[order], axis=0) != 0, axis=1)
    group = np.concatenate([[0], np.cumsum(is_new)])
    ranks = np.arange(1, len(order) + 1, dtype=np.float64)
    means = np.bincount(group, ranks) / np.bincount(group)
    logs = np.empty(len(order))
    logs[order] = np.log(means[group])
    return logs


def _stands_out(scores: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which pictures a word scores so high for that they are taken to be of it."""
    stands_out: NDArray[np.bool_] = scores > scores.mean() + _DEVIATIONS * scores.std()
    return stands_out


def _is_like_carriers(
    scores: NDArray[np.floating], carries: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which pictures score a tag as those do that carry it, rather than as the others.

    Nearer, that is, to the mean of the former; where there are none, the best score is theirs.

    Parameters
    ----------
    scores : ndarray of float, shape (n_pictures,)
        Of one tag, on any scale.
    carries : ndarray of bool, shape (n_pictures,)
        Who carries it.

    Notes
    -----
    On 500 pictures of Corel-5K's training split that were indexed without their tags, the tags
    that are both among the best five of a picture and as likely as this were right, and found, in
    %: of ``knn`` 51.0 and 62.7, of ``tagprop`` 65.3 and 61.2, of ``heads`` 72.0 and 56.9. The best
    five alone: 46.8 and 67.4, 50.2 and 73.0, 50.2 and 72.9. By the hybrid's probability: 63.8 and
    67.0.
    """
    theirs, others = scores[carries], scores[~carries]
    if not others.size:
        return carries
    mean = theirs.mean() if theirs.size else scores.max()
    is_like: NDArray[np.bool_] = scores > (mean + others.mean()) / 2
    return is_like


def picture_to_resemble(image: Path, tagger: "Tagger") -> Query:
    """Read a picture that others shall look like.

    Raises
    ------
    InputError
        It cannot be read.
    """
    ((asked,),) = [run for run in read_queries([image], tagger.extractor) if run]
    if isinstance(asked, Unreadable):
        raise InputError(f"{asked.image}: {asked.error}")
    return asked


class TextSearch:
    """Searches the indexed pictures of one generation by words.

    A word that is a tag, in any form, is scored by a learner of the workspace, and pictures that
    people gave it come first. Any other word is scored by :class:`UnseenWords`, or by the text
    side of the workspace's network (:class:`TowerWords`) where it has one. Each word puts
    the pictures into an order, and so does a picture; where there are several, a picture comes
    by the geometric mean of its ranks, since the scores of different words have different
    scales.

    Parameters
    ----------
    tagger : Tagger
    learner : str, optional
        Who scores tags; by default the best there is.
    words : callable, optional
        Opens the word vectors; by default those that come with the installation.
    """

    def __init__(
        self,
        tagger: "Tagger",
        learner: str | None = None,
        words: Callable[[], WordVectors] | None = None,
    ) -> None:
        self._tagger = tagger
        self._pictures = IndexedPictures(tagger)
        self._learner = learner
        self._open_words = words
        self._unseen: UnseenWords | None = None
        self._scored: TagScores | None = None
        self._directions: NDArray[np.float32] | None = None

    def __call__(
        self, text: str = "", *, k: int = 10, without: Sequence[str] = (), like: Query | None = None
    ) -> TextAnswer:
        """Find pictures.

        Parameters
        ----------
        text : str
        k : int, default=10
            Pictures, at most.
        without : sequence of str
            Words that no picture shall be of: neither tagged with them, nor likely to be.
        like : Query, optional
            A picture that they shall look like, too.

        Raises
        ------
        InputError
            Nothing is known of any word, or of one that is not wanted; or nothing is asked.
        """
        if k < 1:
            raise InputError(f"{k} pictures were asked for; 1 or more are accepted; ask for one")
        names = TagNames(self._tagger.tagged.vocabulary)
        wanted = [term for term in terms_of(text, names) if self._is_known(term)]
        unknown = [term.text for term in terms_of(text, names) if term not in wanted]
        unwanted = [term for word in without for term in terms_of(word, names)]
        strange = [term.text for term in unwanted if not self._is_known(term)]
        if strange or (not wanted and like is None):
            words = strange or unknown
            if not words:
                raise InputError(
                    f"{text!r} says nothing of what pictures show; words such as 'sunset on the "
                    "beach' are accepted; name some"
                )
            close = list(filter(None, map(names.near, words)))
            raise InputError(
                f"nothing is known of {', '.join(map(repr, words))}; tags of the workspace and "
                "words that the word vectors hold are accepted; "
                + (did_you_mean(close) if close else "try other words")
            )
        unseen = [term.text for term in wanted if term.column is None]
        evidence = [self._evidence(term) for term in wanted]
        distances = None if like is None else self._distances(like)
        excluded = np.zeros(len(self._pictures.entries), bool)
        for term in unwanted:
            excluded |= self._evidence(term).is_of
        keys = [one.keys for one in evidence] + ([] if distances is None else [[-distances]])
        total = np.sum([_log_ranks(one) for one in keys], axis=0)
        order = [place for place in np.argsort(total, kind="stable") if not excluded[place]][:k]
        vocabulary = self._tagger.tagged.vocabulary
        return TextAnswer(
            query=" + ".join(([like.image] if like else []) + ([text] if text.strip() else [])),
            tags={t.text: vocabulary[t.column] for t in wanted if t.column is not None},
            unseen=tuple(unseen),
            unknown=tuple(unknown),
            meant=self._meant([*unseen, *unknown], names),
            cancelled=tuple(t.text for t in wanted if any(map(t.means_the_same, unwanted))),
            excluded=int(excluded.sum()),
            learner=self._scored.learner if self._scored is not None else None,
            results=tuple(self._found(int(place), evidence, distances) for place in order),
        )

    def _found(
        self, place: int, evidence: Sequence[_Evidence], distances: NDArray[np.float32] | None
    ) -> TextFound:
        record = self._pictures.entries[place].record
        return TextFound(
            image_id=record.image_id,
            path=printable_path(record.path),
            distance=None if distances is None else float(distances[place]),
            scores={one.word: float(one.scores[place]) for one in evidence},
            confirmed=tuple(one.word for one in evidence if one.is_confirmed(place)),
            unscored=tuple(one.word for one in evidence if not one.is_scored(place)),
            tags=record.tags,
        )

    def _is_known(self, term: Term) -> bool:
        is_tag = term.column is not None
        return is_tag or self._tower is not None or self._unseen_words().is_known(term.text)

    def _meant(self, words: Sequence[str], names: TagNames) -> dict[str, str]:
        """Return the tags that words which are none were perhaps meant to be."""
        if self._tower is not None:
            return {}
        strange = (word for word in words if not self._unseen_words().is_common(word))
        return {word: tag for word in strange if (tag := names.near(word)) is not None}

    @cached_property
    def _tower(self) -> TowerWords | None:
        """The text side of the workspace's network, if it has one."""
        if not has_text_side(self._tagger.manifest["extractor"]["name"]):
            return None
        return TowerWords(self._tagger.extractor)

    def _evidence(self, term: Term) -> _Evidence:
        if term.column is None:
            return self._of_word(term.text)
        return self._of_tag(term.text, term.column)

    def _of_tag(self, tag: str, column: int) -> _Evidence:
        found = self._tag_scores()
        contents = [entry.content for entry in self._pictures.entries]
        tagged = self._tagger.tagged
        holders = np.repeat(np.arange(tagged.tags.n_images), np.diff(tagged.tags.indptr))
        carries = np.zeros(tagged.tags.n_images, bool)
        carries[holders[tagged.tags.indices == column]] = True
        places = [tagged.places_of(content) for content in contents]
        facts = self._tagger.pictures.facts(contents, [column])
        added, removed = (one[:, 0] for one in facts)
        confirmed = np.array([carries[place].any() for place in places], bool) | added
        scores = np.asarray(found.scores[column])
        # Among its best five a picture has some that nothing speaks for, where it has fewer tags.
        is_likely = (
            _is_like_carriers(scores, confirmed)
            if found.probabilities is None
            else found.probabilities[column] >= LEAST_PROBABILITY
        )
        given = (found.given == column).any(axis=1) & is_likely
        unscored = np.zeros(len(contents), bool)
        unscored[found.unscored[found.unscored[:, 1] == column, 0]] = True
        return _Evidence(
            tag,
            scores,
            is_of=confirmed | (given & ~removed),
            ties=None if found.ties is None else np.asarray(found.ties[column]),
            confirmed=confirmed,
            unscored=unscored,
        )

    def _of_word(self, word: str) -> _Evidence:
        if self._tower is not None:
            parts = [self._tower.scores([word], part) for part in self._pictures.features()]
            scores = np.concatenate(parts)[:, 0]
            return _Evidence(word, scores, _stands_out(scores))
        unseen = self._unseen_words()
        classes = self._pictures.class_probabilities()
        if self._directions is None:
            vocabulary = self._tagger.tagged.vocabulary
            self._directions = indexed_directions(self._pictures, unseen, vocabulary, self._learner)
        scores = unseen.scores([word], self._directions, classes)[:, 0]
        outright = np.broadcast_to(unseen.outright([word], classes)[:, 0], scores.shape)
        is_of = outright >= _LEAST_OUTRIGHT if outright.any() else _stands_out(scores)
        return _Evidence(word, scores, is_of)

    def _distances(self, like: Query) -> NDArray[np.float32]:
        """Return how far every picture is from another, float32 (n_pictures,), in [0, 2]."""
        tagger = self._tagger
        rows = np.array([entry.row for entry in self._pictures.entries], np.int64)
        near = tagger.index.search(tagger.vectors([like]), max(1, tagger.index.n_images))
        is_found = near.rows[0] >= 0
        distances = np.full(len(rows), _FARTHEST, np.float32)
        distances[np.searchsorted(rows, near.rows[0][is_found])] = near.distances[0][is_found]
        return distances

    def _tag_scores(self) -> TagScores:
        if self._scored is None:
            self._scored = self._pictures.tag_scores(self._learner)
        return self._scored

    def _unseen_words(self) -> UnseenWords:
        if self._unseen is None:
            self._unseen = UnseenWords((self._open_words or open_word_vectors)())
        return self._unseen
