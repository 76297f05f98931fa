"""The multi-scale network that is trained on pictures; torch only where it trains."""

from learners.multiscale.learner import MSCNN

__all__ = ["MSCNN"]
