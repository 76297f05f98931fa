"""Try a learner on pictures that it has not seen, before it is trained on everything."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.held_out import measure
from engine.serving import Served
from engine.tagged import TaggedPictures
from engine.trained import in_tenths, is_trained
from engine.training.material import Material
from engine.training.trainable import ChoosesParams
from learners.base import Batch, Progress, TagLearner
from learners.table import make_learner

__all__ = [
    "ON_EVERYTHING",
    "ON_HELD_OUT",
    "Figures",
    "Trial",
    "comparable",
    "is_of",
    "is_worse",
    "measured",
    "measured_knn",
    "staged",
    "try_out",
]

ON_HELD_OUT = "measuring on held-out pictures"
ON_EVERYTHING = "training on everything"

Figures = dict[str, float | None]
"""Measures of held-out pictures, in [0, 1]; None where nothing could be measured."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """A learner that was fitted without the held-out pictures, and measured on them.

    Parameters
    ----------
    name : str
    settings : dict
        Hyper-parameters that were given, and those that the fit has chosen.
    served : Served
        Fitted on the pictures that were kept.
    figures : dict
        What was measured.
    seconds : float
        Wall seconds that it took.
    """

    name: str
    settings: dict[str, Any]
    served: Served
    figures: Figures
    seconds: float


def measured_knn(material: Material, params: Mapping[str, Any], on_progress: Progress) -> Figures:
    """Measure knn as the workspace has it, on the held-out pictures."""
    on_progress(f"{ON_HELD_OUT}: knn", 0, 0)
    knn = make_learner("knn", **params).fit(Batch(), material.kept.tags)
    return measured(material, Served(learner=knn, index=lambda: material.index))


def try_out(
    material: Material,
    name: str,
    params: Mapping[str, Any],
    on_progress: Progress,
    prepare: Callable[[TagLearner], None] = lambda learner: None,
) -> Trial:
    """Fit a learner without the held-out pictures and measure it on them.

    Parameters
    ----------
    material : Material
    name : str
    params : mapping
        Its hyper-parameters; the others have their defaults.
    on_progress : callable
        Called with (stage, done, total).
    prepare : callable, optional
        Called with the learner before it is fitted.
    """
    started = time.perf_counter()
    told = staged(on_progress, ON_HELD_OUT)
    fitted = material.fit(name, params, material.kept, told, prepare)
    on_progress(f"{ON_HELD_OUT}: {name}", 0, 0)
    served = material.served(fitted)
    learner = fitted.learner
    chosen = learner.refit_params() if isinstance(learner, ChoosesParams) else {}
    return Trial(
        name=name,
        settings={**params, **chosen},
        served=served,
        figures=measured(material, served),
        seconds=time.perf_counter() - started,
    )


def staged(on_progress: Progress, on_what: str) -> Progress:
    """Return a progress callback that says what the stages are part of."""
    return lambda stage, done, total: on_progress(f"{on_what}: {stage}", done, total)


def measured(material: Material, served: Served) -> Figures:
    """Measure a learner that was fitted on what is kept, on the held-out pictures."""
    return measure(
        served,
        material.kept,
        material.held,
        material.vectors,
        material.blocks,
        material.pixels,
    )


def is_of(entry: Mapping[str, Any], tagged: TaggedPictures) -> bool:
    """Return whether a learner was trained on just these pictures, tags and corrections.

    Parameters
    ----------
    entry : mapping
        The learner in the manifest; those of earlier versions do not tell of corrections.
    tagged : TaggedPictures
        What would be trained on now.
    """
    if not is_trained(entry) or entry["n_changed"]:
        return False
    return bool(entry.get("votes", tagged.digest) == tagged.digest)


def comparable(
    entry: Mapping[str, Any] | None, material: Material, goal: str | None = None
) -> Figures | None:
    """Return what an earlier training measured, if it was on the same pictures and votes.

    Parameters
    ----------
    entry : mapping or None
        The earlier learner in the manifest.
    material : Material
    goal : str, optional
        What the training is for, if it is for something; one for something else is no match.
    """
    if entry is None or not is_of(entry, material.tagged):
        return None
    if entry.get("goal") != goal:
        return None
    if entry["held_out"]["n_pictures"] != material.held.tags.n_images:
        return None
    return dict(entry["held_out"]["after"])


def is_worse(
    after: Mapping[str, float | None], earlier: Mapping[str, float | None] | None, decisive: str
) -> bool:
    """Return whether a training is worse than an earlier one, as people read the figures."""
    if earlier is None:
        return False
    return in_tenths(after[decisive]) < in_tenths(earlier[decisive])
