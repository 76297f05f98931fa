"""Hyper-parameters as people write them, checked."""

import math
from enum import StrEnum
from typing import TypeVar

import numpy as np

from indexing.errors import InputError

__all__ = ["one_of", "real_number", "true_or_false", "whole_number"]

Kind = TypeVar("Kind", bound=StrEnum)


def one_of(name: str, value: object, kinds: type[Kind]) -> Kind:
    """Return a member of a closed set.

    Raises
    ------
    InputError
        If it is none.

    Examples
    --------
    >>> from learners.losses import Loss
    >>> one_of("loss", "squared", Loss)
    <Loss.SQUARED: 'squared'>
    """
    for kind in kinds:
        if kind == value:
            return kind
    raise InputError(f"{name} is {value!r}; it is one of {', '.join(kinds)}; choose one")


def whole_number(name: str, value: object, least: int = 1) -> int:
    """Return a whole number of at least `least`.

    Raises
    ------
    InputError
        If it is none.

    Examples
    --------
    >>> whole_number("n_neighbors", 5)
    5
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InputError(f"{name} is {value!r}; it is a whole number, at least {least}")
    if value < least:
        raise InputError(f"{name} is {value}; it is at least {least}; raise it")
    return int(value)


def real_number(name: str, value: object, *, above: float | None = None) -> float:
    """Return a finite number of at least 0, or one above a bound.

    Raises
    ------
    InputError
        If it is none.

    Examples
    --------
    >>> real_number("weight_decay", 20)
    20.0
    """
    accepted = "a number of at least 0" if above is None else f"a number above {above:g}"
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise InputError(f"{name} is {value!r}; it is {accepted}")
    number = float(value)
    if not math.isfinite(number) or (number < 0 if above is None else number <= above):
        raise InputError(f"{name} is {number:g}; it is {accepted}; change it")
    return number


def true_or_false(name: str, value: object) -> bool:
    """Return a truth value.

    Raises
    ------
    InputError
        If it is none.

    Examples
    --------
    >>> true_or_false("sigmoids", False)
    False
    """
    if not isinstance(value, bool):
        raise InputError(f"{name} is {value!r}; it is True or False; choose one")
    return value
