"""Scores of words that nobody has tagged with: by classes of ImageNet, and by where they lie."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.general.vocabulary import GeneralWords, load_general_words
from indexing.words.class_names import imagenet_names
from learners.words import ClassWords, WordVectors, direction_scores, mixture

__all__ = ["N_FREQUENT", "UnseenWords"]

N_FREQUENT = 50_000
"""Words of a table of vectors, from the most frequent on; behind are names and misspellings."""

# What the tags of a picture add to the direction of its classes. Chosen on a fold of Corel-5K's
# training pictures with one label held out at a time: precision at 10 of 0.43, 0.45, 0.45 and 0.45
# for 0, 0.25, 0.5 and 1.
_TAG_SHARE = 0.25


class UnseenWords:
    r"""Score any words that have a vector, whether anybody has ever tagged with them or not.

    With :math:`p_c` the probabilities of ImageNet's classes, :math:`p_t` those of the
    workspace's tags, and :math:`v` the vectors of their names, a picture lies at

    .. math:: f = \sum_c p_c v_c + \frac{1}{4} \sum_t p_t v_t , \qquad
              score(w) = \cos(f, v_w) + p_w ,

    where :math:`p_w` is what the classes say of the word outright, if it is a general one
    (:class:`engine.general.vocabulary.GeneralWords`), else 0.

    Parameters
    ----------
    words : WordVectors

    References
    ----------
    M. Norouzi et al., "Zero-Shot Learning by Convex Combination of Semantic Embeddings", ICLR
    2014; the tags as further classes, and the outright probability, are this project's.
    """

    def __init__(self, words: WordVectors) -> None:
        self.words = words

    @cached_property
    def _classes(self) -> ClassWords:
        return ClassWords.of(imagenet_names(), self.words)

    @property
    def class_vectors(self) -> NDArray[np.float32]:
        """Where the names of ImageNet's classes lie, float32 (n_classes, n_dims)."""
        return self._classes.vectors

    @cached_property
    def _general(self) -> GeneralWords:
        return load_general_words()

    def directions(
        self,
        classes: NDArray[np.floating] | None,
        tags: Sequence[str] = (),
        tag_probabilities: NDArray[np.floating] | None = None,
    ) -> NDArray[np.float32]:
        """Return where pictures lie in word space, float32 (n_pictures, n_dims).

        Parameters
        ----------
        classes : ndarray of float, shape (n_pictures, n_classes), or None
            Probabilities of ImageNet's classes, where they are known.
        tags : sequence of n_tags str
        tag_probabilities : ndarray of float, shape (n_pictures, n_tags), or None
            In [0, 1], where they are known.
        """
        parts = []
        if classes is not None:
            parts.append(self._classes.directions(classes.astype(np.float32)))
        if tag_probabilities is not None and len(tags):
            vectors, _ = self.words.matrix(tags)
            parts.append(np.float32(_TAG_SHARE) * mixture(tag_probabilities, vectors))
        total: NDArray[np.float32] = np.sum(parts, axis=0, dtype=np.float32)
        return total

    def scores(
        self,
        asked: Sequence[str],
        directions: NDArray[np.float32],
        classes: NDArray[np.floating] | None,
    ) -> NDArray[np.float32]:
        """Return scores, float32 (n_pictures, n_asked): -1 to 2, higher is better.

        Parameters
        ----------
        asked : sequence of str
            A word without a vector that is no general one scores -1.
        directions : ndarray of float32, shape (n_pictures, n_dims)
            From :meth:`directions`.
        classes : ndarray of float, shape (n_pictures, n_classes), or None
        """
        vectors, _ = self.words.matrix(asked)
        return direction_scores(directions, vectors) + self.outright(asked, classes)

    def outright(
        self, asked: Sequence[str], classes: NDArray[np.floating] | None
    ) -> NDArray[np.float32]:
        """Return what the classes say of general words, in [0, 1]; 0 of any other."""
        columns = [self._general.column(word) for word in asked]
        found = np.zeros((0 if classes is None else len(classes), len(asked)), np.float32)
        if classes is None or all(column is None for column in columns):
            return found if classes is not None else np.zeros((1, len(asked)), np.float32)
        general = self._general.probabilities(classes.astype(np.float32))
        for place, column in enumerate(columns):
            if column is not None:
                found[:, place] = general[:, column]
        return found

    def is_known(self, word: str) -> bool:
        """Return whether a word has a vector, or is a general one."""
        return self.words.vector(word) is not None or self._general.column(word) is not None

    def is_common(self, word: str) -> bool:
        """Return whether every part of a text is a frequent word, or all of it a general one.

        Others are perhaps mistyped, though they may have a vector.
        """
        if self._general.column(word) is not None:
            return True
        taken = self.words.words_of(word)
        # A word that was cut into several is none itself.
        if taken.unknown or len(taken.known) > len(word.split()):
            return False
        return bool(taken.known) and all(
            self.words.table.find(one) < N_FREQUENT for one in taken.known
        )
