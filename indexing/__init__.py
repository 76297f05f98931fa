"""Pictures to vectors to neighbours: readers, pixels, extractors, store and index.

This package knows no learning. Nothing here imports from ``learners``, ``engine`` or
``benchmarks``.
"""
