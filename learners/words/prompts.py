"""Words in sentences, as image-text models want them, and back to one vector a word."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from learners.words.directions import unit_rows

__all__ = ["PROMPTS", "prompted_vectors"]

PROMPTS = (
    "a photo of {}.",
    "a photo of a {}.",
    "a photo of the {}.",
    "a close-up photo of {}.",
    "a picture that shows {}.",
    "{}.",
)
"""A tag may be a thing, several things, a place or a mood: no one sentence fits all."""


def prompted_vectors(
    words: Sequence[str],
    embed: Callable[[Sequence[str]], NDArray[np.float32]],
    prompts: Sequence[str] = PROMPTS,
) -> NDArray[np.float32]:
    """Return a vector a word: the mean over sentences that hold it, of unit length.

    Scores of pictures are then :func:`learners.words.directions.direction_scores` of the
    features that the same model gives them.

    Parameters
    ----------
    words : sequence of str
    embed : callable
        Gives vectors of unit length of texts, float32 (n_texts, n_dims)
        (:meth:`indexing.extractors.text_tower.TextTower.embed`).
    prompts : sequence of str, optional
        Sentences with ``{}`` where the word stands.

    Returns
    -------
    ndarray of float32, shape (n_words, n_dims)

    References
    ----------
    A. Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
    ICML 2021, section 3.1.4 (prompt ensembles, averaged in the space of embeddings).

    Examples
    --------
    >>> told = []
    >>> def embed(texts):
    ...     told.extend(texts)
    ...     return np.eye(2, dtype=np.float32)
    >>> prompted_vectors(["sea"], embed, ["{}.", "a photo of {}."]).round(2)
    array([[0.71, 0.71]], dtype=float32)
    >>> told
    ['sea.', 'a photo of sea.']
    """
    texts = [prompt.format(word) for word in words for prompt in prompts]
    if not texts:
        return np.zeros((0, embed(["."]).shape[1]), dtype=np.float32)
    embedded = embed(texts)  # (n_words * n_prompts, n_dims)
    return unit_rows(embedded.reshape(len(words), len(prompts), -1).mean(axis=1))
