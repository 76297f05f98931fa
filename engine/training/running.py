"""One training from the lock to the new generation."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from engine.generations import GenerationFolders, WholeGeneration, inherit
from engine.own_index import described, save_index
from engine.results import TrainingReport
from engine.trained import (
    best_learner,
    figure,
    is_trained,
    own_index_folder,
    save_learner,
    trained_folder,
)
from engine.training.material import Fitted, Material, check_enough
from engine.training.trainable import check_trainable
from engine.training.trials import (
    ON_EVERYTHING,
    comparable,
    is_worse,
    measured_knn,
    staged,
    try_out,
)
from indexing.errors import ArtifactError
from indexing.records import printable_path
from indexing.store import WorkspaceStore
from learners.base import Progress
from learners.table import make_learner

__all__ = ["train_workspace"]


def train_workspace(
    root: Path,
    name: str,
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
    before.

    Parameters
    ----------
    root : Path
        The workspace folder.
    name : str
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
        with WorkspaceStore(folders.store) as store:
            material = Material.of(root, found, store, device)
            check_enough(material.tagged, name)
            before = measured_knn(material, found.manifest["learners"]["knn"]["params"], told)
            trial = try_out(material, name, params, told)
            n_held = material.held.tags.n_images
            held_out = {"n_pictures": n_held, "before": before, "after": trial.figures}
            earlier = comparable(found.manifest["learners"].get(name), n_held)
            report = partial(
                TrainingReport,
                workspace=printable_path(root),
                learner=name,
                params=make_learner(name, **trial.settings).params(),
                told=tuple(trial.settings),
                n_pictures=material.tagged.tags.n_images,
                n_tags=material.tagged.tags.n_tags,
                held_out=held_out,
                earlier=earlier,
                answered_before=best_learner(found.manifest["learners"]),
            )
            if not replace and is_worse(trial.figures, earlier):
                return _reported(report, found.manifest, started, is_written=False)
            fitted = material.fit(
                name, trial.settings, material.tagged, staged(told, ON_EVERYTHING)
            )
        tags = material.tagged.tags
        entry: dict[str, Any] = {
            "params": fitted.learner.params(),
            "told": list(trial.settings),
            "trained_on": {"pictures": tags.n_images, "tags": tags.n_tags},
            "seconds": round(time.perf_counter() - started, 3),
            "held_out": held_out,
            "n_changed": 0,
            "new_tags": [],
            "index": described(fitted.own_index),
        }
        manifest = _kept(folders, found, {name: (fitted, entry)})
    return _reported(report, manifest, started, is_written=True)


def _kept(
    folders: GenerationFolders,
    found: WholeGeneration,
    trained: Mapping[str, tuple[Fitted, dict[str, Any]]],
) -> dict[str, Any]:
    """Write a generation like the one that was found, with what was trained; return its manifest.

    Parameters
    ----------
    folders : GenerationFolders
        Locked.
    found : WholeGeneration
    trained : mapping of str to (Fitted, dict)
        Learners by name, each with what the manifest says of it.
    """
    with folders.new() as (folder, manifest):
        replaced = {trained_folder(found.folder, gone) for gone in (*trained, *found.damaged)}
        inherit(found.folder, folder, without=replaced)
        for name, (fitted, _) in trained.items():
            save_learner(fitted.learner, trained_folder(folder, name))
            if fitted.own_index is not None:
                save_index(fitted.own_index, own_index_folder(folder, name))
        manifest.update(found.manifest)
        entries = {name: entry for name, (_, entry) in trained.items()}
        manifest["learners"] = {**found.manifest["learners"], **entries}
    return manifest


def _reported(
    report: Callable[..., TrainingReport],
    manifest: Mapping[str, Any],
    started: float,
    *,
    is_written: bool,
) -> TrainingReport:
    """Return the report of a training that has ended."""
    learners = manifest["learners"]
    best = best_learner(learners)
    return report(
        answers_with=best,
        answers_figure=figure(learners, best) if is_trained(learners[best]) else None,
        is_written=is_written,
        seconds=time.perf_counter() - started,
    )
