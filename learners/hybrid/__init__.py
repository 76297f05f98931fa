"""The hybrid: one calibrated answer mixed from those of other learners."""

from learners.hybrid.decisions import PrecisionCut
from learners.hybrid.learner import Goal, Hybrid

__all__ = ["Goal", "Hybrid", "PrecisionCut"]
