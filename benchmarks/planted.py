"""A data set with a structure that is known, for suites that need no pictures."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets import Dataset
from benchmarks.exercises import NO_COPY
from indexing.records import Corpus, ImageRecord

__all__ = ["planted"]

_N_TAGS, _N_DIMS = 24, 32
_N_OWNERS = 60
_NOISE = 0.35


def planted(
    n_train: int = 400, n_test: int = 120, seed: int = 0
) -> tuple[Dataset, NDArray[np.float32]]:
    """Make pictures whose features are the sum of a direction a label, and noise.

    Labels are drawn as in photo libraries, few of them often and most rarely; a tag is lost
    one time in ten and one picture in ten has a wrong one. One training picture is a copy of
    a test picture.

    Returns
    -------
    dataset : Dataset
        Splits ``train`` and ``test``; tags, labels and owners.
    features : ndarray of float32, shape (n_train + n_test, 32)
    """
    rng = np.random.default_rng(seed)
    n_images = n_train + n_test
    frequency = 1 / np.arange(1, _N_TAGS + 1)
    labels = rng.random((n_images, _N_TAGS)) < 2.5 * frequency / frequency.sum()
    labels[np.arange(n_images), rng.choice(_N_TAGS, n_images, p=frequency / frequency.sum())] = True
    directions = rng.normal(size=(_N_TAGS, _N_DIMS)) / np.sqrt(_N_DIMS)
    features = labels @ directions + _NOISE * rng.normal(size=(n_images, _N_DIMS))
    tags = labels & (rng.random(labels.shape) > 0.1)
    wrong = rng.random(n_images) < 0.1
    tags[wrong, rng.integers(0, _N_TAGS, n_images)[wrong]] = True
    # The last training picture is the first test picture once more.
    features[n_train - 1], labels[n_train - 1] = features[n_train], labels[n_train]
    groups = np.full(n_images, NO_COPY, np.int64)
    groups[[n_train - 1, n_train]] = 0
    owners = rng.integers(0, _N_OWNERS, n_images)
    records = tuple(
        ImageRecord(
            image_id=f"{i:05}.jpg",
            path=Path(f"{i:05}.jpg"),
            owner=f"owner{owners[i]:02}",
            tags=_names(tags[i]) if i < n_train else None,
            labels=_names(labels[i]),
            split="train" if i < n_train else "test",
        )
        for i in range(n_images)
    )
    corpus = Corpus(root=Path("planted"), format="planted", records=records)
    return Dataset(name="planted", corpus=corpus, groups=groups), features.astype(np.float32)


def _names(present: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(f"tag{tag:02}" for tag in np.flatnonzero(present))
