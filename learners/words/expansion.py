"""Words that predicted tags bring along, and whether the picture supports them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from indexing.tags import tag_key
from learners.words.directions import direction_scores
from learners.words.embeddings import WordVectors
from learners.words.lemmas import noun_lemma

__all__ = ["N_NEAREST", "BroughtWord", "Chance", "brought_words", "supported"]

N_NEAREST = 2
"""Words that each tag brings, as the paper has it."""

# Share of a corpus's pairs of a picture and a tag that score above what counts as chance.
_CHANCE_SHARE = 0.05


@dataclass(frozen=True)
class BroughtWord:
    """A word that a predicted tag brings along.

    Parameters
    ----------
    word : str
    tag : str
        The first of the predicted tags that bring it.
    cosine : float
        Of the word with that tag.
    """

    word: str
    tag: str
    cosine: float


def brought_words(
    tags: Sequence[str],
    words: WordVectors,
    n_nearest: int = N_NEAREST,
    among: Sequence[str] | None = None,
    n_frequent: int | None = None,
) -> list[BroughtWord]:
    """Return the nearest words of predicted tags, each once.

    Parameters
    ----------
    tags : sequence of str
        What was predicted for a picture, best first.
    words : WordVectors
    n_nearest : int, default=2
        Words that each tag brings.
    among : sequence of str, optional
        Tags that may be brought; None = every word of the vectors.
    n_frequent : int, optional
        How many words of the vectors, from the most frequent on, may be brought; None = all.

    Returns
    -------
    list of BroughtWord
        In the order of the tags, nearest first; no predicted tag and no word twice, whatever
        their form. A tag without a vector brings nothing.

    References
    ----------
    "Image Tagging", section III.B and equation 6: for each tag the two nearest words by cosine,
    duplicates removed.
    """
    near = words.neighbors(list(tags), n_nearest, among, n_frequent)
    taken = {_form(tag) for tag in tags}
    brought = []
    for tag, found in zip(tags, near, strict=True):
        for word, cosine in found:
            form = _form(word)
            if form not in taken:
                taken.add(form)
                brought.append(BroughtWord(word, tag, cosine))
    return brought


@dataclass(frozen=True)
class Chance:
    """What words score for pictures that they have nothing to do with.

    Parameters
    ----------
    level : float
        The score that so few pairs of a picture and a tag of the corpus exceed that it is
        taken for more than chance.
    """

    level: float

    @classmethod
    def of(
        cls,
        directions: NDArray[np.floating],
        tag_vectors: NDArray[np.floating],
        share: float = _CHANCE_SHARE,
    ) -> "Chance":
        """Read it from a corpus: nearly all of its pairs of a picture and a tag are wrong ones.

        Parameters
        ----------
        directions : ndarray of float, shape (n_images, n_dims)
            Of pictures of the corpus; those that are zero count for nothing.
        tag_vectors : ndarray of float, shape (n_tags, n_dims)
            Of the corpus's own tags; those that are zero count for nothing.
        share : float, default=0.05
            Of the pairs that exceed the level, in (0, 1).

        Raises
        ------
        InputError
            If the share is outside (0, 1), or nothing is left to read from.
        """
        if not 0 < share < 1:
            raise InputError(f"a share of {share:g}; one between 0 and 1 is accepted; change it")
        known, named = directions.any(axis=1), tag_vectors.any(axis=1)
        if not known.any() or not named.any():
            raise InputError(
                f"{int(known.sum())} pictures with a direction and {int(named.sum())} tags with a "
                "vector to read chance from; one of each at least is accepted; use word vectors "
                "that know the tags"
            )
        scores = direction_scores(directions[known], tag_vectors[named])
        return cls(float(np.quantile(scores, 1 - share)))


def supported(
    brought: Sequence[BroughtWord],
    words: WordVectors,
    direction: NDArray[np.floating],
    chance: Chance,
) -> list[tuple[BroughtWord, float]]:
    """Return the brought words that the picture itself supports, best first.

    Parameters
    ----------
    brought : sequence of BroughtWord
    words : WordVectors
        Those that the direction lies in.
    direction : ndarray of float, shape (n_dims,)
        Of the picture (:meth:`learners.words.fast0tag.Fast0Tag.directions`).
    chance : Chance
        Of the same corpus and directions.

    Returns
    -------
    list of (BroughtWord, float)
        With the zero-shot score of each, which is above chance.
    """
    vectors, _ = words.matrix([one.word for one in brought])
    scores = direction_scores(direction[None], vectors)[0]
    order = np.argsort(-scores, kind="stable")
    return [(brought[i], float(scores[i])) for i in order if scores[i] > chance.level]


def _form(word: str) -> str:
    """Return what two forms of a word share."""
    *rest, last = tag_key(word).split(" ")
    return " ".join([*rest, noun_lemma(last)])
