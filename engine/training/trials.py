"""Try a learner on pictures that it has not seen, before it is trained on everything."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.held_out import measure
from engine.serving import Served
from engine.standing import lead
from engine.tagged import TaggedPictures
from engine.trained import is_outdated, is_trained
from engine.training.material import Material
from engine.training.trainable import ChoosesParams
from learners.base import Batch, Progress, TagLearner
from learners.table import make_learner

__all__ = [
    "ON_EVERYTHING",
    "ON_HELD_OUT",
    "Figures",
    "Trial",
    "is_of",
    "is_worse",
    "measured",
    "measured_knn",
    "rival",
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
    given : dict
        Hyper-parameters that it was made with.
    chosen : dict
        Those that the fit has chosen.
    served : Served
        Fitted on the pictures that were kept.
    figures : dict
        What was measured.
    seconds : float
        Wall seconds that it took.
    """

    name: str
    given: dict[str, Any]
    chosen: dict[str, Any]
    served: Served
    figures: Figures
    seconds: float

    @property
    def settings(self) -> dict[str, Any]:
        """Hyper-parameters that were given, and those that the fit has chosen."""
        return {**self.given, **self.chosen}

    def is_like(self, entry: Mapping[str, Any]) -> bool:
        """Return whether a learner of a manifest differs by nothing but what fits choose."""
        params = make_learner(self.name, **self.settings).params()
        return all(
            entry["params"].get(key) == value
            for key, value in params.items()
            if key in self.given or key not in self.chosen
        )


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
        given=dict(params),
        chosen=chosen,
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


def rival(
    entry: Mapping[str, Any] | None, trial: Trial, material: Material, goal: str | None = None
) -> Mapping[str, Any] | None:
    """Return what was measured of an earlier training, if its place is not free for a new one.

    Parameters
    ----------
    entry : mapping or None
        The earlier learner in the manifest.
    trial : Trial
        What is to take its place.
    material : Material
        What that was tried on.
    goal : str, optional
        What the training is for, if it is for something; one for something else is no rival.

    Returns
    -------
    mapping or None
        Its ``held_out``. None where there is nothing, or so many votes have changed since that it
        should be trained again, or some have and it had the same settings: the new one then knows
        more.
    """
    if entry is None or not is_trained(entry) or is_outdated(entry) or entry.get("goal") != goal:
        return None
    if not is_of(entry, material.tagged) and trial.is_like(entry):
        return None
    found: Mapping[str, Any] = entry["held_out"]
    return found


def is_worse(held_out: Mapping[str, Any], earlier: Mapping[str, Any] | None, decisive: str) -> bool:
    """Return whether a training is worse than an earlier one: less ahead of knn, in tenths.

    Parameters
    ----------
    held_out, earlier : mapping
        As the manifest has them; None = there is no earlier one.
    decisive : str
        The measure.
    """
    return earlier is not None and lead(held_out, decisive) < lead(earlier, decisive)
