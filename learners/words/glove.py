"""GloVe: word vectors from how often words occur together, from scratch or from given ones."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.base import Progress
from learners.parameters import real_number, whole_number

__all__ = ["Cooccurrences", "GloveSettings", "count_cooccurrences", "fit_glove", "glove_loss"]

# As the authors' program starts AdaGrad, so that first steps are not huge.
_FIRST_SQUARES = 1.0


@dataclass(frozen=True, kw_only=True)
class GloveSettings:
    r"""How GloVe is trained.

    Parameters
    ----------
    n_dims : int, default=50
        Width of a vector; that of the given ones where there are any.
    window : int, default=10
        Words on each side of a word in a text that are its context, at least 1. All tags of a
        picture are each other's context.
    min_count : int, default=1
        Words that occur less often are left out.
    x_max, alpha : float, default=10, 0.75
        Of the weight :math:`f(x) = \min(1, (x / x_{max})^\alpha)`. The authors' 100 is for
        billions of words.
    epochs : int, default=200
        Passes over all pairs.
    learning_rate : float, default=0.1
        Of AdaGrad.
    closeness : float, default=0.1
        How much vectors are held to given ones, at least 0.
    seed : int, default=0
        Of the start.
    """

    n_dims: int = 50
    window: int = 10
    min_count: int = 1
    x_max: float = 10.0
    alpha: float = 0.75
    epochs: int = 200
    learning_rate: float = 0.1
    closeness: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_dims", "window", "min_count", "epochs"):
            whole_number(name, getattr(self, name))
        whole_number("seed", self.seed, 0)
        for name in ("x_max", "alpha", "learning_rate"):
            real_number(name, getattr(self, name), above=0)
        real_number("closeness", self.closeness)


@dataclass(frozen=True, eq=False)
class Cooccurrences:
    """How often words occur together; every pair stands in both orders.

    Parameters
    ----------
    words : tuple of str
        Most frequent first, equal ones by name.
    counts : ndarray of int64, shape (n_words,)
        How often each occurs.
    rows, columns : ndarray of int64, shape (n_pairs,)
        Positions of the two words of a pair, which are not the same.
    weights : ndarray of float64, shape (n_pairs,)
        Above 0.
    """

    words: tuple[str, ...]
    counts: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    weights: NDArray[np.float64]


def count_cooccurrences(
    tag_sets: Iterable[Sequence[str]],
    texts: Iterable[Sequence[str]] = (),
    *,
    window: int = GloveSettings.window,
    min_count: int = 1,
) -> Cooccurrences:
    r"""Count which words occur together.

    Two words of a picture's tags count 1, in any order; two words of a text that stand
    :math:`d` words apart, within the window, :math:`1 / d`.

    Parameters
    ----------
    tag_sets : iterable of sequence of str
        The words of each picture's tags (:func:`learners.words.texts.training_words`).
    texts : iterable of sequence of str
        The words of each text, in order.
    window : int, default=10
    min_count : int, default=1
        Words that occur less often are left out, before anything is counted.

    Raises
    ------
    InputError
        If no two words occur together.

    Examples
    --------
    >>> found = count_cooccurrences([["sea", "sand"], ["sea"]])
    >>> found.words, found.weights
    (('sea', 'sand'), array([1., 1.]))
    """
    sets = [list(dict.fromkeys(words)) for words in tag_sets]
    lines = [list(words) for words in texts]
    counts = Counter(word for words in (*sets, *lines) for word in words)
    kept = sorted((w for w, n in counts.items() if n >= min_count), key=lambda w: (-counts[w], w))
    places = {word: place for place, word in enumerate(kept)}
    n_words = len(kept)
    codes, weights = [], []

    def add(first: NDArray[np.int64], second: NDArray[np.int64], weight: float) -> None:
        differ = first != second
        for one, other in ((first[differ], second[differ]), (second[differ], first[differ])):
            codes.append(one * n_words + other)
            weights.append(np.full(one.size, weight))

    for words in sets:
        known = np.array([places[word] for word in words if word in places], dtype=np.int64)
        first, second = np.triu_indices(known.size, k=1)
        add(known[first], known[second], 1.0)
    for words in lines:
        known = np.array([places[word] for word in words if word in places], dtype=np.int64)
        for distance in range(1, min(window, known.size - 1) + 1):
            add(known[:-distance], known[distance:], 1 / distance)
    pairs, owner = np.unique(np.concatenate([*codes, np.zeros(0, int)]), return_inverse=True)
    if not pairs.size:
        raise InputError(
            f"{n_words} words of which no two occur together; tag sets or texts of two words and "
            "more are accepted; give more of them, or a smaller min_count"
        )
    summed = np.zeros(pairs.size)
    np.add.at(summed, owner, np.concatenate(weights))
    totals = np.array([counts[word] for word in kept], dtype=np.int64)
    return Cooccurrences(tuple(kept), totals, pairs // n_words, pairs % n_words, summed)


def glove_loss(
    found: Cooccurrences,
    vectors: Sequence[NDArray[np.float64]],
    settings: GloveSettings,
    given: NDArray[np.float64] | None = None,
    is_given: NDArray[np.bool_] | None = None,
) -> tuple[float, tuple[NDArray[np.float64], ...]]:
    r"""Return the loss and its gradient.

    With :math:`X_{ij}` the weight of a pair, :math:`w_i, \tilde w_j` its vectors and
    :math:`b_i, \tilde b_j` its offsets,

    .. math:: J = \sum_{ij} f(X_{ij}) \bigl(w_i \cdot \tilde w_j + b_i + \tilde b_j
              - \log X_{ij}\bigr)^2
              + \mu \sum_i \lVert w_i + \tilde w_i - r_i \rVert^2 ,

    where the second sum is over the words that have a given vector :math:`r_i`.

    Parameters
    ----------
    found : Cooccurrences
    vectors : sequence of four ndarray of float64
        Word and context vectors, (n_words, n_dims), word and context offsets, (n_words,).
    settings : GloveSettings
        ``x_max``, ``alpha`` and ``closeness``, the :math:`\mu`, are read.
    given : ndarray of float64, shape (n_words, n_dims), optional
    is_given : ndarray of bool, shape (n_words,), optional

    Returns
    -------
    loss : float
    gradients : tuple of four ndarray of float64
        In the order and shapes of `vectors`.

    References
    ----------
    J. Pennington, R. Socher, C. Manning, "GloVe: Global Vectors for Word Representation",
    EMNLP 2014, equations 8 and 9; N. Dingwall, C. Potts, "Mittens: An Extension of GloVe for
    Learning Domain-Specialized Representations", NAACL 2018 (the second sum).
    """
    from scipy.sparse import csr_array

    words, contexts, word_offsets, context_offsets = vectors
    rows, columns = found.rows, found.columns
    importance = np.minimum(1, (found.weights / settings.x_max) ** settings.alpha)
    errors = np.einsum("ij,ij->i", words[rows], contexts[columns])
    errors += word_offsets[rows] + context_offsets[columns] - np.log(found.weights)
    loss = float(importance @ errors**2)
    shape = len(words), len(words)
    slope = csr_array((2 * importance * errors, (rows, columns)), shape=shape)
    of_words, of_contexts = slope @ contexts, slope.T @ words
    if given is not None and is_given is not None:
        away = np.where(is_given[:, None], words + contexts - given, 0)
        loss += settings.closeness * float(np.sum(away**2))
        of_words = of_words + 2 * settings.closeness * away
        of_contexts = of_contexts + 2 * settings.closeness * away
    return loss, (of_words, of_contexts, slope.sum(axis=1), slope.sum(axis=0))


def fit_glove(
    found: Cooccurrences,
    settings: GloveSettings | None = None,
    given: NDArray[np.float32] | None = None,
    is_given: NDArray[np.bool_] | None = None,
    on_progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Train word vectors by AdaGrad on all pairs at a time.

    Parameters
    ----------
    found : Cooccurrences
    settings : GloveSettings, optional
    given : ndarray of float32, shape (n_words, n_dims), optional
        Vectors to start from and to stay near; rows of words that have none are not read.
    is_given : ndarray of bool, shape (n_words,), optional
        Which words have one.
    on_progress : callable, optional
        Called with (stage, epochs done, epochs).

    Returns
    -------
    ndarray of float32, shape (n_words, n_dims)
        The sum of a word's two vectors.

    Raises
    ------
    InputError
        If the given vectors do not match the words.
    """
    settings = settings or GloveSettings()
    n_words, n_dims = len(found.words), settings.n_dims
    start = None
    if given is not None:
        if is_given is None or len(given) != n_words or is_given.shape != (n_words,):
            raise InputError(
                f"{len(given)} given vectors for {n_words} words; a row a word, and which of them "
                "have one, is accepted; look each word up"
            )
        n_dims = given.shape[1]
        start = given.astype(np.float64)
    rng = np.random.default_rng(settings.seed)
    words, contexts = ((rng.random((n_words, n_dims)) - 0.5) / n_dims for _ in range(2))
    if start is not None and is_given is not None:
        words[is_given] += start[is_given] / 2
        contexts[is_given] += start[is_given] / 2
    vectors = (words, contexts, np.zeros(n_words), np.zeros(n_words))
    squares = [np.full_like(part, _FIRST_SQUARES) for part in vectors]
    for epoch in range(settings.epochs):
        _, gradients = glove_loss(found, vectors, settings, start, is_given)
        for part, square, gradient in zip(vectors, squares, gradients, strict=True):
            square += gradient**2
            part -= settings.learning_rate * gradient / np.sqrt(square)
        if on_progress is not None:
            on_progress("word vectors", epoch + 1, settings.epochs)
    return (words + contexts).astype(np.float32)
