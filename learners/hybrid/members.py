"""Which learners a hybrid mixes, and with which settings of their own."""

from collections.abc import Mapping
from typing import Any

from indexing.errors import InputError
from indexing.names import did_you_mean, meant

__all__ = ["MEMBER_SETTINGS", "member_names", "member_settings"]

# What is offered. Others can be mixed, and are there to be compared with.
_WORTH_MIXING = ("knn", "tagvote", "tagprop", "heads", "mscnn", "multimodal", "words")

MEMBER_SETTINGS: dict[str, dict[str, Any]] = {
    # The mixing gives every tag an offset of its own: a sigmoid before it would be fitted twice.
    "tagprop": {"weights": "metric", "sigmoids": False},
    # How rare tags are helped is the hybrid's to say.
    "heads": {"prior_correction": 0.0},
}
"""What a member is made with, where that is not the default of the learner."""


def member_names(members: str) -> tuple[str, ...]:
    """Return the names of learners that stand in a list with commas.

    Raises
    ------
    InputError
        If there is none, one stands there twice, or one cannot be mixed.

    Examples
    --------
    >>> member_names("knn, heads")
    ('knn', 'heads')
    """
    from learners.table import LEARNERS

    names = tuple(name.strip() for name in members.split(",") if name.strip())
    wrong = [name for name in names if name not in LEARNERS or name == "hybrid"]
    if not names or wrong or len(set(names)) < len(names):
        close = [near for name in wrong for near in meant(name, _WORTH_MIXING)]
        raise InputError(
            f"members are {members!r}; names of learners, each once, with commas between them are "
            f"accepted ({', '.join(_WORTH_MIXING)}); "
            + (did_you_mean(close) if close else f"correct {', '.join(wrong) or 'the list'}")
        )
    return names


def member_settings(
    members: str, settings: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, dict[str, Any]]:
    """Return what each member is made with.

    Parameters
    ----------
    members : str
        As :func:`member_names` takes them.
    settings : mapping, optional
        Hyper-parameters of members, in place of those of :data:`MEMBER_SETTINGS` and of the
        learners' defaults.

    Raises
    ------
    InputError
        If a member is not known, or settings are of one that is not there.
    """
    names = member_names(members)
    strangers = set(settings or {}) - set(names)
    if strangers:
        raise InputError(
            f"settings of {', '.join(sorted(strangers))}, which the hybrid does not mix; it mixes "
            f"{', '.join(names)}; add it to members, or drop its settings"
        )
    return {
        name: {**MEMBER_SETTINGS.get(name, {}), **(settings or {}).get(name, {})} for name in names
    }
