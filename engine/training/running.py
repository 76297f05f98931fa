"""One training from the lock to the new generation."""

import dataclasses
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engine.generations import GenerationFolders, WholeGeneration
from engine.standing import DECISIVE_FOR, best_learner, decisive_measure
from engine.trained import brought_by, is_trained
from engine.training.goals import for_another_goal, goal_of
from engine.training.keeping import Trained, keep, ready_member
from engine.training.material import Fitted, Material, check_enough
from engine.training.mixing import MixedTrial, fit_mixed, settings_of_members, try_out_mixed
from engine.training.trainable import DEFAULT, check_trainable, is_trainable
from engine.training.trials import (
    ON_EVERYTHING,
    Trial,
    is_worse,
    measured_knn,
    rival,
    staged,
    try_out,
)
from engine.training.unfinished import UnfinishedTraining
from engine.training_report import MixedMember, TrainingReport
from indexing.errors import ArtifactError
from indexing.records import printable_path
from indexing.store import WorkspaceStore
from learners.base import Progress, TagLearner
from learners.table import make_learner

__all__ = ["train_workspace"]

# Folders of the states of the two fits.
_HELD_OUT, _EVERYTHING = "held-out", "everything"


def train_workspace(
    root: Path,
    name: str = DEFAULT,
    params: Mapping[str, Any] | None = None,
    *,
    replace: bool = False,
    device: str = "auto",
    on_progress: Progress | None = None,
) -> TrainingReport:
    """Train a learner on the pictures of a workspace that vote, and keep it there.

    It is fitted twice: without some of the pictures, to be measured on those beside knn, and
    then on all of them. Where one of its name with other settings was further ahead of knn, that
    is kept and nothing is written, unless a fifth of the votes have changed since. Stopped or
    failed at any moment, the workspace answers as before; a learner that keeps the state of its
    fit goes on from there the next time. One that mixes others is trained with its members; each
    of these is kept under its own name too, unless one that is better lies there.

    Parameters
    ----------
    root : Path
        The workspace folder.
    name : str, default="hybrid"
        One of :data:`engine.training.trainable.TRAINABLE`.
    params : mapping, optional
        Its hyper-parameters; the others have their defaults.
    replace : bool, default=False
        Whether the new one takes the place of a better one.
    device : {"auto", "cpu", "cuda"}
        Where the indexes run.
    on_progress : callable, optional
        Called with (stage, done, total).

    Returns
    -------
    TrainingReport

    Raises
    ------
    InputError
        The learner or a hyper-parameter is not known, or too few pictures are tagged.
    ArtifactError
        Nothing was built here, or what was is damaged.
    LockedError
        Another process writes this workspace.

    Notes
    -----
    knn is measured as the workspace has it: its number of neighbours was chosen with the
    held-out pictures among the others, which flatters it a little. A learner that chooses
    hyper-parameters while it is fitted tells them
    (:class:`engine.training.trainable.ChoosesParams`), so that the second fit need not choose
    again.
    """
    started = time.perf_counter()
    params = dict(params or {})
    check_trainable(name, params)
    folders = GenerationFolders(root)
    # A workspace that is not there is not made by looking for it.
    folders.current_with_any_learners()
    told: Progress = on_progress or (lambda stage, done, total: None)
    with folders.lock():
        found = folders.current_if_whole()
        if found is None:
            raise ArtifactError(
                f"{printable_path(root)} is damaged; a whole workspace can be trained; run "
                "'engine build PICTURES' first"
            )
        known = found.manifest["learners"]
        learner = make_learner(name, **params)
        members = settings_of_members(learner, known)
        goal = goal_of(learner)
        decisive = decisive_measure(known) if goal is None else DECISIVE_FOR[goal]
        report = partial(_report, root=root, name=name, answered_before=best_learner(known))
        with WorkspaceStore(folders.store) as store:
            material = Material.of(root, found, store, device)
            check_enough(material.tagged, name)
            ready = None if replace else for_another_goal(found, name, learner, material)
            if ready is not None:
                manifest = keep(folders, found, {name: ready})
                dropped = _dropped(found, (name,))
                return report(ready.entry, manifest["learners"], dropped=dropped, is_new=False)
            before = measured_knn(material, known["knn"]["params"], told)
            unfinished = UnfinishedTraining(root, name, params, material.tagged)
            if unfinished.begin():
                told("going on where it was stopped", 0, 0)
            trial = (
                try_out_mixed(material, name, params, members, told)
                if members
                else try_out(
                    material,
                    name,
                    params,
                    told,
                    lambda learner: unfinished.keep(learner, _HELD_OUT),
                )
            )
            earlier = rival(known.get(name), trial, material, goal)
            tried = _tried(trial, material, before)
            if not replace and is_worse(tried["held_out"], earlier, decisive):
                unfinished.forget()
                entry = _timed(tried, started)
                mixing = brought_by(known, name)
                return report(
                    entry, known, earlier=earlier, earlier_brought_by=mixing, is_written=False
                )
            trained = _trained(
                material,
                found,
                trial,
                before,
                told,
                lambda learner: unfinished.keep(learner, _EVERYTHING),
            )
        trained = dataclasses.replace(trained, entry=_timed(trained.entry, started))
        kept = _under_their_names(trial, trained, known, material, decisive, replace)
        manifest = keep(folders, found, kept)
        unfinished.forget()
    return report(
        trained.entry, manifest["learners"], earlier=earlier, dropped=_dropped(found, kept)
    )


def _timed(entry: Mapping[str, Any], started: float) -> dict[str, Any]:
    """Return what a manifest says of a learner whose training ends now."""
    return {**entry, "seconds": round(time.perf_counter() - started, 3)}


def _dropped(found: WholeGeneration, kept: Collection[str]) -> dict[str, str]:
    """Return the learners that are lost in the new generation, and why."""
    return {name: reason for name, reason in found.lost.items() if name not in kept}


def _tried(trial: Trial, material: Material, before: Mapping[str, float | None]) -> dict[str, Any]:
    """Return what a manifest would say of a learner that was tried, and is not kept."""
    fitted = Fitted(trial.served.learner, None, material.tagged)
    entry = Trained.of(trial, fitted, material.held.tags.n_images, before).entry
    entry["params"] = make_learner(trial.name, **trial.settings).params()
    if isinstance(trial, MixedTrial):
        weights: Mapping[str, float] = getattr(trial.served.learner, "weights", {})
        entry["members"] = {
            name: {**_tried(one, material, before), "weight": weights.get(name, 0.0)}
            for name, one in trial.members.items()
        }
    return entry


def _trained(
    material: Material,
    found: WholeGeneration,
    trial: Trial,
    before: Mapping[str, float | None],
    on_progress: Progress,
    prepare: Callable[[TagLearner], None],
) -> Trained:
    """Fit a learner that was tried on all tagged pictures, with its members if it has some."""
    describe = partial(Trained.of, n_held=material.held.tags.n_images, before=before)
    if not isinstance(trial, MixedTrial):
        told = staged(on_progress, ON_EVERYTHING)
        alone = material.fit(trial.name, trial.settings, material.tagged, told, prepare)
        return describe(trial, alone)
    ready = {
        name: fitted
        for name, one in trial.members.items()
        if (fitted := ready_member(found, trial.name, one, material)) is not None
    }
    mixture, members = fit_mixed(material, trial, ready, on_progress)
    described = {name: describe(trial.members[name], one) for name, one in members.items()}
    whole = describe(trial, mixture)
    weights: Mapping[str, float] = getattr(mixture.learner, "weights", {})
    return Trained(
        fitted=mixture,
        entry={
            **whole.entry,
            "goal": goal_of(mixture.learner),
            "by_goal": trial.by_goal,
            "members": {
                name: {**one.entry, "weight": round(weights.get(name, 0.0), 6)}
                for name, one in described.items()
            },
        },
        members=described,
    )


def _under_their_names(
    trial: Trial,
    trained: Trained,
    known: Mapping[str, Mapping[str, Any]],
    material: Material,
    decisive: str,
    replace: bool,
) -> dict[str, Trained]:
    """Return what is kept: the learner, and its members that take nobody's better place."""
    kept = {trial.name: trained}
    tried = trial.members if isinstance(trial, MixedTrial) else {}
    for member, one in trained.members.items():
        earlier = None if replace else rival(known.get(member), tried[member], material)
        if is_trainable(member) and not is_worse(one.entry["held_out"], earlier, decisive):
            kept[member] = one
    return kept


def _report(
    entry: Mapping[str, Any],
    learners: Mapping[str, Mapping[str, Any]],
    *,
    root: Path,
    name: str,
    answered_before: str,
    dropped: Mapping[str, str] = MappingProxyType({}),
    earlier: Mapping[str, Any] | None = None,
    earlier_brought_by: str | None = None,
    is_written: bool = True,
    is_new: bool = True,
) -> TrainingReport:
    """Return the report of a training that has ended.

    Parameters
    ----------
    entry : mapping
        What the manifest says of the learner, or would if it had been kept.
    learners : mapping
        Those of the manifest.
    """
    best = best_learner(learners)
    return TrainingReport(
        workspace=printable_path(root),
        learner=name,
        params=entry["params"],
        told=tuple(entry["told"]),
        n_pictures=entry["trained_on"]["pictures"],
        n_tags=entry["trained_on"]["tags"],
        members=tuple(
            MixedMember(
                name=member,
                params=its["params"],
                weight=its["weight"],
                figures=its["held_out"]["after"],
            )
            for member, its in entry.get("members", {}).items()
        ),
        held_out=entry["held_out"],
        earlier=None if earlier is None else dict(earlier),
        earlier_brought_by=earlier_brought_by,
        is_written=is_written,
        answered_before=answered_before,
        answers_with=best,
        decisive=decisive_measure(learners),
        answers_held_out=learners[best]["held_out"] if is_trained(learners[best]) else None,
        dropped=dict(dropped),
        seconds=entry["seconds"],
        is_new=is_new,
    )
