"""The exception tree: one root, so that a caller can catch all that this project raises.

::

    EngineError
    ├── InputError (also ValueError)       an argument that cannot be used
    │   └── PictureError                   bytes or a file that are no usable picture
    ├── CorpusError                        a corpus that cannot be read, with path:line
    ├── IndexingError                      vectors or rows that an index cannot take
    ├── NotFittedError                     a learner asked before it has learned
    ├── ArtifactError                      a saved thing missing, foreign or of another version
    │   ├── LockedError                    a workspace that another process is writing
    │   └── NotAWorkspaceError             a place that is no workspace, or not one's own
    └── MissingDependencyError (also ImportError)   carries the pip command

Every message says what was found, what is accepted and what to do, in one line.
"""

from enum import StrEnum

__all__ = [
    "ArtifactError",
    "CorpusError",
    "EngineError",
    "IndexingError",
    "InputError",
    "LockedError",
    "MissingDependencyError",
    "NotAWorkspaceError",
    "NotFittedError",
    "PictureError",
    "RefusalReason",
]


class EngineError(Exception):
    """Root of every error that this project raises on purpose."""


class InputError(EngineError, ValueError):
    """An argument that cannot be used."""


class RefusalReason(StrEnum):
    """Why a file was not indexed; the values are what people read in a summary."""

    EMPTY = "empty"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    NOT_A_PICTURE = "not a picture"
    TOO_LARGE = "too large"
    NOT_A_FILE = "not a regular file"
    NO_PERMISSION = "no permission"
    VANISHED = "vanished"
    UNREADABLE = "unreadable"
    BAD_SIDECAR = "bad sidecar"


class PictureError(InputError):
    """Bytes, or a file, that cannot be used as a picture.

    Parameters
    ----------
    reason : RefusalReason
        The kind of fault, counted in summaries.
    detail : str
        What was found, in one line.
    """

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["PictureError"], tuple[RefusalReason, str]]:
        return type(self), (self.reason, self.detail)


class CorpusError(EngineError):
    """A corpus that cannot be read; the message names ``path:line`` where there is a line."""


class IndexingError(EngineError):
    """Vectors, rows or settings that an index cannot take."""


class NotFittedError(EngineError):
    """A learner was asked for scores before it was fitted."""


class ArtifactError(EngineError):
    """A saved artefact that is missing, foreign, damaged or of another version."""


class LockedError(ArtifactError):
    """A workspace that another process is writing at this moment."""


class NotAWorkspaceError(ArtifactError):
    """A place that is no workspace, or that this user may not use."""


class MissingDependencyError(EngineError, ImportError):
    """An optional package is not installed.

    Parameters
    ----------
    package : str
        What could not be imported.
    purpose : str
        What it is needed for.
    install : str
        The command that installs it.
    """

    def __init__(self, package: str, purpose: str, install: str) -> None:
        super().__init__(f"{package} is not installed; {purpose} needs it; install it: {install}")
        self.package = package
        self.purpose = purpose
        self.install = install
