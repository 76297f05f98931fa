"""What a frozen part of a network gives, kept on disk while the rest is trained on it."""

import hashlib
import json
import logging
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["StoredExamples", "StoredMaps", "fits_on_disk", "maps_identity"]

_log = logging.getLogger(__name__)

# Of what is free on the disk; the rest is other people's.
_SHARE_OF_DISK = 0.5
# Pictures after which it is noted how far the maps have come.
_NOTED_EVERY = 64
_LARGEST = float(np.finfo(np.float16).max)


def fits_on_disk(folder: Path, shapes: Sequence[Sequence[int]], n_pictures: int) -> bool:
    """Return whether maps take no more than half of what is free; log it where they do.

    Parameters
    ----------
    folder : Path
        Or the nearest one above it that exists.
    shapes : sequence of sequence of int
        Of the maps of one picture.
    n_pictures : int
        Views included.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    wanted = 2 * n_pictures * sum(map(math.prod, shapes))
    free = shutil.disk_usage(there).free
    if wanted <= _SHARE_OF_DISK * free:
        return True
    _log.warning(
        "frozen maps of %d pictures take %.1f GB, more than half of the %.1f GB free in %s: the "
        "whole network runs in every epoch, which takes longer",
        n_pictures,
        wanted / 1e9,
        free / 1e9,
        there,
    )
    return False


def maps_identity(pixels: NDArray[np.uint8], *facts: object) -> str:
    """Return what changes with any pixel, or with anything else that maps depend on."""
    digest = hashlib.sha256(json.dumps([pixels.shape, *map(str, facts)]).encode())
    for picture in pixels:
        digest.update(np.ascontiguousarray(picture).data)
    return digest.hexdigest()


class StoredMaps:
    """Maps of pictures, each seen in some ways, in files that are mapped into memory.

    They are computed when they are first asked for. Where that was stopped, it goes on from
    the picture where it was, as long as nothing that the maps depend on has changed.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    stage : str
        Names the files.
    identity : str
        Of the maps; files of other ones are written anew.
    shapes : tuple of tuple of int
        Of the maps of one picture.
    n_images, n_views : int
    compute : callable
        Takes the number of a picture; yields the maps of each of its views from there on,
        picture after picture.
    on_progress : callable
        Called with what is done, the pictures done and their number.
    """

    def __init__(
        self,
        folder: Path,
        stage: str,
        identity: str,
        shapes: tuple[tuple[int, ...], ...],
        n_images: int,
        n_views: int,
        compute: Callable[[int], Iterator[tuple[NDArray[np.float32], ...]]],
        on_progress: Callable[[str, int, int], None],
    ) -> None:
        self._folder, self._stage, self._identity = folder, stage, identity
        self._shapes, self._compute, self._on_progress = shapes, compute, on_progress
        self.n_images, self.n_views = n_images, n_views
        self._maps: list[NDArray[np.float16]] | None = None

    def read(
        self, positions: NDArray[np.int64], views: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], ...]:
        """Return maps, each float32 (n, channels, height, width), of as many pictures and views."""
        if self._maps is None:
            self._maps = self._filled()
        return tuple(one[positions, views].astype(np.float32) for one in self._maps)

    def remove(self) -> None:
        """Delete the files."""
        self._maps = None
        for path in (self._record, *self._paths):
            path.unlink(missing_ok=True)

    @property
    def _record(self) -> Path:
        return self._folder / f"{self._stage}-maps.json"

    @property
    def _paths(self) -> list[Path]:
        return [self._folder / f"{self._stage}-maps-{k}.npy" for k in range(len(self._shapes))]

    def _filled(self) -> list[NDArray[np.float16]]:
        self._folder.mkdir(parents=True, exist_ok=True)
        done, maps = self._begun()
        computed = self._compute(done)
        for picture in range(done, self.n_images):
            for view in range(self.n_views):
                for one, values in zip(maps, next(computed), strict=True):
                    one[picture, view] = np.clip(values, -_LARGEST, _LARGEST)
            if (picture + 1) % _NOTED_EVERY == 0 or picture + 1 == self.n_images:
                self._note(picture + 1, maps)
            self._on_progress(f"frozen maps for {self._stage}", picture + 1, self.n_images)
        return maps

    def _begun(self) -> tuple[int, list[Any]]:
        """Return how many pictures are done, and the files, open to go on with."""
        shapes = [(self.n_images, self.n_views, *shape) for shape in self._shapes]
        try:
            noted = json.loads(self._record.read_text(encoding="utf-8"))
            if noted["identity"] == self._identity:
                maps = [np.load(path, mmap_mode="r+", allow_pickle=False) for path in self._paths]
                if [one.shape for one in maps] == shapes:
                    return int(noted["n_done"]), maps
        except (OSError, ValueError, LookupError, TypeError):
            pass  # not there, or of no use
        self.remove()
        return 0, [
            np.lib.format.open_memmap(path, "w+", np.float16, shape)
            for path, shape in zip(self._paths, shapes, strict=True)
        ]

    def _note(self, n_done: int, maps: Sequence[Any]) -> None:
        for one in maps:
            one.flush()
        scratch = self._record.with_name(f"{self._record.name}.{os.getpid()}.part")
        scratch.write_text(json.dumps({"identity": self._identity, "n_done": n_done}))
        scratch.replace(self._record)


class StoredExamples:
    """Some of the pictures whose maps are stored, with what is to be learned of them.

    Parameters
    ----------
    maps : StoredMaps
    chosen : ndarray of bool, shape (maps.n_images,)
    targets : ndarray of bool, shape (maps.n_images, n_tags)
    """

    def __init__(
        self, maps: StoredMaps, chosen: NDArray[np.bool_], targets: NDArray[np.bool_]
    ) -> None:
        self._maps, self._targets = maps, targets
        self._places = np.flatnonzero(chosen)

    @property
    def n_images(self) -> int:
        """Number of pictures."""
        return len(self._places)

    def batch(
        self, positions: NDArray[np.int64], rng: np.random.Generator | None
    ) -> tuple[tuple["Tensor", ...], "Tensor"]:
        """Return some of the pictures; see :meth:`learners.training.Examples.batch`.

        A view is drawn for each; to judge by, it is the first, the picture as it is.
        """
        import torch

        places = self._places[positions]
        views = np.zeros(len(places), np.int64)
        if rng is not None:
            views = rng.integers(0, self._maps.n_views, len(places))
        maps = self._maps.read(places, views)
        targets = torch.from_numpy(self._targets[places].astype(np.float32))
        return tuple(torch.from_numpy(one) for one in maps), targets
