"""ConSE: a mixture of what is known of a picture, each thing where its name lies in word space."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.parameters import whole_number
from learners.words.directions import direction_scores, unit_rows
from learners.words.embeddings import WordVectors

__all__ = ["ClassWords", "mixture"]


def mixture(
    probabilities: NDArray[np.floating], vectors: NDArray[np.floating], n_best: int | None = None
) -> NDArray[np.float32]:
    r"""Return the mean of vectors, weighted by the probabilities of what they stand for.

    With :math:`p_c(x)` the probability of the :math:`c`-th of the :math:`n` best classes or tags
    of a picture, and :math:`v_c` its vector,

    .. math:: f(x) = \sum_c p_c(x) \, v_c .

    Parameters
    ----------
    probabilities : ndarray of float, shape (n_queries, n_classes)
        At least 0.
    vectors : ndarray of float, shape (n_classes, n_dims)
        Of unit length; zeros where a class has none.
    n_best : int, optional
        How many are mixed, the most probable ones; None = all.

    Returns
    -------
    ndarray of float32, shape (n_queries, n_dims)
        Of any length: what is sure is longer than what is mixed.

    Raises
    ------
    InputError
        If the shapes do not match.

    Notes
    -----
    The paper divides by the sum of the probabilities, which changes no ranking. Here it is left:
    a picture of which little is known then says little in a sum of directions.

    References
    ----------
    M. Norouzi et al., "Zero-Shot Learning by Convex Combination of Semantic Embeddings",
    ICLR 2014.

    Examples
    --------
    >>> mixture(np.array([[0.5, 0.25, 0.25]]), np.eye(3), n_best=1)
    array([[0.5, 0. , 0. ]], dtype=float32)
    """
    if probabilities.ndim != 2 or len(vectors) != probabilities.shape[1]:
        raise InputError(
            f"probabilities of shape {probabilities.shape} for {len(vectors)} vectors; one column "
            "a vector is accepted; give those of the same classes"
        )
    if n_best is not None and n_best < probabilities.shape[1]:
        whole_number("n_best", n_best)
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :n_best]
        kept = np.zeros_like(probabilities)
        np.put_along_axis(kept, order, np.take_along_axis(probabilities, order, axis=1), axis=1)
        probabilities = kept
    mixed: NDArray[np.float32] = (probabilities @ vectors).astype(np.float32)
    return mixed


@dataclass(frozen=True, eq=False)
class ClassWords:
    """Classes of a network, by their names in word space.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n_classes, n_dims)
        Of unit length; zeros where no name of a class has a vector.

    Examples
    --------
    >>> classes = ClassWords(np.eye(2, dtype=np.float32))
    >>> classes.word_scores(np.array([[0.6, 0.8]]), np.array([[0.0, 1.0]])).round(2)
    array([[0.8]], dtype=float32)
    """

    vectors: NDArray[np.float32]

    @classmethod
    def of(cls, names: Sequence[Sequence[str]], words: WordVectors) -> "ClassWords":
        """Look classes up: the first of a class's names that has a vector stands for it.

        Parameters
        ----------
        names : sequence of sequence of str
            Names of each class, the usual one first
            (:func:`indexing.words.class_names.imagenet_names`).
        words : WordVectors
        """
        vectors = np.zeros((len(names), words.n_dims), dtype=np.float32)
        for row, of_class in enumerate(names):
            found = [vector for vector in map(words.vector, of_class) if vector is not None]
            if found:
                vectors[row] = found[0]
        return cls(vectors)

    def directions(self, probabilities: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return where pictures lie in word space, float32 (n_queries, n_dims).

        Parameters
        ----------
        probabilities : ndarray of float, shape (n_queries, n_classes)
        """
        return mixture(probabilities, self.vectors)

    def word_scores(
        self, probabilities: NDArray[np.floating], word_vectors: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Score words by the classes alone, float32 (n_queries, n_words) in [-1, 1]."""
        return direction_scores(unit_rows(self.directions(probabilities)), word_vectors)
