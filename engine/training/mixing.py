"""Train a learner that mixes others: its members, what they say unseen, and the mixing."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.serving import MixesMembers, Questions, Served, check_served, training_batch
from engine.tagged import TaggedPictures
from engine.training.goals import figures_by_goal, goal_of
from engine.training.material import Fitted, Material
from engine.training.trainable import ChoosesParams
from engine.training.trials import ON_EVERYTHING, ON_HELD_OUT, Figures, Trial, measured, staged
from indexing.errors import InputError, MissingDependencyError
from learners.base import Needs, Progress, TagLearner
from learners.hybrid.crossfit import Material as CrossMaterial
from learners.hybrid.crossfit import crossfit
from learners.table import make_learner
from learners.tag_matrix import TagMatrix

__all__ = ["MixedTrial", "fit_mixed", "settings_of_members", "try_out_mixed"]

_ASKED_AT_ONCE = 1_024


@dataclass(frozen=True, kw_only=True, eq=False)
class MixedTrial(Trial):
    """A mixing learner that was fitted without the held-out pictures, and measured on them.

    Parameters
    ----------
    members : dict of str to Trial
        Each member, fitted and measured likewise.
    unseen : dict of str to ndarray of float32, shape (n_images, n_tags)
        What each member says of all tagged pictures, each by a fit that had not seen it; NaN in
        rows of pictures that were not read.
    by_goal : dict of str to dict
        What was measured of it for each goal that it can have.
    """

    members: dict[str, Trial]
    by_goal: dict[str, Figures]
    unseen: dict[str, NDArray[np.float32]]


def settings_of_members(
    learner: TagLearner, known: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return what each member is to be made with.

    Parameters
    ----------
    learner : TagLearner
        One that mixes others.
    known : mapping
        The learners of the workspace, from the manifest: those that are not trained, such as
        knn, are mixed as the workspace has them.

    Raises
    ------
    InputError
        A member needs what a workspace does not hold, or does not take its settings.
    """
    if not isinstance(learner, MixesMembers):
        return {}
    settings = {}
    for name, params in learner.member_params().items():
        chosen = known.get(name, {})
        settings[name] = {**({} if "trained_on" in chosen else chosen.get("params", {})), **params}
        member = make_learner(name, **settings[name])
        check_served(member, member.fit_needs | member.needs)
    return settings


def try_out_mixed(
    material: Material,
    name: str,
    params: Mapping[str, Any],
    members: Mapping[str, Mapping[str, Any]],
    on_progress: Progress,
) -> MixedTrial:
    """Fit members and mixture without the held-out pictures, and measure them on those.

    Parameters
    ----------
    material : Material
    name : str
        The learner that mixes.
    params : mapping
        Its hyper-parameters; the others have their defaults.
    members : mapping of str to mapping
        What each member is made with.
    on_progress : callable
        Called with (stage, done, total).

    Notes
    -----
    What a member says unseen of the pictures that are kept comes from fits across folds of them
    (:func:`learners.hybrid.crossfit.crossfit`); of those that are held out, from the fit on all
    that are kept. A member chooses its hyper-parameters on all that are kept, once.
    """
    started = time.perf_counter()
    _check_words(material, members)
    tried: dict[str, Trial] = {}
    of_kept: dict[str, NDArray[np.float32]] = {}
    unseen: dict[str, NDArray[np.float32]] = {}
    kept_places, held_places = material.places
    for member, its_params in members.items():
        began = time.perf_counter()
        fits = _Fits(on_progress, f"{ON_HELD_OUT}: {member}")
        across = _Across(material, material.kept, fits)
        read = crossfit(across, member, its_params, on_progress=fits.count)
        fitted = read.fitted
        chosen = fitted.learner.refit_params() if isinstance(fitted.learner, ChoosesParams) else {}
        served = material.served(fitted)
        tried[member] = Trial(
            name=member,
            given=dict(its_params),
            chosen=chosen,
            served=served,
            figures=measured(material, served),
            seconds=time.perf_counter() - began,
        )
        of_kept[member] = read.scores
        whole = np.empty((material.tagged.tags.n_images, read.scores.shape[1]), np.float32)
        whole[kept_places] = read.scores
        whole[held_places] = _scores(material, served, material.kept, material.held)
        unseen[member] = whole
    told = staged(on_progress, f"{ON_HELD_OUT}: {name}")
    fitted = _fit_mixture(material, name, params, material.kept, of_kept, told)
    served = replace(
        material.served(fitted), members={one.name: one.served for one in tried.values()}
    )
    by_goal = figures_by_goal(material, served)
    goal = goal_of(served.learner)
    return MixedTrial(
        name=name,
        given=dict(params),
        chosen={},
        served=served,
        figures=measured(material, served) if goal is None else by_goal[goal],
        by_goal=by_goal,
        seconds=time.perf_counter() - started,
        members=tried,
        unseen=unseen,
    )


def _check_words(material: Material, members: Mapping[str, Mapping[str, Any]]) -> None:
    """Look words up before anything is fitted that takes minutes, if a member reads them."""
    reading = [
        name
        for name, params in members.items()
        if Needs.WORDS in make_learner(name, **params).fit_needs
    ]
    try:
        if reading:
            material.words  # noqa: B018 - it is kept
    except MissingDependencyError as error:
        others = ",".join(name for name in members if name not in reading)
        if not others:
            raise
        raise InputError(
            f"{error}; or train without words: engine train --set members={others}"
        ) from error


def fit_mixed(
    material: Material,
    trial: MixedTrial,
    ready: Mapping[str, Fitted],
    on_progress: Progress,
) -> tuple[Fitted, dict[str, Fitted]]:
    """Fit members and mixture on all tagged pictures.

    Parameters
    ----------
    material : Material
    trial : MixedTrial
    ready : mapping of str to Fitted
        Members that were fitted on all tagged pictures already.
    on_progress : callable

    Returns
    -------
    mixture : Fitted
    members : dict of str to Fitted
    """
    members: dict[str, Fitted] = {}
    for name, tried in trial.members.items():
        told = staged(on_progress, f"{ON_EVERYTHING}: {name}")
        if name in ready:
            members[name] = ready[name]
        else:
            members[name] = material.fit(name, tried.settings, material.tagged, told)
    told = staged(on_progress, f"{ON_EVERYTHING}: {trial.name}")
    mixture = _fit_mixture(
        material, trial.name, trial.settings, material.tagged, trial.unseen, told
    )
    return mixture, members


def _fit_mixture(
    material: Material,
    name: str,
    params: Mapping[str, Any],
    tagged: TaggedPictures,
    unseen: Mapping[str, NDArray[np.float32]],
    on_progress: Progress,
) -> Fitted:
    learner = make_learner(name, **params)
    batch = training_batch(
        learner,
        tagged,
        material.index,
        material.vectors,
        material.blocks,
        material.pixels,
        on_progress,
    )
    learner.fit(replace(batch, scores=unseen), tagged.tags, on_progress)
    return Fitted(learner, None, tagged)


def _scores(
    material: Material, served: Served, fitted_on: TaggedPictures, asked: TaggedPictures
) -> NDArray[np.float32]:
    """Score tagged pictures, float32 (n_images, n_tags); none has a vote for itself or a copy."""
    parts = []
    for start in range(0, max(1, asked.tags.n_images), _ASKED_AT_ONCE):
        part = slice(start, start + _ASKED_AT_ONCE)
        own_groups = [
            fitted_on.groups[places[0]] if places else -1
            for places in (fitted_on.places_of(one.tobytes()) for one in asked.contents[part])
        ]
        rows = asked.tags.rows[part]
        questions = Questions(
            fitted_on,
            material.vectors(rows),
            np.array(own_groups, np.int64),
            material.blocks,
            squares=partial(material.pixels, rows),
        )
        parts.append(served.learner.predict_scores(questions.batch(served)))
    return np.concatenate(parts)


class _Fits:
    """Says of each stage which of several fits it is part of."""

    def __init__(self, on_progress: Progress, on_what: str) -> None:
        self._on_progress = on_progress
        self._on_what = on_what
        self._fit = ""

    def count(self, done: int, total: int) -> None:
        self._fit = f", fit {done + 1} of {total}" if total > 1 else ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        self._on_progress(f"{self._on_what}{self._fit}: {stage}", done, total)


@dataclass(frozen=True, eq=False)
class _Across(CrossMaterial[Fitted]):
    """Some tagged pictures of a workspace, on whose folds members are fitted."""

    material: Material
    pictures: TaggedPictures
    on_progress: Progress = field(repr=False)

    @property
    def tags(self) -> TagMatrix:
        """The tagged pictures."""
        return self.pictures.tags

    @property
    def groups(self) -> NDArray[np.int64]:
        """What the bytes of each picture are, int64 (n_images,)."""
        return self.pictures.groups

    def fit(self, name: str, params: Mapping[str, Any], places: NDArray[np.int64]) -> Fitted:
        """Fit a learner on the pictures at some places, ascending."""
        everything = len(places) == self.tags.n_images
        pictures = self.pictures if everything else self.pictures.take(places)
        return self.material.fit(name, params, pictures, self.on_progress)

    def learner(self, fitted: Fitted) -> TagLearner:
        """Return the learner itself."""
        return fitted.learner

    def scores(self, fitted: Fitted, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score the pictures at some places, float32 (n_places, n_tags)."""
        served = self.material.served(fitted)
        asked = self.pictures.take(places)
        return _scores(self.material, served, fitted.pictures, asked)
