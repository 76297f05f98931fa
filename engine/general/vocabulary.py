"""The general vocabulary, and what class probabilities say of its words."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.tags import tag_key
from learners.words.lemmas import noun_lemma

__all__ = ["WORDS_FILE", "GeneralWords", "load_general_words"]

WORDS_FILE = Path(__file__).with_name("words.json")
"""What :mod:`engine.general.deriving` made."""

# Classes of a picture that count, its most probable ones: what the others share is only doubt.
_COUNTED = 40
# Probability of clothes and people at which somebody is as likely there as not: measured on the
# 4,500 training pictures of Corel-5K.
_EVEN = 0.04

_PEOPLE = "people"  # no form of the word for one of them


@dataclass(frozen=True, eq=False)
class GeneralWords:
    """Words, the classes that each is said of, and what it is worth to hear it.

    Parameters
    ----------
    words : tuple of str
        In order.
    classes : tuple of ndarray of int64
        Of each word; the classes of several words may be the same.
    weights : ndarray of float32, shape (n_words,)
        How much a word tells and how common it is, above 0.
    person : str
        The word for people, whose classes are people and what they wear.
    """

    words: tuple[str, ...]
    classes: tuple[NDArray[np.int64], ...]
    weights: NDArray[np.float32]
    person: str

    def probabilities(self, of_classes: NDArray[np.float32]) -> NDArray[np.float32]:
        r"""Return how likely it is that each word is right.

        A word's classes add up, if they are among the 40 most probable ones of a picture. For
        people, with :math:`c` the probability of clothes and people together, it is
        :math:`c^2 / (c^2 + 0.04^2)`: who wears something is there, and the network has no class
        for them.

        Parameters
        ----------
        of_classes : ndarray of float32, shape (n_images, n_classes)
            Probabilities of the classes.

        Returns
        -------
        ndarray of float32, shape (n_images, n_words)
        """
        n_others = max(0, of_classes.shape[1] - _COUNTED)
        least = np.partition(of_classes, n_others, axis=1)[:, [n_others]]  # (n_images, 1)
        counted = np.where(of_classes >= least, of_classes, 0)
        found = np.add.reduceat(counted[:, self._flat], self._starts, axis=1)
        person = self.words.index(self.person)
        worn = np.square(found[:, person])
        found[:, person] = worn / (worn + _EVEN**2)
        return np.minimum(found, 1).astype(np.float32)

    def column(self, word: str) -> int | None:
        """Return the place of a word, in any form; None where it is not there."""
        first, space, last = tag_key(word).rpartition(" ")
        lemma = first + space + noun_lemma(last)
        return self._columns.get(self.person if lemma == _PEOPLE else lemma)

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.words)}

    @cached_property
    def _flat(self) -> NDArray[np.int64]:
        return np.concatenate(self.classes)

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        return np.cumsum([0, *(len(places) for places in self.classes[:-1])])


def load_general_words() -> GeneralWords:
    """Return the vocabulary that comes with the project."""
    content = json.loads(WORDS_FILE.read_text(encoding="utf-8"))
    people = content["worn"]
    entries = {**content["words"], people["word"]: people}
    return GeneralWords(
        words=tuple(entries),
        classes=tuple(np.array(entry["classes"], np.int64) for entry in entries.values()),
        weights=np.array([entry["weight"] for entry in entries.values()], np.float32),
        person=people["word"],
    )
