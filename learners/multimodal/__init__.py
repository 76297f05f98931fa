"""Pictures and the noisy tags that they came with, joined; torch only where it trains."""

from learners.multimodal.learner import Multimodal

__all__ = ["Multimodal"]
