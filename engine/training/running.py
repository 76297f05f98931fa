"""One training from the lock to the new generation."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from engine.generations import GenerationFolders, WholeGeneration
from engine.trained import (
    DECISIVE_FOR,
    best_learner,
    decisive_measure,
    figure,
    is_trained,
)
from engine.training.keeping import Trained, keep, ready_member
from engine.training.material import Material, check_enough
from engine.training.mixing import MixedTrial, fit_mixed, settings_of_members, try_out_mixed
from engine.training.trainable import DEFAULT, check_trainable, is_trainable
from engine.training.trials import (
    ON_EVERYTHING,
    Trial,
    comparable,
    is_worse,
    measured_knn,
    staged,
    try_out,
)
from engine.training_report import MixedMember, TrainingReport
from indexing.errors import ArtifactError
from indexing.records import printable_path
from indexing.store import WorkspaceStore
from learners.base import Progress, TagLearner
from learners.table import make_learner

__all__ = ["train_workspace"]


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
    then on all of them. Where one of its name was measured on the same votes and was better,
    that is kept and nothing is written. Stopped or failed at any moment, the workspace is as
    before. One that mixes others is trained with its members; each of these is kept under its
    own name too, unless one that is better lies there.

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
    folders.current()  # a workspace that is not there is not made by looking for it
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
        with WorkspaceStore(folders.store) as store:
            material = Material.of(root, found, store, device)
            check_enough(material.tagged, name)
            before = measured_knn(material, known["knn"]["params"], told)
            trial = (
                try_out_mixed(material, name, params, members, told)
                if members
                else try_out(material, name, params, told)
            )
            n_held = material.held.tags.n_images
            goal = _goal(learner)
            decisive = decisive_measure(known) if goal is None else DECISIVE_FOR[goal]
            earlier = comparable(known.get(name), n_held, goal)
            report = partial(
                TrainingReport,
                workspace=printable_path(root),
                learner=name,
                params=make_learner(name, **trial.settings).params(),
                told=tuple(trial.settings),
                n_pictures=material.tagged.tags.n_images,
                n_tags=material.tagged.tags.n_tags,
                held_out={"n_pictures": n_held, "before": before, "after": trial.figures},
                earlier=earlier,
                answered_before=best_learner(known),
            )
            if not replace and is_worse(trial.figures, earlier, decisive):
                return _reported(report, known, started, trial, is_written=False)
            trained = _trained(material, found, trial, before, told)
        manifest = keep(folders, found, _under_their_names(name, trained, known, decisive, replace))
    return _reported(report, manifest["learners"], started, trial, is_written=True)


def _goal(learner: TagLearner) -> str | None:
    """Return the goal of a learner that is trained for one."""
    goal = getattr(learner, "goal", None)
    return None if goal is None else str(goal)


def _trained(
    material: Material,
    found: WholeGeneration,
    trial: Trial,
    before: Mapping[str, float | None],
    on_progress: Progress,
) -> Trained:
    """Fit a learner that was tried on all tagged pictures, with its members if it has some."""
    describe = partial(Trained.of, n_held=material.held.tags.n_images, before=before)
    if not isinstance(trial, MixedTrial):
        told = staged(on_progress, ON_EVERYTHING)
        return describe(trial, material.fit(trial.name, trial.settings, material.tagged, told))
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
            "seconds": round(trial.seconds + sum(one.seconds for one in members.values()), 3),
            "goal": _goal(mixture.learner),
            "members": {
                name: {**one.entry, "weight": round(weights.get(name, 0.0), 6)}
                for name, one in described.items()
            },
        },
        members=described,
    )


def _under_their_names(
    name: str,
    trained: Trained,
    known: Mapping[str, Mapping[str, Any]],
    decisive: str,
    replace: bool,
) -> dict[str, Trained]:
    """Return what is kept: the learner, and its members that take nobody's better place."""
    kept = {name: trained}
    for member, one in trained.members.items():
        held_out = one.entry["held_out"]
        earlier = comparable(known.get(member), held_out["n_pictures"])
        if is_trainable(member) and (replace or not is_worse(held_out["after"], earlier, decisive)):
            kept[member] = one
    return kept


def _reported(
    report: Callable[..., TrainingReport],
    learners: Mapping[str, Mapping[str, Any]],
    started: float,
    trial: Trial,
    *,
    is_written: bool,
) -> TrainingReport:
    """Return the report of a training that has ended."""
    best = best_learner(learners)
    members: tuple[MixedMember, ...] = ()
    if isinstance(trial, MixedTrial):
        weights: Mapping[str, float] = getattr(trial.served.learner, "weights", {})
        if is_written:
            entries = learners[trial.name]["members"]
            weights = {name: entry["weight"] for name, entry in entries.items()}
        members = tuple(
            MixedMember(
                name=name,
                params=make_learner(name, **one.settings).params(),
                weight=weights.get(name, 0.0),
                figures=one.figures,
            )
            for name, one in trial.members.items()
        )
    return report(
        answers_with=best,
        answers_figure=figure(learners, best) if is_trained(learners[best]) else None,
        decisive=decisive_measure(learners),
        members=members,
        is_written=is_written,
        seconds=time.perf_counter() - started,
    )
