"""The network that a generation was built with, opened again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.generations import PROBE_FILE
from indexing.errors import ArtifactError
from indexing.extractors import FeatureExtractor, open_extractor
from indexing.extractors.probe import check_probe

__all__ = ["open_recorded"]


def open_recorded(folder: Path, manifest: Mapping[str, Any], device: str) -> FeatureExtractor:
    """Open the network of a generation, and see that it is the same.

    Parameters
    ----------
    folder : Path
        Of the generation.
    manifest : mapping
        Its manifest.
    device : {"auto", "cpu", "cuda"}
        Where the network runs.

    Raises
    ------
    ArtifactError
        Its weights or its preprocessing are others than they were, or it answers otherwise.
    """
    recorded = manifest["extractor"]
    extractor = open_extractor(recorded["name"], device)
    if extractor.fingerprint.digest != recorded["digest"]:
        raise ArtifactError(
            f"{folder} was built with another {recorded['name']} (weights or "
            "preprocessing differ); the features of one network can be compared; run 'engine "
            f"build --extractor {recorded['name']}' to extract them anew"
        )
    if extractor.runtime != recorded["runtime"]:
        check_probe(extractor, np.load(folder / PROBE_FILE, allow_pickle=False))
    return extractor
