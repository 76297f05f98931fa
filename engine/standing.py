"""How trained learners stand on pictures that they have not seen, and who answers by that.

What was measured of a learner stands in the manifest as ``held_out``: ``n_pictures``, and the
measures of knn (``before``) and of the learner (``after``) on the same pictures, in [0, 1].
Learners that were trained at different times were measured on different pictures, some of which
are easier than others. So it is what a learner is ahead of knn that is compared.
"""

import math
from collections.abc import Mapping
from typing import Any

from engine.trained import trained_names

__all__ = [
    "DECISIVE",
    "DECISIVE_FOR",
    "FEWEST_HELD_OUT",
    "best_learner",
    "decisive_measure",
    "doubt",
    "in_tenths",
    "is_on_the_same",
    "lead",
    "renewed_with",
    "tells_enough",
]

DECISIVE = "c-f1@5"
"""The measure on held-out pictures that decides who answers, unless another is named."""

DECISIVE_FOR = {"f1": DECISIVE, "miap": "miap"}
"""The measure that decides, by the goal of a learner that mixes others."""

FEWEST_HELD_OUT = 20
"""Held-out pictures that it takes for a trained learner to answer where nobody is named."""

# Two standard errors of what one learner is ahead of another, in points times the root of the
# pictures: of the hybrid and its best member, on folds of Corel-5K.
_DOUBT = {DECISIVE: 43.0, "miap": 16.0}


def in_tenths(share: float | None) -> float:
    """Return a share in percent as people read it: less than a tenth apart is not told apart."""
    return round(100 * (share or 0.0), 1)


def tells_enough(held_out: Mapping[str, Any]) -> bool:
    """Return whether so many pictures were held out that the better learner can be told."""
    n_pictures: int = held_out["n_pictures"]
    return n_pictures >= FEWEST_HELD_OUT


def decisive_measure(learners: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the measure by which the learners of a manifest are compared.

    That is C-F1@5, unless a learner was trained for another one (``--for``).
    """
    goals = [entry["goal"] for entry in learners.values() if "goal" in entry]
    return DECISIVE_FOR[goals[-1]] if goals else DECISIVE


def lead(held_out: Mapping[str, Any], measure: str) -> float:
    """Return by how many points a learner is ahead of knn on the same pictures, in tenths."""
    before, after = (held_out[when].get(measure) for when in ("before", "after"))
    return round(in_tenths(after) - in_tenths(before), 1)


def doubt(held_out: Mapping[str, Any], measure: str) -> float:
    """Return how many points may lie between learners that are equally good, in tenths.

    It is what chance makes of so many pictures, to two standard errors.
    """
    return round(_DOUBT[measure] / math.sqrt(max(1, held_out["n_pictures"])), 1)


def is_on_the_same(one: Mapping[str, Any], other: Mapping[str, Any], measure: str) -> bool:
    """Return whether what was measured twice can be compared as it is.

    As many pictures were held out, and knn had the same on them.
    """
    as_many = one["n_pictures"] == other["n_pictures"]
    return as_many and in_tenths(one["before"][measure]) == in_tenths(other["before"][measure])


def best_learner(learners: Mapping[str, Mapping[str, Any]]) -> str:
    """Return who answers where nobody is named.

    Parameters
    ----------
    learners : mapping
        Those of a manifest.

    Returns
    -------
    str
        The trained learner that is furthest ahead of knn by the decisive measure, if it is not
        behind it and at least :data:`FEWEST_HELD_OUT` pictures tell so; else ``"knn"``. Of those
        that are equal the first answers. One that mixes others answers unless it is measured
        worse beyond :func:`doubt`: on folds it is the best, and it knows how sure it is.
    """
    decisive = decisive_measure(learners)
    best, best_lead = "knn", -0.1
    for name in trained_names(learners):
        held_out = learners[name]["held_out"]
        if not tells_enough(held_out) or held_out["after"].get(decisive) is None:
            continue
        ahead = lead(held_out, decisive)
        if "members" in learners[name]:
            ahead = round(ahead + doubt(held_out, decisive), 1)
        if ahead > best_lead:
            best, best_lead = name, ahead
    return best


def renewed_with(learners: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """Return what to train for answers to know what is new since a learner was trained.

    Parameters
    ----------
    learners : mapping
        Those of a manifest.
    name : str

    Returns
    -------
    str
        The learner that answers, where it mixes that one: it holds a copy of its own, and a
        training of the member alone would not reach it. Else the learner itself.
    """
    best = best_learner(learners)
    return best if name in learners[best].get("members", {}) else name
