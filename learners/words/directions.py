"""Directions in word space: what a picture is about, so that any word can be scored for it."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.base import Batch

__all__ = ["WordScorer", "direction_scores", "mixed_directions", "unit_rows"]


@runtime_checkable
class WordScorer(Protocol):
    """Scores any words for pictures, whether a picture was ever tagged with them or not."""

    def word_scores(self, batch: Batch, word_vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score words.

        Parameters
        ----------
        batch : Batch
            What the scorer reads of the pictures.
        word_vectors : ndarray of float32, shape (n_words, n_word_dims)
            In the word space it was fitted in; zeros where a word has no vector.

        Returns
        -------
        ndarray of float32, shape (n_queries, n_words)
            Higher is better, in [-1, 1]; comparable along rows and columns. A word without a
            vector scores -1.
        """


def unit_rows(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return vectors, shape (n, n_dims), at unit length; those that are zero stay.

    Examples
    --------
    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)
    return unit


def direction_scores(
    directions: NDArray[np.floating], word_vectors: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Return the cosine of each direction with each word.

    Parameters
    ----------
    directions : ndarray of float, shape (n_queries, n_dims)
        Of any length; zeros where nothing is known of a picture.
    word_vectors : ndarray of float, shape (n_words, n_dims)
        Of any length; zeros where a word has none.

    Returns
    -------
    ndarray of float32, shape (n_queries, n_words)
        In [-1, 1]; 0 throughout for a picture of which nothing is known, else -1 for a word
        without a vector.

    Raises
    ------
    InputError
        If they are of different widths.

    Examples
    --------
    >>> direction_scores(np.array([[2.0, 0.0]]), np.array([[1.0, 1.0], [0.0, 0.0]])).round(2)
    array([[ 0.71, -1.  ]], dtype=float32)
    """
    if directions.ndim != 2 or directions.shape[1:] != word_vectors.shape[1:]:
        raise InputError(
            f"words of shape {word_vectors.shape} for directions of shape {directions.shape}; "
            "vectors of one width are accepted; take both from the same word vectors"
        )
    scores: NDArray[np.float32] = np.clip(unit_rows(directions) @ unit_rows(word_vectors).T, -1, 1)
    is_known = directions.any(axis=1)
    scores[np.ix_(is_known, ~word_vectors.any(axis=1))] = -1
    return scores


def mixed_directions(
    *parts: tuple[float, NDArray[np.floating]],
) -> NDArray[np.float32]:
    """Return the weighted sum of directions, shape (n_queries, n_dims), at unit length.

    Examples
    --------
    >>> mixed_directions((1.0, np.array([[1.0, 0.0]])), (0.75, np.array([[0.0, 1.0]])))
    array([[0.8, 0.6]], dtype=float32)
    """
    return unit_rows(np.sum([weight * part for weight, part in parts], axis=0))
