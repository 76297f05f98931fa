"""Which squares a learner of pixels wants to see."""

from typing import Protocol, runtime_checkable

from indexing.pixels import Framing
from learners.base import TagLearner

__all__ = ["DEFAULT_FRAMING", "LooksThroughAFrame", "framing_of"]

DEFAULT_FRAMING = Framing(size=224)
"""What a learner of pixels sees that says nothing else."""


@runtime_checkable
class LooksThroughAFrame(Protocol):
    """A learner that says which squares it wants to see."""

    @property
    def framing(self) -> Framing:
        """How a picture becomes the square that the learner sees."""


def framing_of(learner: TagLearner) -> Framing:
    """Return which squares a learner of pixels wants: its `framing`, else 224 pixels."""
    return learner.framing if isinstance(learner, LooksThroughAFrame) else DEFAULT_FRAMING
