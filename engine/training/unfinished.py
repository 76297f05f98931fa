"""Where a training stands that is stopped: kept in the workspace until it has ended.

::

    .engine/training/NAME/DIGEST/    which training it is of: another one throws it away
    ├── held-out/                    state of the fit without the held-out pictures
    └── everything/                  state of the fit on all of them

There is nothing of a training until its learner keeps a state, and most never do.
"""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from engine.tagged import TaggedPictures

__all__ = ["KeepsState", "UnfinishedTraining", "forget_unfinished", "is_unfinished"]

_FOLDER = "training"
_DIGITS = 16


@runtime_checkable
class KeepsState(Protocol):
    """A learner whose fit can go on where it was stopped."""

    def keeping(self, checkpoints: Path, /) -> object:
        """Keep the state of the next fit in a folder, which is made when there is one."""


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
        told = json.dumps([name, params, tagged.digest], sort_keys=True, default=str)
        self._of_learner = root / _FOLDER / name
        self._folder = self._of_learner / hashlib.sha256(told.encode()).hexdigest()[:_DIGITS]

    def begin(self) -> bool:
        """Return whether there is a state to go on from; that of another training goes."""
        if _has_state(self._folder):
            return True
        self.forget()
        return False

    def keep(self, learner: object, part: str) -> None:
        """Let a learner keep the state of its next fit here, if it can."""
        if isinstance(learner, KeepsState):
            learner.keeping(self._folder / part)

    def forget(self) -> None:
        """Delete the state."""
        shutil.rmtree(self._of_learner, ignore_errors=True)
        with contextlib.suppress(OSError):  # there was none, or another learner has one
            self._of_learner.parent.rmdir()


def is_unfinished(root: Path, name: str) -> bool:
    """Return whether a training was stopped in a workspace that can go on."""
    return _has_state(root / _FOLDER / name)


def forget_unfinished(root: Path) -> None:
    """Delete the states of all trainings that were stopped in a workspace."""
    shutil.rmtree(root / _FOLDER, ignore_errors=True)


def _has_state(folder: Path) -> bool:
    return any(path.is_file() for path in folder.rglob("*"))
