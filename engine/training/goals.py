"""A learner that was trained for one goal answers for another without training."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.generations import WholeGeneration
from engine.serving import Served
from engine.standing import DECISIVE_FOR
from engine.trained import load_learner, member_of
from engine.training.keeping import Trained
from engine.training.material import Fitted, Material
from engine.training.trials import Figures, is_of, measured
from learners.base import TagLearner

__all__ = ["figures_by_goal", "for_another_goal", "goal_of"]


def goal_of(learner: TagLearner) -> str | None:
    """Return the goal of a learner that is trained for one."""
    goal = getattr(learner, "goal", None)
    return None if goal is None else str(goal)


def figures_by_goal(material: Material, served: Served) -> dict[str, Figures]:
    """Measure a learner that was fitted on what is kept for each goal that it can have.

    Parameters
    ----------
    material : Material
    served : Served
        Of a learner whose goal is none that fitting reads; any other has one goal, its own.

    Returns
    -------
    dict of str to dict
        What was measured on the held-out pictures, by goal; nothing for a learner without goal.
    """
    goal = goal_of(served.learner)
    if goal is None:
        return {}
    goals = tuple(DECISIVE_FOR) if "goal" in served.learner.predict_params else (goal,)
    return {
        one: measured(material, replace(served, learner=served.learner.with_params(goal=one)))
        for one in goals
    }


def for_another_goal(
    found: WholeGeneration, name: str, learner: TagLearner, material: Material
) -> Trained | None:
    """Return what was trained before as it answers for another goal; None where it cannot.

    Parameters
    ----------
    found : WholeGeneration
    name : str
        What is to be trained.
    learner : TagLearner
        The same, not fitted, with the hyper-parameters that are wanted.
    material : Material
        Of the same generation.

    Notes
    -----
    It can where nothing differs but the goal: the votes, all other hyper-parameters and the
    held-out pictures, on which it was measured for each goal.
    """
    entry: Mapping[str, Any] = found.manifest["learners"].get(name, {})
    goal = goal_of(learner)
    figures = entry.get("by_goal", {}).get(goal)
    if figures is None or entry["goal"] == goal or not is_of(entry, material.tagged):
        return None
    if entry["held_out"]["n_pictures"] != material.held.tags.n_images:
        return None
    if entry["params"] != {**learner.params(), "goal": entry["goal"]}:
        return None
    known = load_learner(found.folder, name).with_params(goal=goal)
    members = {
        member: Trained(
            fitted=Fitted.of(found.folder, member_of(name, member), material), entry=its
        )
        for member, its in entry["members"].items()
    }
    told = list(dict.fromkeys([*entry["told"], "goal"]))
    held_out = {**entry["held_out"], "after": dict(figures)}
    changed = {"goal": goal, "params": known.params(), "told": told, "held_out": held_out}
    return Trained(
        fitted=Fitted(known, None, material.tagged),
        entry={**entry, **changed},
        members=members,
    )
