"""A small tagged corpus from the photographs that installed packages carry.

The photographs stay where they are; what is written is crops of them, for this run only. The
tags are this project's own (``photographs.json``).
"""

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL.Image import Image

from indexing.errors import MissingDependencyError
from indexing.pixels import open_rgb, read_picture

__all__ = ["Photograph", "installed_photographs", "write_crops"]

_MANIFEST = Path(__file__).with_name("photographs.json")
_FEWEST = 8
_CROPS_TO_INDEX = 10
_CROPS_TO_TAG = 1
_CROP_SHARE = (0.66, 0.86)


@dataclass(frozen=True)
class Photograph:
    """A photograph that some installed package carries, and what it shows."""

    path: Path
    tags: tuple[str, ...]


def installed_photographs() -> list[Photograph]:
    """Return the photographs of the manifest that are installed here.

    Raises
    ------
    MissingDependencyError
        Hardly any is.
    """
    found = []
    for row in json.loads(_MANIFEST.read_text(encoding="utf-8")):
        package = importlib.util.find_spec(row["package"])
        if package is not None and package.origin is not None:
            path = Path(package.origin).parent / row["file"]
            if path.is_file():
                found.append(Photograph(path, tuple(row["tags"])))
    if len(found) < _FEWEST:
        raise MissingDependencyError(
            "scikit-image", "the demo without CORPUS", "pip install 'tag-engine[demo]'"
        )
    return found


def write_crops(photographs: list[Photograph], corpus: Path, new: Path) -> tuple[int, int]:
    """Write overlapping crops: most with their tags as a corpus, a few without as new pictures.

    Parameters
    ----------
    photographs : list of Photograph
    corpus : Path
        Gets ``NAME-NN.jpg`` and the sidecar ``NAME-NN.jpg.txt``.
    new : Path
        Gets pictures only.

    Returns
    -------
    n_indexed, n_new : int
    """
    corpus.mkdir(parents=True)
    new.mkdir(parents=True)
    n_new = 0
    for number, photograph in enumerate(photographs):
        crops = list(_crops(photograph.path, _CROPS_TO_INDEX + _CROPS_TO_TAG, seed=number))
        for place, crop in enumerate(crops):
            is_new = place >= _CROPS_TO_INDEX
            n_new += is_new
            name = f"{photograph.path.stem}-{place:02d}.jpg"
            crop.save((new if is_new else corpus) / name, quality=88)
            if not is_new:
                sidecar = corpus / f"{name}.txt"
                sidecar.write_text("\n".join(photograph.tags) + "\n", encoding="utf-8")
    return len(photographs) * _CROPS_TO_INDEX, n_new


def _crops(path: Path, n_crops: int, seed: int) -> Iterator[Image]:
    random = np.random.default_rng(seed)
    picture = open_rgb(read_picture(path), at_least=400)
    width, height = picture.size
    for _ in range(n_crops):
        share = random.uniform(*_CROP_SHARE)
        crop_width, crop_height = round(share * width), round(share * height)
        left = int(random.integers(0, width - crop_width + 1))
        top = int(random.integers(0, height - crop_height + 1))
        yield picture.crop((left, top, left + crop_width, top + crop_height))
