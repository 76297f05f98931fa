"""How the training of TagProp grows with the corpus: ``python -m benchmarks.scaling``.

Made-up pictures: each has five of 1,000 tags, frequent ones more often, and a vector that is the
mean of its tags' directions and noise. Neighbours are looked up in the index that a workspace
would build, and what is timed is that search and the fitting, apart.
"""

import argparse
import sys
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.memory import PeakMemory
from indexing.index import Neighbors
from learners.base import Batch
from learners.tag_matrix import TagMatrix
from learners.tagprop import TagProp
from learners.tagprop.searching import leave_one_out

__all__ = ["made_up", "main"]

_N_TAGS = 1_000
_TAGS_A_PICTURE = 5
_N_DIMS = 64
_SIZES = (5_000, 50_000, 200_000)


def made_up(n_images: int, seed: int = 0) -> tuple[NDArray[np.float32], TagMatrix]:
    """Return vectors, float32 (n_images, 64), and tags of made-up pictures."""
    rng = np.random.default_rng(seed)
    shares = 1 / np.arange(2, _N_TAGS + 2)
    # Sampling without replacement, each picture on its own: the largest of weighed draws.
    drawn = np.empty((n_images, _TAGS_A_PICTURE), np.int64)
    for start in range(0, n_images, 10_000):
        keys = rng.gumbel(size=(min(10_000, n_images - start), _N_TAGS)) + np.log(shares)
        drawn[start : start + 10_000] = np.argpartition(-keys, _TAGS_A_PICTURE)[:, :_TAGS_A_PICTURE]
    directions = rng.normal(size=(_N_TAGS, _N_DIMS)).astype(np.float32)
    vectors = directions[drawn].mean(axis=1)
    vectors += 0.3 * rng.normal(size=vectors.shape).astype(np.float32)
    tags = TagMatrix(
        rows=np.arange(n_images),
        indptr=np.arange(0, drawn.size + 1, _TAGS_A_PICTURE),
        indices=np.sort(drawn, axis=1).ravel(),
        n_tags=_N_TAGS,
        owners=np.full(n_images, -1),
    )
    return vectors, tags


def _measured(n_images: int, n_neighbors: int) -> tuple[float, float, float]:
    """Return the seconds of search and fitting, and the peak memory of the fitting in MB."""
    vectors, tags = made_up(n_images)
    started = time.perf_counter()
    found = leave_one_out(vectors, np.arange(n_images), n_neighbors)
    searched = time.perf_counter()
    del vectors
    with PeakMemory() as memory:
        batch = Batch(neighbors=Neighbors(found.rows, found.distances))
        TagProp(n_neighbors=n_neighbors).fit(batch, tags)
    return searched - started, time.perf_counter() - searched, memory.peak_mb


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=_SIZES, metavar="N")
    parser.add_argument("--neighbors", type=int, default=100, metavar="K")
    options = parser.parse_args(arguments)
    _measured(500, options.neighbors)  # compiles
    write = sys.stdout.write
    write("pictures  search s  fit s  us a vote  peak MB\n")
    for n_images in options.sizes:
        search, fit, peak_mb = _measured(n_images, options.neighbors)
        n_votes = n_images * options.neighbors * _TAGS_A_PICTURE
        write(
            f"{n_images:>8,}  {search:>8.1f}  {fit:>5.1f}  {1e6 * fit / n_votes:>9.2f}  "
            f"{peak_mb:>7.0f}\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
