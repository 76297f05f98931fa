"""Hyper-parameters as people type them: ``key=value``."""

import json
from collections.abc import Iterable
from typing import Any, NoReturn

from indexing.errors import InputError

__all__ = ["parse_setting", "parse_settings"]


def parse_setting(text: str) -> tuple[str, Any]:
    """Read one hyper-parameter; whether a learner has it, and accepts the value, it says itself.

    Parameters
    ----------
    text : str
        ``key=value``; white space around both is dropped. A value that is JSON is what JSON
        says (``true``, ``null``, ``5``, ``0.5``, ``[512, 256]``, ``"5"``), any other is a
        string.

    Returns
    -------
    name : str
        An identifier.
    value : object

    Raises
    ------
    InputError
        If the text is no setting.

    Examples
    --------
    >>> parse_setting("n_neighbors=5"), parse_setting("weights=metric")
    (('n_neighbors', 5), ('weights', 'metric'))
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not name.isidentifier() or not equals or not value:
        raise InputError(
            f"{text!r} is no setting; name=value is accepted, such as n_neighbors=5; correct it"
        )
    try:
        return name, json.loads(value, parse_constant=_refused)
    except (ValueError, RecursionError):
        return name, value


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Read several hyper-parameters, each named once.

    Raises
    ------
    InputError
        If a text is no setting, or one is named twice.

    Examples
    --------
    >>> parse_settings(["n_neighbors=5", "weights=metric"])
    {'n_neighbors': 5, 'weights': 'metric'}
    """
    settings: dict[str, Any] = {}
    for name, value in map(parse_setting, texts):
        if name in settings:
            raise InputError(f"{name} is set twice; once is accepted; take one away")
        settings[name] = value
    return settings


def _refused(constant: str) -> NoReturn:
    """Refuse ``NaN`` and ``Infinity``: Python reads them, JSON does not know them."""
    raise ValueError(constant)
