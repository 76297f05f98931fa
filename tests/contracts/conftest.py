"""Fixtures of the contract of the extractors."""

from tests.extractor_fixtures import (  # noqa: F401
    extractor_cache,
    open_clip_checkpoint,
    timm_checkpoint,
)
