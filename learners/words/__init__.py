"""Tags as words: their vectors, what is near them, and scores for words nobody has used yet."""

from learners.words.conse import ClassWords, mixture
from learners.words.directions import (
    WordScorer,
    direction_scores,
    mixed_directions,
    unit_rows,
)
from learners.words.embeddings import TagWords, WordVectors, open_word_vectors

__all__ = [
    "ClassWords",
    "TagWords",
    "WordScorer",
    "WordVectors",
    "direction_scores",
    "mixed_directions",
    "mixture",
    "open_word_vectors",
    "unit_rows",
]
