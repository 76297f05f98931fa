"""Trained learners of a generation: what lies in ``learners/NAME``, and which one is the best.

::

    learners/tagprop/
    ├── learner.json      hyper-parameters and the head of the learner's state
    ├── learner.npz       what it has learned
    └── index/            its own index, where its space is not that of the vectors
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from indexing.errors import ArtifactError, EngineError
from indexing.index import Index, load_index
from learners.base import TagLearner
from learners.table import learner_class

__all__ = [
    "DECISIVE",
    "FEWEST_HELD_OUT",
    "best_learner",
    "figure",
    "is_outdated",
    "is_trained",
    "load_learner",
    "load_own_index",
    "own_index_folder",
    "save_learner",
    "tells_enough",
    "trained_folder",
    "trained_names",
]

DECISIVE = "c-f1@5"
"""The measure on held-out pictures that decides who answers."""

FEWEST_HELD_OUT = 20
"""Held-out pictures that it takes for a trained learner to answer where nobody is named."""

_HEAD_FILE = "learner.json"
_ARRAYS_FILE = "learner.npz"
# Share of the votes it was trained on that may change before training again is suggested.
_CHANGES_BEFORE_TRAINING = 0.2


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


def tells_enough(held_out: Mapping[str, Any]) -> bool:
    """Return whether so many pictures were held out that the better learner can be told."""
    n_pictures: int = held_out["n_pictures"]
    return n_pictures >= FEWEST_HELD_OUT


def figure(learners: Mapping[str, Mapping[str, Any]], name: str) -> float | None:
    """Return C-F1@5 of a trained learner of a manifest on held-out pictures, in [0, 1]."""
    value: float | None = learners[name]["held_out"]["after"].get(DECISIVE)
    return value


def best_learner(learners: Mapping[str, Mapping[str, Any]]) -> str:
    """Return who answers where nobody is named.

    Parameters
    ----------
    learners : mapping
        Those of a manifest.

    Returns
    -------
    str
        The trained learner of the highest C-F1@5 on held-out pictures, if that is at least
        what knn has on the same pictures and these are at least :data:`FEWEST_HELD_OUT`; else
        ``"knn"``.
    """
    best, best_value = "knn", -1.0
    for name in trained_names(learners):
        held_out = learners[name]["held_out"]
        if not tells_enough(held_out):
            continue
        before, after = (held_out[when].get(DECISIVE) for when in ("before", "after"))
        if after is not None and after >= (before or 0.0) and after > best_value:
            best, best_value = name, after
    return best


def save_learner(learner: TagLearner, folder: Path) -> None:
    """Write a fitted learner into a folder, made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    head, arrays = learner.state()
    text = json.dumps(head, ensure_ascii=False, allow_nan=False, indent=1)
    (folder / _HEAD_FILE).write_text(text + "\n", encoding="utf-8")
    kept: dict[str, Any] = dict(arrays)
    np.savez(folder / _ARRAYS_FILE, allow_pickle=False, **kept)


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
            return learner_class(name).from_state(head, dict(npz))
    except (
        *(OSError, EOFError, ValueError, LookupError, TypeError, AttributeError),
        *(BadZipFile, EngineError),
    ) as error:
        raise ArtifactError(_damaged(name, error)) from error


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
    return (
        f"the trained learner {name!r} cannot be read ({error}); a learner that this version "
        f"trained is accepted; run 'engine build' to go on without it and 'engine train {name}' "
        "to make it again, or name another with --learner"
    )
