"""What tags are kinds of, in WordNet's words: a tiger is a feline, and an animal."""

import re
from collections.abc import Callable, Sequence
from math import log1p

import numpy as np
from numpy.typing import NDArray

from engine.results import RankedTag, Relation
from indexing.words import Sense, Synset, WordNet
from learners.words import WordVectors
from learners.words.lemmas import noun_lemma

__all__ = ["NO_TAGS", "Hierarchy", "is_seen", "means"]

# Too general, or far more often said of something else.
_SAID_OF_NOTHING_SEEN = """
accessory apparatus appliance article artifact associate attachment attribute automatic bank bar
barrier bin brace clip commodity connector constraint construction container contestant course cover
covering covert craft creation creature cutter decoration depression device dip drug dwelling emblem
entity equal equipment establishment explorer facility feed filter fixing fluid fodder formation
gear good home hose housing implement instrument instrumentation kernel kit lever ligament liquid
lodging lounge machine mart material matter mechanism medicine module murphy nutrition object
obstruction organism outlet outpouring part participant peer peripheral piece pin place produce
product protection rig rod screen setup shaker shelter slot solid stand stick store string structure
substance support surface sweet system textile timer tool top trailer transport trap turner unit
upright vertical ware warmer watchdog wear whole work workplace wrap
"""
NO_TAGS = frozenset(_SAID_OF_NOTHING_SEEN.split())
"""Words that nobody tags a picture with."""

# Lexicographer files of things that can be seen: animals, artefacts, body, food, objects, people,
# phenomena, plants; see lexnames(5WN).
_SEEN_DOMAINS = frozenset({5, 6, 8, 13, 17, 18, 19, 20})
# Of the top of WordNet's tree, which lies in a file of its own.
_SEEN_TOPS = frozenset({"animal", "food", "person", "plant"})
# A word that a synset shares with others is its word if it means it about as often as anything.
_SHARE_OF_FIRST_SENSE = 0.5
_RAREST_RANK = 50_000
# What the logarithm of how often a sense was counted adds to a cosine.
_FREQUENCY_WEIGHT = 0.05
_WORD = re.compile(r"[a-z]+")


def is_seen(synset: Synset) -> bool:
    """Return whether a synset is of things that can be seen."""
    return synset.domain in _SEEN_DOMAINS or bool(_SEEN_TOPS.intersection(synset.words))


def means(senses: Sequence[Sense], synset: Synset) -> bool:
    """Return whether a word of these senses means a synset about as often as its first sense."""
    place = next((i for i, sense in enumerate(senses) if sense.synset == synset), -1)
    if place <= 0:
        return place == 0
    first, own = senses[0].n_tagged, senses[place].n_tagged
    if first == 0:
        return place == 1  # never counted: any order is a guess, the second as good as the first
    return own >= max(1, _SHARE_OF_FIRST_SENSE * first)


class Hierarchy:
    r"""Adds to tags what they are kinds of.

    A tag that means several things is taken for the one whose definition and kinds lie nearest,
    in word space, to all the tags of the picture; how often WordNet's texts meant it counts too:
    with :math:`v` the mean vector of the picture's tags, :math:`d_s` that of the words of a
    sense's definition and of its kinds, and :math:`n_s` how often it was counted,

    .. math:: \cos(v, d_s) + 0.05 \log(1 + n_s) .

    Of the words for its kinds, those are added that are common, mean it in the first place, are
    not too general to be a tag, and are of something that can be seen.

    Parameters
    ----------
    wordnet : WordNet
    words : WordVectors
    """

    def __init__(self, wordnet: WordNet, words: WordVectors) -> None:
        self._wordnet = wordnet
        self._words = words

    def __call__(self, tags: Sequence[RankedTag]) -> tuple[RankedTag, ...]:
        """Return tags, and behind them what they are kinds of, each once and marked.

        Parameters
        ----------
        tags : sequence of RankedTag
            Of one picture.
        """
        names = [ranked.tag for ranked in tags if ranked.brought_by is None]
        taken = {noun_lemma(ranked.tag.casefold()) for ranked in tags}
        added = []
        for ranked in tags:
            if ranked.brought_by is not None:
                continue
            for kind in self.kinds(ranked.tag, names):
                if kind not in taken:
                    taken.add(kind)
                    added.append(
                        RankedTag(
                            kind,
                            ranked.score,
                            is_scored=ranked.is_scored,
                            brought_by=ranked.tag,
                            relation=Relation.KIND,
                        )
                    )
        return (*tags, *added)

    def kinds(self, tag: str, beside: Sequence[str] = ()) -> list[str]:
        """Return what a tag is a kind of, the nearest first.

        Parameters
        ----------
        tag : str
            One that WordNet does not know is a kind of nothing.
        beside : sequence of str
            The tags of the same picture, which tell what it means.
        """
        sense = self.sense(tag, beside)
        if sense is None:
            return []
        above = [self._wordnet.synset(offset) for offset in self._wordnet.ancestors(sense.offset)]
        kinds = [self._common(synset) for synset in above[1:]]
        return list(dict.fromkeys(kind for kind in kinds if kind is not None))

    def sense(self, tag: str, beside: Sequence[str] = ()) -> Synset | None:
        """Return what a tag means, None where WordNet does not know it."""
        senses = self._wordnet.senses(tag)
        if len(senses) < 2:
            return senses[0].synset if senses else None
        about = _mean(self._words, [tag, *beside])
        worth = [
            float(about @ self._definition(sense.synset))
            + _FREQUENCY_WEIGHT * log1p(sense.n_tagged)
            for sense in senses
        ]
        return senses[int(np.argmax(worth))].synset

    def _definition(self, synset: Synset) -> NDArray[np.float32]:
        """Return the mean vector of a definition, without examples, and of the next two kinds."""
        offsets = list(self._wordnet.ancestors(synset.offset))[1:3]
        kinds = [word for offset in offsets for word in self._wordnet.synset(offset).words]
        said = _WORD.findall(synset.gloss.partition('; "')[0].lower())
        return _mean(self._words, [*said, *kinds])

    def _common(self, synset: Synset) -> str | None:
        """Return the most common word for a synset; None where there is none to tag with."""
        rank: Callable[[str], int] = self._words.table.find
        words = [word.lower() for word in synset.words if is_seen(synset)]
        common = [
            word
            for word in words
            if word not in NO_TAGS
            and 0 <= rank(word) < _RAREST_RANK
            and means(self._wordnet.senses(word), synset)
        ]
        return min(common, key=rank, default=None)


def _mean(words: WordVectors, said: Sequence[str]) -> NDArray[np.float32]:
    """Return the mean vector of words, at unit length; zeros where none has one."""
    vectors, _ = words.matrix(list(said))
    mean = vectors.sum(axis=0)
    norm = float(np.linalg.norm(mean))
    unit: NDArray[np.float32] = mean / norm if norm > 0 else mean
    return unit
