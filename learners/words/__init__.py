"""Tags as words: their vectors, what is near them, and scores for words nobody has used yet."""

from learners.words.embeddings import TagWords, WordVectors, open_word_vectors

__all__ = ["TagWords", "WordVectors", "open_word_vectors"]
