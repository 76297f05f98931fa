"""Fixtures of the learners that run networks."""

from tests.extractor_fixtures import extractor_cache, timm_checkpoint

__all__ = ["extractor_cache", "timm_checkpoint"]
