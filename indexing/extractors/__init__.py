"""Pictures to feature vectors: one protocol, a table of networks, and what serves them.

`open_extractor` opens a row of `EXTRACTORS` by name. On a CPU the network runs compiled and
nothing imports torch once the compiled form lies in `cache_folder`; on a GPU torch runs it.
Importing this package is light: no numpy, no torch.
"""

from indexing.extractors.base import Device, FeatureExtractor, Fingerprint
from indexing.extractors.cache import cache_folder
from indexing.extractors.table import (
    DEFAULT_EXTRACTOR,
    EXTRACTORS,
    extractor_names,
    open_extractor,
)

__all__ = [
    "DEFAULT_EXTRACTOR",
    "EXTRACTORS",
    "Device",
    "FeatureExtractor",
    "Fingerprint",
    "cache_folder",
    "extractor_names",
    "open_extractor",
]
