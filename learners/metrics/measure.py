"""A measure is a value: it prints, parses, hashes and computes."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexing.errors import InputError
from learners.metrics.families import ALIASES, LQP, MEASURES, Form
from learners.metrics.judged import Judged
from learners.metrics.statistics import MeasureResult, Statistic

__all__ = ["MEASURES", "Measure", "parse_measure"]


@dataclass(frozen=True)
class Measure:
    """A measure with its cutoff or threshold; equal measures are equal values.

    Parameters
    ----------
    name : str
        A key of :data:`MEASURES`, or an alias.
    at : int or "lqp", optional
        What follows ``@``: ranks, tags emitted, or bins; ``"lqp"`` emits as many tags as
        the predicted quantity says.
    above : float, optional
        What follows ``>``: tags that score more are emitted.

    Raises
    ------
    InputError
        If the name is unknown or the rest does not fit it.

    Examples
    --------
    >>> str(Measure("ndcg", at=5))
    'ndcg@5'
    >>> Measure("map").compute([[0.9], [0.1], [0.4]], [[1], [0], [1]]).value
    1.0
    """

    name: str
    at: int | str | None = None
    above: float | None = None

    def __post_init__(self) -> None:
        name = ALIASES.get(self.name, self.name)
        if name not in MEASURES:
            raise InputError(
                f"no measure is called {self.name!r}; there are {', '.join(MEASURES)}; choose one"
            )
        object.__setattr__(self, "name", name)
        form = MEASURES[name].form
        a_number = isinstance(self.at, int) and not isinstance(self.at, bool) and self.at >= 1
        a_threshold = self.above is not None and math.isfinite(self.above)
        neither = self.at is None and self.above is None
        fits = {
            Form.PLAIN: neither,
            Form.CUTOFF: a_number and self.above is None,
            Form.BINS: a_number and self.above is None,
            Form.DECISION: ((a_number or self.at == LQP) and self.above is None)
            or (a_threshold and self.at is None),
        }
        if not fits[form]:
            raise InputError(
                f"{self} cannot be measured; {name} is written {_written(name, form)}; correct it"
            )
        if self.above is not None:
            object.__setattr__(self, "above", float(self.above))

    def __str__(self) -> str:
        at = "" if self.at is None else f"@{self.at}"
        above = "" if self.above is None else f">{self.above}"
        return f"{self.name}{at}{above}"

    @property
    def convention(self) -> str:
        """What the measure does with ties and with what has no relevant item."""
        return MEASURES[self.name].convention

    def compute(
        self,
        scores: ArrayLike,
        truth: ArrayLike,
        ids: Sequence[object] | NDArray[np.generic] | None = None,
        *,
        tags: Sequence[object] | NDArray[np.generic] | None = None,
        quantities: ArrayLike | None = None,
    ) -> MeasureResult:
        """Measure scores against the truth.

        Parameters
        ----------
        scores : array of float, shape (n_images, n_tags)
            Higher is better; no NaN; ``-inf`` = not a candidate.
        truth : array of bool or number, shape (n_images, n_tags)
            Above 0 = relevant; the value is the grade, which only NDCG reads.
        ids : sequence of str or int, length n_images, optional
            Ids of the pictures, which order tied ones, descending. None = by position.
        tags : sequence of str or int, length n_tags, optional
            Names of the tags, which order tied ones, descending. None = by position.
        quantities : array of float, shape (n_images,), optional
            Predicted number of labels, for ``@lqp``, ``lqp-accuracy`` and ``lqp-mse``.

        Returns
        -------
        MeasureResult
            Value, how many it was averaged over, how many were left out, values an item.

        Raises
        ------
        InputError
            If the arrays do not fit together or lack what the measure reads.
        """
        return self.apply(
            Judged(
                scores=np.asarray(scores),
                truth=np.asarray(truth),
                image_ids=ids,
                tags=tags,
                quantities=None if quantities is None else np.asarray(quantities),
            )
        )

    def apply(self, judged: Judged) -> MeasureResult:
        """Measure what is already checked and sorted; see :meth:`compute`."""
        return self.statistic(judged).result()

    def statistic(self, judged: Judged) -> Statistic:
        """Return what the measure reads, for resampling."""
        return MEASURES[self.name].statistic(self, judged)


def parse_measure(text: str) -> Measure:
    """Read a measure as it prints: ``map``, ``ndcg@5``, ``c-f1@lqp``, ``c-f1>0.5``, ``ece@15``.

    Raises
    ------
    InputError
        If the text is no measure.

    Examples
    --------
    >>> parse_measure("O-F1@5") == Measure("i-f1", at=5)
    True
    """
    match = re.fullmatch(r"([^@>]+)(?:@(\d+|lqp)|>(.+))?", text.strip().lower())
    if match is None:
        raise InputError(
            f"{text!r} is no measure; measures are written like map, ndcg@5, c-f1@lqp, c-f1>0.5; "
            "correct it"
        )
    name, at, above = match.groups()
    try:
        threshold = None if above is None else float(above)
    except ValueError:
        raise InputError(
            f"{text!r} has no number after '>'; a threshold is written like c-f1>0.5; correct it"
        ) from None
    return Measure(name, at=int(at) if at and at != LQP else at, above=threshold)


def _written(name: str, form: Form) -> str:
    return f"{name} alone" if form is Form.PLAIN else f"{name} with {form}"
