"""Fixtures of the benchmark tests."""

from tests.extractor_fixtures import extractor_cache

__all__ = ["extractor_cache"]
