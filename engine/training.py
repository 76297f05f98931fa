"""Train a learner on the tagged pictures of a workspace: what ``engine train`` does."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engine.generations import GenerationFolders, WholeGeneration, inherit
from engine.held_out import hold_out, measure
from engine.own_index import build_own_index, described, save_index
from engine.results import TrainingReport
from engine.serving import training_batch
from engine.tagged import TaggedPictures
from engine.trained import (
    DECISIVE,
    best_learner,
    figure,
    is_trained,
    own_index_folder,
    save_learner,
    trained_folder,
)
from engine.vectors import StoredVectors
from indexing.errors import ArtifactError, InputError
from indexing.index import Index, VectorTransform, load_index
from indexing.records import printable_path
from indexing.store import WorkspaceStore
from learners.base import Batch, Progress, TagLearner
from learners.table import LEARNERS, make_learner

__all__ = ["TRAINABLE", "ChoosesParams", "train_workspace"]

logger = logging.getLogger(__name__)

TRAINABLE = ("heads", "tagprop")
"""Learners that are worth training; the others need none, or are there to be compared with."""

_FEWEST_CONTENTS = 10
_FEW_PICTURES = 100


@runtime_checkable
class ChoosesParams(Protocol):
    """A learner that chooses hyper-parameters while it is fitted."""

    def refit_params(self) -> dict[str, Any]:
        """Return what was chosen, as hyper-parameters of a fit that need not choose again."""


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
        One of :data:`TRAINABLE`.
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
    hyper-parameters while it is fitted tells them (:class:`ChoosesParams`), so that the second
    fit need not choose again.
    """
    started = time.perf_counter()
    _check_trainable(name)
    params = dict(params or {})
    make_learner(name, **params)
    folders = GenerationFolders(root)
    folders.current()  # a workspace that is not there is not made by looking for it
    with folders.lock():
        found = folders.current_if_whole()
        if found is None:
            raise ArtifactError(
                f"{printable_path(root)} is damaged; a whole workspace can be trained; run "
                "'engine build PICTURES' first"
            )
        with WorkspaceStore(folders.store) as store:
            training = _Training.of(found, store, name, params, device, on_progress)
            held_out, chosen = training.held_out()
            settings = {**params, **chosen}
            earlier = _comparable(found.manifest["learners"].get(name), held_out)
            report = partial(
                TrainingReport,
                workspace=printable_path(root),
                learner=name,
                params=make_learner(name, **settings).params(),
                told=tuple(settings),
                n_pictures=training.tagged.tags.n_images,
                n_tags=training.tagged.tags.n_tags,
                held_out=held_out,
                earlier=earlier,
                answered_before=best_learner(found.manifest["learners"]),
            )
            if not replace and _is_worse(held_out["after"], earlier):
                return _reported(report, found.manifest, started, is_written=False)
            learner, index = training.fitted("training on everything", training.tagged, chosen)
        with folders.new() as (folder, manifest):
            replaced = {trained_folder(found.folder, gone) for gone in (name, *found.damaged)}
            inherit(found.folder, folder, without=replaced)
            save_learner(learner, trained_folder(folder, name))
            if index is not None:
                save_index(index, own_index_folder(folder, name))
            tags = training.tagged.tags
            entry: dict[str, Any] = {
                "params": learner.params(),
                "told": list(settings),
                "trained_on": {"pictures": tags.n_images, "tags": tags.n_tags},
                "seconds": round(time.perf_counter() - started, 3),
                "held_out": held_out,
                "n_changed": 0,
                "new_tags": [],
                "index": described(index),
            }
            manifest.update(found.manifest)
            manifest["learners"] = {**found.manifest["learners"], name: entry}
    return _reported(report, manifest, started, is_written=True)


def _check_trainable(name: str) -> None:
    if name in TRAINABLE:
        return
    found = (
        f"the learner {name!r} is not trained"
        if name in LEARNERS
        else f"no learner that can be trained is called {name!r}"
    )
    raise InputError(f"{found}; {', '.join(TRAINABLE)} are accepted; name one")


def _comparable(
    entry: Mapping[str, Any] | None, held_out: Mapping[str, Any]
) -> dict[str, float | None] | None:
    """Return what an earlier training measured, if it was on the same pictures and votes."""
    if entry is None or entry["n_changed"]:
        return None
    if entry["held_out"]["n_pictures"] != held_out["n_pictures"]:
        return None
    return dict(entry["held_out"]["after"])


def _is_worse(
    after: Mapping[str, float | None], earlier: Mapping[str, float | None] | None
) -> bool:
    if earlier is None:
        return False
    # As people read them: what is less than a tenth of a point apart is not told apart.
    now, then = (round(100 * (values[DECISIVE] or 0.0), 1) for values in (after, earlier))
    return now < then


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


@dataclass(frozen=True, kw_only=True)
class _Training:
    """One training, under the workspace's lock."""

    name: str
    params: dict[str, Any]
    knn_params: dict[str, Any]
    tagged: TaggedPictures
    index: Index
    vectors: StoredVectors
    blocks: tuple[int, ...]
    factory: str
    device: str
    on_progress: Progress

    @classmethod
    def of(
        cls,
        found: WholeGeneration,
        store: WorkspaceStore,
        name: str,
        params: dict[str, Any],
        device: str,
        on_progress: Progress | None,
    ) -> "_Training":
        tagged = TaggedPictures.load(found.folder)
        _check_enough(tagged, name)
        extractor = found.manifest["extractor"]
        features = store.features(extractor["digest"], extractor["n_dims"])
        transform = VectorTransform.load(found.folder / "transform")
        return cls(
            name=name,
            params=params,
            knn_params=found.manifest["learners"]["knn"]["params"],
            tagged=tagged,
            index=load_index(found.folder / "index", device=device),
            vectors=StoredVectors(tagged.contents_by_row(), features, transform),
            blocks=tuple(extractor["blocks"]),
            factory=found.manifest["settings"]["index"],
            device=device,
            on_progress=on_progress or (lambda stage, done, total: None),
        )

    def held_out(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Fit without some, measure on those; also return what the fit has chosen."""
        kept_places, held_places = hold_out(self.tagged)
        kept, held = self.tagged.take(kept_places), self.tagged.take(held_places)
        measured = partial(measure, kept=kept, held=held, vectors=self.vectors, blocks=self.blocks)
        self.on_progress("measuring on held-out pictures: knn", 0, 0)
        knn = make_learner("knn", **self.knn_params).fit(Batch(), kept.tags)
        before = measured(knn, index=lambda: self.index)
        learner, own_index = self.fitted("measuring on held-out pictures", kept)
        self.on_progress(f"measuring on held-out pictures: {self.name}", 0, 0)
        after = measured(learner, index=lambda: self.index if own_index is None else own_index)
        chosen = learner.refit_params() if isinstance(learner, ChoosesParams) else {}
        return {"n_pictures": len(held_places), "before": before, "after": after}, chosen

    def fitted(
        self, on_what: str, tagged: TaggedPictures, chosen: Mapping[str, Any] | None = None
    ) -> tuple[TagLearner, Index | None]:
        """Fit on pictures; return the learner and its own index, if it has one."""

        def told(stage: str, done: int, total: int) -> None:
            self.on_progress(f"{on_what}: {stage}", done, total)

        learner = make_learner(self.name, **{**self.params, **(chosen or {})})
        batch = training_batch(
            learner, tagged, self.index, self.vectors, self.blocks, partial(told, "neighbours")
        )
        told("training", 0, 0)
        learner.fit(batch, tagged.tags, told)
        space = learner.space
        if space is None:
            return learner, None
        told("index", 0, 0)
        rows = tagged.tags.rows
        return learner, build_own_index(space, rows, self.vectors, self.factory, self.device)


def _check_enough(tagged: TaggedPictures, name: str) -> None:
    """Refuse a workspace with too few tagged pictures to hold any out; warn where they are few."""
    carries: NDArray[np.bool_] = np.diff(tagged.tags.indptr) > 0
    n_tagged = int(np.count_nonzero(carries))
    n_contents = len(np.unique(tagged.groups[carries]))
    if n_contents < _FEWEST_CONTENTS:
        raise InputError(
            f"{n_contents} different pictures with tags; {name} is trained on "
            f"{_FEWEST_CONTENTS} or more, some of which are held out to measure; tag more "
            "pictures and build again; until then knn answers"
        )
    if n_tagged < _FEW_PICTURES:
        logger.warning(
            "%d pictures with tags are few: below %d, what is measured says little and training "
            "may do harm",
            n_tagged,
            _FEW_PICTURES,
        )
