"""Where a training stands that is stopped: kept in the workspace until it has ended.

::

    .engine/training/NAME/
    ├── training.json     which training it is of: another one throws it away
    ├── held-out/         state of the fit without the held-out pictures
    └── everything/       state of the fit on all of them
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from engine.tagged import TaggedPictures

__all__ = ["KeepsState", "UnfinishedTraining", "forget_unfinished", "is_unfinished"]

_FOLDER = "training"
_RECORD = "training.json"


@runtime_checkable
class KeepsState(Protocol):
    """A learner whose fit can go on where it was stopped."""

    def keeping(self, checkpoints: Path, /) -> object:
        """Keep the state of the next fit in a folder."""


class UnfinishedTraining:
    """The state of one training of a workspace.

    Parameters
    ----------
    root : Path
        The workspace folder; its lock is held.
    name : str
        Of the learner.
    params : mapping
        Its hyper-parameters, as they were given.
    tagged : TaggedPictures
        What it is trained on.
    """

    def __init__(
        self, root: Path, name: str, params: Mapping[str, Any], tagged: TaggedPictures
    ) -> None:
        self._folder = root / _FOLDER / name
        told = json.dumps([name, params, tagged.digest], sort_keys=True, default=str)
        self._digest = hashlib.sha256(told.encode()).hexdigest()

    def begin(self) -> bool:
        """Make the folder ready; return whether there is a state to go on from."""
        record = self._folder / _RECORD
        try:
            if json.loads(record.read_text(encoding="utf-8")) == self._digest:
                return True
        except (OSError, ValueError):
            pass  # there was none, or nothing that could be gone on from
        self.forget()
        self._folder.mkdir(parents=True)
        scratch = record.with_suffix(".part")
        scratch.write_text(json.dumps(self._digest), encoding="utf-8")
        scratch.replace(record)
        return False

    def keep(self, learner: object, part: str) -> None:
        """Let a learner keep the state of its next fit here, if it can."""
        if isinstance(learner, KeepsState):
            learner.keeping(self._folder / part)

    def forget(self) -> None:
        """Delete the state."""
        shutil.rmtree(self._folder, ignore_errors=True)


def is_unfinished(root: Path, name: str) -> bool:
    """Return whether a training was stopped in a workspace that can go on."""
    return any(path.is_dir() for path in (root / _FOLDER / name).glob("*"))


def forget_unfinished(root: Path) -> None:
    """Delete the states of all trainings that were stopped in a workspace."""
    shutil.rmtree(root / _FOLDER, ignore_errors=True)
