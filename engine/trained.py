"""Trained learners of a generation: what lies in ``learners/NAME``.

::

    learners/tagprop/
    ├── learner.json      hyper-parameters and the head of the learner's state
    ├── learner.npz       what it has learned
    ├── index/            its own index, where its space is not that of the vectors
    └── members/NAME/     the same of learners that it mixes, as they were when it was trained

A member has a name of its own, ``hybrid/members/tagprop`` (:func:`member_of`), which everything
here takes: the ``tagprop`` that people train for itself may be another.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from indexing.errors import ArtifactError, EngineError, InputError
from indexing.index import Index, load_index
from indexing.names import did_you_mean, meant
from learners.base import TagLearner
from learners.table import LEARNERS, learner_class

__all__ = [
    "brought_by",
    "check_known",
    "is_outdated",
    "is_trained",
    "load_learner",
    "load_own_index",
    "member_of",
    "own_index_folder",
    "save_learner",
    "trained_folder",
    "trained_identity",
    "trained_names",
    "unreadable",
]

_MEMBERS = "members"
_HEAD_FILE = "learner.json"
_ARRAYS_FILE = "learner.npz"
# Share of the votes it was trained on that may change before training again is suggested.
_CHANGES_BEFORE_TRAINING = 0.2


def member_of(name: str, member: str) -> str:
    """Return the name of a learner that another one mixes."""
    return f"{name}/{_MEMBERS}/{member}"


def trained_folder(generation: Path, name: str) -> Path:
    """Return the folder of a trained learner in that of a generation."""
    return generation / "learners" / name


def own_index_folder(generation: Path, name: str) -> Path:
    """Return the folder of a trained learner's own index; it may not exist."""
    return trained_folder(generation, name) / "index"


def is_trained(entry: Mapping[str, Any]) -> bool:
    """Return whether a learner of a manifest was trained, and so has files of its own."""
    return "trained_on" in entry


def trained_names(learners: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of the trained ones among the learners of a manifest."""
    return [name for name, entry in learners.items() if is_trained(entry)]


def is_outdated(entry: Mapping[str, Any]) -> bool:
    """Return whether so many votes have changed that a learner should be trained again."""
    if not is_trained(entry):
        return False
    n_changed: int = entry["n_changed"]
    return n_changed > _CHANGES_BEFORE_TRAINING * float(entry["trained_on"]["pictures"])


def brought_by(learners: Mapping[str, Mapping[str, Any]], name: str) -> str | None:
    """Return the learner with which a trained one of a manifest was trained, as its member.

    Parameters
    ----------
    learners : mapping
        Those of the manifest.
    name : str

    Returns
    -------
    str or None
        None = it was trained by itself, or what mixes it was trained again since.
    """
    facts = ("params", "held_out", "seconds")
    for mixing, entry in learners.items():
        member = entry.get("members", {}).get(name)
        if member is not None and all(member[fact] == learners[name][fact] for fact in facts):
            return mixing
    return None


def check_known(learners: Mapping[str, Mapping[str, Any]], name: str) -> None:
    """Refuse the name of a learner that is not among those of a manifest.

    Raises
    ------
    InputError
        It is not.
    """
    if name in learners:
        return
    from engine.training.trainable import TRAINABLE

    advice = "name one of them"
    if name in TRAINABLE:
        advice += f", or train it: engine train {name}"
    elif name not in LEARNERS and (close := meant(name, [*learners, *TRAINABLE])):
        to_train = f" To train it: engine train {close[0]}" * (close[0] not in learners)
        advice = did_you_mean(close) + to_train
    raise InputError(
        f"no learner is named {name!r} here; {', '.join(sorted(learners))} are accepted; {advice}"
    )


def save_learner(learner: TagLearner, folder: Path) -> None:
    """Write a fitted learner into a folder, made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    head, arrays = learner.state()
    text = json.dumps(head, ensure_ascii=False, allow_nan=False, indent=1)
    (folder / _HEAD_FILE).write_text(text + "\n", encoding="utf-8")
    kept: dict[str, Any] = dict(arrays)
    np.savez(folder / _ARRAYS_FILE, allow_pickle=False, **kept)


def trained_identity(generation: Path, name: str) -> tuple[int, int]:
    """Return what tells a trained learner from others: names of one file have the same.

    Raises
    ------
    ArtifactError
        It is missing.
    """
    try:
        facts = (trained_folder(generation, name) / _ARRAYS_FILE).stat()
    except OSError as error:
        raise ArtifactError(_damaged(name, error)) from error
    return facts.st_dev, facts.st_ino


def load_learner(generation: Path, name: str) -> TagLearner:
    """Read what :func:`save_learner` wrote.

    Raises
    ------
    ArtifactError
        A file is missing, damaged or of another version.
    """
    folder = trained_folder(generation, name)
    try:
        head = json.loads((folder / _HEAD_FILE).read_text(encoding="utf-8"))
        with (folder / _ARRAYS_FILE).open("rb") as file, np.load(file, allow_pickle=False) as npz:
            return learner_class(name.rpartition("/")[2]).from_state(head, dict(npz))
    except (
        *(OSError, EOFError, ValueError, LookupError, TypeError, AttributeError),
        *(BadZipFile, EngineError),
    ) as error:
        raise ArtifactError(_damaged(name, error)) from error


def unreadable(generation: Path, learners: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Return the trained learners that this version cannot read, or a member of which it cannot.

    Parameters
    ----------
    generation : Path
    learners : mapping
        Of the manifest.
    """
    readable: set[tuple[int, int]] = set()  # what lies there under two names is read once

    def is_readable(name: str) -> bool:
        try:
            lies = trained_identity(generation, name)
            if lies not in readable:
                load_learner(generation, name)
        except ArtifactError:
            return False
        readable.add(lies)
        return True

    return {
        name
        for name in trained_names(learners)
        for path in (name, *(member_of(name, one) for one in learners[name].get("members", {})))
        if not is_readable(path)
    }


def load_own_index(generation: Path, name: str, device: str) -> Index:
    """Open the own index of a trained learner.

    Raises
    ------
    ArtifactError
        It is missing or damaged.
    """
    try:
        return load_index(own_index_folder(generation, name), device=device)
    except ArtifactError as error:
        raise ArtifactError(_damaged(name, error)) from error


def _damaged(name: str, error: Exception) -> str:
    from engine.training.trainable import is_trainable

    name = name.partition("/")[0]
    again = f" and 'engine train {name}' to make it again" * is_trainable(name)
    return (
        f"the trained learner {name!r} cannot be read ({error}); a learner that this version "
        f"trained is accepted; run 'engine build' to go on without it{again}, or name another with "
        "--learner"
    )
