"""What is expected of the members of a hybrid before anything is read of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Trust", "trust_in"]


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
