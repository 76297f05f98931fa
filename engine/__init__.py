"""Tags pictures from the pictures people have already tagged.

>>> from engine import Workspace
"""

from engine.workspace import Workspace

__all__ = ["Workspace"]
