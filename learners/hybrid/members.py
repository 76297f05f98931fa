"""Which learners a hybrid mixes, and with which settings of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError

__all__ = ["MEMBER_SETTINGS", "Trust", "member_names", "member_settings", "trust_in"]

MEMBER_SETTINGS: dict[str, dict[str, Any]] = {
    # The mixing gives every tag an offset of its own: a sigmoid before it would be fitted twice.
    "tagprop": {"weights": "metric", "sigmoids": False},
    # How rare tags are helped is the hybrid's to say.
    "heads": {"prior_correction": 0.0},
}
"""What a member is made with, where that is not the default of the learner."""


@dataclass(frozen=True)
class Trust:
    """What is expected of a learner before it is read; what is read overrules it.

    Parameters
    ----------
    weight : float
        What it will weigh. Some hundred pictures say no more than that; at one or two examples a
        tag, they would leave out whom they happen to speak against.
    fades_at : int or None, default=None
        Pictures of a tag after which half as much is expected of it; None = always as much.
    """

    weight: float
    fades_at: int | None = None

    def share_of(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how much of its weight is left for tags of so many pictures, float64 (n_tags,)."""
        if self.fades_at is None:
            return np.ones(len(counts))
        return np.asarray(self.fades_at / (self.fades_at + counts), np.float64)


_TRUST = {
    # What it sees, the others see better wherever there is enough to learn from.
    "knn": Trust(0.0),
    "tagprop": Trust(0.4),
    "heads": Trust(0.6),
    # What words mean is known before any picture has them, and of less use the more do.
    "words": Trust(0.3, fades_at=5),
}
_OF_OTHERS = Trust(0.5)


def trust_in(names: Sequence[str]) -> tuple[Trust, ...]:
    """Return what is expected of members, in order: those that do not fade weigh 1 together.

    Examples
    --------
    >>> [trust.weight for trust in trust_in(["knn", "tagprop", "heads"])]
    [0.0, 0.4, 0.6]
    >>> [trust.weight for trust in trust_in(["knn"])]
    [1.0]
    """
    expected = [_TRUST.get(name, _OF_OTHERS) for name in names]
    lasting = [trust.weight for trust in expected if trust.fades_at is None]
    total = sum(lasting)
    found = []
    for trust in expected:
        if trust.fades_at is None:
            weight = trust.weight / total if total else 1 / len(lasting)
            found.append(Trust(weight))
        else:
            found.append(trust)
    return tuple(found)


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
    allowed = sorted(set(LEARNERS) - {"hybrid"})
    wrong = [name for name in names if name not in allowed]
    if not names or wrong or len(set(names)) < len(names):
        raise InputError(
            f"members are {members!r}; names of learners, each once, with commas between them are "
            f"accepted ({', '.join(allowed)}); correct {', '.join(wrong) or 'the list'}"
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
