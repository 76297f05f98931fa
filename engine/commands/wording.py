"""What several commands say in the same words."""

import json
import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import Any

__all__ = [
    "TITLES",
    "counted",
    "learners_dropped",
    "listed",
    "percent",
    "settings_lines",
    "sidecars_not_read",
    "tags_not_answered",
]

TITLES = {"map": "MAP", "miap": "MiAP", "c-f1@5": "C-F1@5"}
"""Measures of held-out pictures, as people read them."""

_WIDEST_LINE = 100
_MOST_NAMES = 5
# What kind of learner it is: always worth telling.
_KINDS = ("weights", "loss")


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number and its noun.

    Examples
    --------
    >>> counted(1, "vote"), counted(2_000, "vote")
    ('1 vote', '2,000 votes')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float | None) -> str:
    """Return a share in percent, a dash where nothing could be measured."""
    return "-" if share is None else f"{100 * share:.1f}"


def settings_lines(params: Mapping[str, Any], told: Collection[str], indent: str) -> list[str]:
    """Return hyper-parameters as ``--set`` takes them, in lines that a terminal holds.

    Parameters
    ----------
    params : mapping
    told : collection of str
        Those that were given or chosen; of the others only the kind of learner is shown.
    indent : str
    """
    texts = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in params.items()
        if key in told or key in _KINDS
    }
    return textwrap.wrap(
        ", ".join(f"{key}={text}" for key, text in texts.items()),
        width=_WIDEST_LINE,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def sidecars_not_read(number: int) -> str:
    """Return what follows the pictures that were refused, of which sidecars are none.

    Examples
    --------
    >>> sidecars_not_read(1), sidecars_not_read(0)
    ('; 1 sidecar not read', '')
    """
    return f"; {counted(number, 'sidecar')} not read" * bool(number)


def learners_dropped(dropped: Mapping[str, str]) -> list[str]:
    """Return a line a trained learner that could not be carried over, with the reason.

    Training it is offered where this version trains a learner of that name.
    """
    if not dropped:
        return []
    from engine.training.trainable import is_trainable

    return [
        f"{name} is dropped: {reason}"
        + f"; 'engine train {name}' makes it again" * is_trainable(name)
        for name, reason in dropped.items()
    ]


def tags_not_answered(names: Sequence[str], tags: Sequence[str], train: str) -> str:
    """Return the line on tags that trained learners do not know.

    Parameters
    ----------
    names : sequence of str
        The learners, one or more.
    tags : sequence of str
        What is new since they were trained, one or more.
    train : str
        The learner to train, for the answers to know them.
    """
    shown = ", ".join(tags[:_MOST_NAMES])
    if len(tags) > _MOST_NAMES:
        shown += f" and {len(tags) - _MOST_NAMES:,} more"
    are = "is" if len(tags) == 1 else "are"
    were, them = ("was", "it") if len(names) == 1 else ("were", "them")
    return (
        f"{counted(len(tags), 'tag')} {are} new since {listed(names)} {were} trained, and {are} "
        f"not answered by {them}: {shown}; engine train {train}"
    )


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence lists them.

    Examples
    --------
    >>> listed(["knn"]), listed(["knn", "heads", "words"])
    ('knn', 'knn, heads and words')
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
