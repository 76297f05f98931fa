"""Write what was trained into a generation of its own, with what the manifest says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.generations import GenerationFolders, WholeGeneration, inherit
from engine.own_index import described, save_index
from engine.trained import (
    member_of,
    own_index_folder,
    save_learner,
    trained_folder,
)
from engine.training.material import Fitted, Material
from engine.training.trials import Trial, is_of
from learners.table import make_learner

__all__ = ["Trained", "keep", "ready_member"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A learner that was fitted on everything, and what the manifest says of it.

    Parameters
    ----------
    fitted : Fitted
    entry : dict
    members : dict of str to Trained
        The learners that it mixes.
    """

    fitted: Fitted
    entry: dict[str, Any]
    members: "dict[str, Trained]" = field(default_factory=dict)

    @classmethod
    def of(
        cls, trial: Trial, fitted: Fitted, n_held: int, before: Mapping[str, float | None]
    ) -> "Trained":
        """Describe a learner that was tried and then fitted on everything.

        Parameters
        ----------
        trial : Trial
        fitted : Fitted
        n_held : int
            Pictures that were held out.
        before : mapping
            What knn has on them.
        """
        learner, tags = fitted.learner, fitted.pictures.tags
        return cls(
            fitted=fitted,
            entry={
                "params": learner.params(),
                "told": list(trial.settings),
                "trained_on": {"pictures": tags.n_images, "tags": tags.n_tags},
                "seconds": round(trial.seconds + fitted.seconds, 3),
                "held_out": {
                    "n_pictures": n_held,
                    "before": dict(before),
                    "after": dict(trial.figures),
                },
                "n_changed": 0,
                "votes": fitted.pictures.digest,
                "new_tags": [],
                "index": described(fitted.own_index),
            },
        )


def keep(
    folders: GenerationFolders, found: WholeGeneration, trained: Mapping[str, Trained]
) -> dict[str, Any]:
    """Write a generation like the one that was found, with what was trained; return its manifest.

    Parameters
    ----------
    folders : GenerationFolders
        Locked.
    found : WholeGeneration
    trained : mapping of str to Trained
        By name. A member that is kept under its own name too, or lies in the generation that
        was found, shares its files.
    """
    with folders.new() as (folder, manifest):
        replaced = {trained_folder(found.folder, gone) for gone in (*trained, *found.damaged)}
        inherit(found.folder, folder, without=replaced)
        written: dict[int, str] = {}
        for name, one in sorted(trained.items(), key=lambda item: bool(item[1].members)):
            for path, part in (
                (name, one),
                *((member_of(name, member), its) for member, its in one.members.items()),
            ):
                target = trained_folder(folder, path)
                same = written.setdefault(id(part.fitted), path)
                if same != path or part.fitted.folder is not None:
                    source = part.fitted.folder or trained_folder(folder, same)
                    inherit(source, target, without=set())
                    continue
                save_learner(part.fitted.learner, target)
                if part.fitted.own_index is not None:
                    save_index(part.fitted.own_index, own_index_folder(folder, path))
        manifest.update(found.manifest)
        entries = {name: one.entry for name, one in trained.items()}
        manifest["learners"] = {**found.manifest["learners"], **entries}
    return manifest


def ready_member(
    found: WholeGeneration, name: str, trial: Trial, material: Material
) -> Fitted | None:
    """Return a member as it was trained before, on the same votes and with the same settings.

    Parameters
    ----------
    found : WholeGeneration
    name : str
        The learner that mixes it.
    trial : Trial
        Of the member.
    material : Material
    """
    learners = found.manifest["learners"]
    mixed = learners.get(name, {})
    params = make_learner(trial.name, **trial.settings).params()
    for path, entry in (
        (trial.name, learners.get(trial.name, {})),
        (member_of(name, trial.name), mixed.get("members", {}).get(trial.name, {})),
    ):
        if is_of(entry, material.tagged) and entry["params"] == params:
            return Fitted.of(found.folder, path, material)
    return None
