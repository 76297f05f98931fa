"""Tags pictures from the pictures people have already tagged.

>>> from engine import Workspace
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.workspace import Workspace

__all__ = ["Workspace"]


def __getattr__(name: str) -> Any:
    """Import the workspace when it is asked for: the command line starts without it."""
    if name == "Workspace":
        from engine.workspace import Workspace

        return Workspace
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
