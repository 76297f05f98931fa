"""Which learners are trained, and what is asked of them before any work."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from indexing.errors import InputError
from indexing.names import suggestion
from indexing.records import printable_path
from learners.table import LEARNERS, learner_class, make_learner

__all__ = [
    "DEFAULT",
    "TRAINABLE",
    "ChoosesParams",
    "ExportsNetwork",
    "check_exportable",
    "check_trainable",
    "is_trainable",
]

DEFAULT = "hybrid"
"""What is trained where nobody is named."""

TRAINABLE = ("hybrid", "heads", "mscnn", "multimodal", "tagprop", "words")
"""Learners that are worth training; the others need none, or are there to be compared with."""


@runtime_checkable
class ChoosesParams(Protocol):
    """A learner that chooses hyper-parameters while it is fitted."""

    def refit_params(self) -> dict[str, Any]:
        """Return what was chosen, as hyper-parameters of a fit that need not choose again."""


@runtime_checkable
class ExportsNetwork(Protocol):
    """A learner whose network can be an extractor."""

    def export(self, folder: Path, /) -> None:
        """Write the network into a folder that opens as ``compiled:PATH``."""


def check_exportable(name: str, folder: Path) -> None:
    """Refuse a learner without a network, or a folder with content, before anything is trained.

    Raises
    ------
    InputError
        The learner has no network, or the folder has content.
    """
    if name in LEARNERS and not issubclass(learner_class(name), ExportsNetwork):
        raise InputError(
            f"the learner {name!r} has no network of its own; mscnn has one; leave --export out"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"{printable_path(folder)} has content; a new or an empty folder is accepted; "
            "choose another"
        )


def is_trainable(name: str) -> bool:
    """Return whether a learner is trained and kept under its name."""
    return name in TRAINABLE


def check_trainable(name: str, params: Mapping[str, Any]) -> None:
    """Refuse a learner that is not trained, or hyper-parameters that it does not take.

    Raises
    ------
    InputError
        The learner or a hyper-parameter is not known.
    """
    if not is_trainable(name):
        found = (
            f"the learner {name!r} is not trained"
            if name in LEARNERS
            else f"no learner that can be trained is called {name!r}"
        )
        advice = suggestion(name, TRAINABLE, n=1, otherwise="name one")
        raise InputError(f"{found}; {', '.join(TRAINABLE)} are accepted; {advice}")
    make_learner(name, **params)
