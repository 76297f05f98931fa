"""Tags and texts as the words that word vectors are trained on."""

import re
from collections.abc import Iterable

from indexing.tags import tag_key
from learners.words.lemmas import noun_lemma

__all__ = ["STOP_WORDS", "training_words"]

STOP_WORDS = frozenset(
    [
        "a",
        "about",
        "above",
        "after",
        "again",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "before",
        "being",
        "below",
        "between",
        "both",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "down",
        "during",
        "each",
        "either",
        "few",
        "for",
        "from",
        "further",
        "had",
        "has",
        "have",
        "having",
        "he",
        "her",
        "here",
        "hers",
        "herself",
        "him",
        "himself",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "itself",
        "just",
        "many",
        "may",
        "me",
        "might",
        "more",
        "most",
        "much",
        "must",
        "my",
        "myself",
        "neither",
        "no",
        "nor",
        "not",
        "now",
        "of",
        "off",
        "on",
        "once",
        "only",
        "or",
        "other",
        "our",
        "ours",
        "ourselves",
        "out",
        "over",
        "own",
        "same",
        "shall",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "theirs",
        "them",
        "themselves",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "too",
        "under",
        "until",
        "up",
        "upon",
        "us",
        "very",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
        "yours",
        "yourself",
        "yourselves",
    ]
)
"""Words that say how others hang together, and nothing of what a picture shows."""

_WORD = re.compile(r"[^\W\d_][^\W_]*")


def training_words(text: str) -> list[str]:
    """Return the words of a tag or a text, in order, without stop words, in dictionary form.

    Parameters
    ----------
    text : str
        A tag, a title, a description.

    References
    ----------
    "Image Tagging", section III.B: stop words removed, words lemmatised.

    Examples
    --------
    >>> training_words("Two tigers are playing in the leaves")
    ['two', 'tiger', 'playing', 'leaf']
    """
    return [noun_lemma(word) for word in _known(_WORD.findall(tag_key(text)))]


def _known(words: Iterable[str]) -> Iterable[str]:
    return (word for word in words if word not in STOP_WORDS)
