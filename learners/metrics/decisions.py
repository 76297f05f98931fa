"""Measures of a decision: which tags were emitted, and which of them are right."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexing.errors import InputError
from learners.metrics.judged import Judged

__all__ = ["COUNT_MEASURES", "LabelCounts", "emit", "harmonic_mean", "quantities_to_emit"]


def quantities_to_emit(quantities: ArrayLike, n_tags: int) -> NDArray[np.int64]:
    """Round predicted label quantities to how many tags are emitted.

    Parameters
    ----------
    quantities : array of float, shape (n_images,)
        Predicted number of labels, unrounded.
    n_tags : int
        Size of the vocabulary.

    Returns
    -------
    ndarray of int64, shape (n_images,)
        ``floor(quantity + 0.5)`` clipped to ``0 .. n_tags``.

    Notes
    -----
    Python's and NumPy's ``round`` go to the even neighbour and would turn 2.5 into 2.

    Examples
    --------
    >>> quantities_to_emit([2.5, -3.0, 0.49, 99.0], n_tags=10)
    array([ 3,  0,  0, 10])
    """
    rounded = np.floor(np.asarray(quantities, dtype=np.float64) + 0.5)
    return np.clip(rounded, 0, n_tags).astype(np.int64)


def emit(
    judged: Judged, *, top: int | None = None, above: float | None = None
) -> NDArray[np.bool_]:
    """Decide which tags each picture gets.

    Parameters
    ----------
    judged : Judged
        The scores.
    top : int, optional
        The best so many tags.
    above : float, optional
        Every tag that scores more than this. With neither, each picture gets as many tags as
        ``judged.quantities`` says.

    Returns
    -------
    ndarray of bool, shape (n_images, n_tags)
        No tag that is not a candidate.

    Raises
    ------
    InputError
        If the quantities are needed and missing.
    """
    if above is not None:
        return judged.candidates & (judged.scores > above)
    if top is not None:
        emitted = np.zeros(judged.scores.shape, dtype=bool)
        np.put_along_axis(emitted, judged.tag_order[:, :top], True, axis=1)
        return emitted & judged.candidates
    if judged.quantities is None:
        raise InputError(
            "a measure @lqp without predicted quantities; it emits as many tags as they say; "
            "give quantities=..."
        )
    n_emitted = quantities_to_emit(judged.quantities, judged.n_tags)
    emitted = np.empty(judged.scores.shape, dtype=bool)
    np.put_along_axis(
        emitted, judged.tag_order, np.arange(judged.n_tags) < n_emitted[:, None], axis=1
    )
    return emitted & judged.candidates


@dataclass(frozen=True, eq=False)
class LabelCounts:
    """How often each label was emitted, true, and both; leading axes are kept apart.

    Parameters
    ----------
    correct : ndarray of number, shape (..., n_tags)
        Pictures that have the label and got it: NI^c.
    emitted : ndarray of number, shape (..., n_tags)
        Pictures that got it: NI^p.
    relevant : ndarray of number, shape (..., n_tags)
        Pictures that have it: NI^g.

    References
    ----------
    Y. Niu, Z. Lu, J.-R. Wen, T. Xiang, S.-F. Chang, "Multi-Modal Multi-Scale Deep Learning
    for Large-Scale Image Annotation", arXiv 1709.01220, equations 6 and 7.
    """

    correct: NDArray[np.number]
    emitted: NDArray[np.number]
    relevant: NDArray[np.number]

    @classmethod
    def of(cls, emitted: NDArray[np.bool_], relevant: NDArray[np.bool_]) -> "LabelCounts":
        """Count over the pictures, from decisions and truth of shape (n_images, n_tags)."""
        return cls(
            correct=np.count_nonzero(emitted & relevant, axis=0),
            emitted=np.count_nonzero(emitted, axis=0),
            relevant=np.count_nonzero(relevant, axis=0),
        )

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Whether the label is true of a picture; the means run over these, (..., n_tags)."""
        return np.asarray(self.relevant > 0)

    def precisions(self) -> NDArray[np.float64]:
        """Precision of each label; 0 where never emitted, NaN where it is true of nothing."""
        return np.where(self.judged, _ratio(self.correct, self.emitted), np.nan)

    def recalls(self) -> NDArray[np.float64]:
        """Recall of each label; NaN where it is true of nothing."""
        return np.where(self.judged, _ratio(self.correct, self.relevant), np.nan)

    def c_precision(self) -> NDArray[np.float64]:
        """Mean precision over the labels: C-P."""
        return self._mean(self.precisions())

    def c_recall(self) -> NDArray[np.float64]:
        """Mean recall over the labels: C-R."""
        return self._mean(self.recalls())

    def c_f1(self) -> NDArray[np.float64]:
        """F1 of the mean precision and the mean recall: C-F1, not the mean of F1."""
        return harmonic_mean(self.c_precision(), self.c_recall())

    def i_precision(self) -> NDArray[np.float64]:
        """Precision of all decisions together: I-P."""
        return _ratio(self.correct.sum(axis=-1), self.emitted.sum(axis=-1))

    def i_recall(self) -> NDArray[np.float64]:
        """Recall of all true labels together: I-R; NaN where nothing is true."""
        n_relevant = self.relevant.sum(axis=-1)
        return np.where(n_relevant > 0, _ratio(self.correct.sum(axis=-1), n_relevant), np.nan)

    def i_f1(self) -> NDArray[np.float64]:
        """F1 of the two: I-F1."""
        return harmonic_mean(self.i_precision(), self.i_recall())

    def h_f1(self) -> NDArray[np.float64]:
        """Harmonic mean of C-F1 and I-F1: H-F1."""
        return harmonic_mean(self.c_f1(), self.i_f1())

    def n_recalled(self) -> NDArray[np.float64]:
        """Count the labels with recall above 0: N+."""
        return np.asarray(np.count_nonzero(self.correct > 0, axis=-1), dtype=np.float64)

    def _mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        n_judged = np.count_nonzero(self.judged, axis=-1)
        total = np.where(self.judged, values, 0).sum(axis=-1)
        return np.where(n_judged > 0, _ratio(total, n_judged), np.nan)


COUNT_MEASURES: dict[str, Callable[[LabelCounts], NDArray[np.float64]]] = {
    "c-p": LabelCounts.c_precision,
    "c-r": LabelCounts.c_recall,
    "c-f1": LabelCounts.c_f1,
    "i-p": LabelCounts.i_precision,
    "i-r": LabelCounts.i_recall,
    "i-f1": LabelCounts.i_f1,
    "h-f1": LabelCounts.h_f1,
    "n+": LabelCounts.n_recalled,
}
"""Measures that are functions of the counts a label."""


def harmonic_mean(
    a: NDArray[np.floating] | float, b: NDArray[np.floating] | float
) -> NDArray[np.float64]:
    """Return ``2 a b / (a + b)``, 0 where both are 0."""
    return _ratio(2 * np.multiply(a, b), np.add(a, b))


def _ratio(
    numerator: NDArray[np.number] | float, denominator: NDArray[np.number] | float
) -> NDArray[np.float64]:
    """Divide; 0 where the denominator is 0."""
    above, below = np.broadcast_arrays(
        np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    )
    quotient = np.zeros(above.shape)
    np.divide(above, below, out=quotient, where=below != 0)
    return quotient
