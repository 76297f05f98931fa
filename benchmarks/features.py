"""Features of a data set: computed once and kept, brought along, or none."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets import Dataset
from engine.generations import GenerationFolders
from indexing.errors import CorpusError, InputError
from indexing.extractors import cache_folder, open_extractor
from indexing.extractors.classifier import open_classifier
from indexing.index import VectorTransform
from indexing.ingest import ingest, unchanged_facts
from indexing.ready_features import read_ready_features
from indexing.records import printable_path
from indexing.store import WorkspaceStore
from learners.words import ClassWords

__all__ = ["TAGS_ONLY", "Features", "extracted_features", "feature_cache", "ready_features"]

_FETCHED_AT_ONCE = 1_024


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """Vectors of the pictures of a data set, as an index would hold them.

    Parameters
    ----------
    name : str
        What made them.
    digest : str
        Changes with them.
    vectors : ndarray of float32, shape (n_images, n_dims), or None
        In the order of the corpus, zero for pictures without tags and labels. None = tags
        are all that is known.
    blocks : tuple of int, optional
        Widths of the parts of a vector that are layers of their own.
    directions : ndarray of float32, shape (n_images, n_word_dims), optional
        Where the network's own classes point in word space.
    """

    name: str
    digest: str
    vectors: NDArray[np.float32] | None
    blocks: tuple[int, ...] | None = None
    directions: NDArray[np.float32] | None = None


TAGS_ONLY = Features(name="tags", digest="", vectors=None)


def feature_cache() -> Path:
    """Return where features are kept from one run to the next; it can be deleted any time."""
    return cache_folder() / "bench"


def extracted_features(
    dataset: Dataset,
    extractor_name: str,
    folder: Path,
    *,
    device: str = "auto",
    class_words: ClassWords | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Features:
    """Bring the features of all pictures into a store and return their vectors.

    Parameters
    ----------
    dataset : Dataset
    extractor_name : str
        As :func:`indexing.extractors.open_extractor` takes it.
    folder : Path
        Where the store lies, such as :func:`feature_cache`, or a workspace that was built;
        data sets and extractors share it, and a picture that it knows by content is not
        extracted again.
    device : {"auto", "cpu", "cuda"}
    class_words : ClassWords, optional
        The classes of ImageNet in word space; with them, and if the network tells these classes
        apart, the pictures' directions are returned too.
    on_progress : callable
        Called with (pictures done, pictures to do).

    Raises
    ------
    CorpusError
        If a picture with tags or labels cannot be used: the numbers would be of another set.
    LockedError
        If another process is writing the store.
    """
    extractor = open_extractor(extractor_name, device)
    transform = VectorTransform.of_blocks(extractor.blocks)
    vectors = np.zeros((len(dataset.corpus), transform.n_out), np.float32)
    directions, classifier = None, None
    if class_words is not None and extractor.n_classes == len(class_words.vectors):
        classifier = open_classifier(extractor)
    if classifier is not None and class_words is not None:
        n_word_dims = class_words.vectors.shape[1]
        directions = np.zeros((len(dataset.corpus), n_word_dims), np.float32)
    folders = GenerationFolders(folder)
    with folders.lock(), WorkspaceStore(folders.store) as store:
        features = store.features(extractor.fingerprint.digest, extractor.n_dims)
        known = unchanged_facts(dataset.corpus, store, features.contents())
        facts = ingest(dataset.corpus, known, features, extractor, on_progress).facts
        for record, fact, used in zip(dataset.corpus.records, facts, dataset.used, strict=True):
            if used and (fact.refusal is not None or fact.content is None):
                reason = fact.refusal[1] if fact.refusal else "no content"
                raise CorpusError(
                    f"{printable_path(record.path)}: {reason}; a benchmark takes every labelled "
                    "picture; mend the file, or take it out of the lists of the data set"
                )
        places = np.flatnonzero(dataset.used)
        for start in range(0, len(places), _FETCHED_AT_ONCE):
            part = places[start : start + _FETCHED_AT_ONCE]
            raw = features.fetch([facts[i].content or b"" for i in part])
            vectors[part] = transform(raw)
            if directions is not None and class_words is not None and classifier is not None:
                directions[part] = class_words.directions(classifier(raw))
    return Features(
        name=extractor_name,
        digest=extractor.fingerprint.digest,
        vectors=vectors,
        blocks=tuple(extractor.blocks),
        directions=directions,
    )


def ready_features(
    dataset: Dataset, features_path: Path, ids_path: Path, blocks: tuple[int, ...] | None = None
) -> Features:
    """Read features that people bring.

    Parameters
    ----------
    dataset : Dataset
    features_path, ids_path : Path
        As :func:`indexing.ready_features.read_ready_features` takes them.
    blocks : tuple of int, optional
        Widths of the parts of a vector that are normalised each on its own. None = one.

    Raises
    ------
    CorpusError
        If the files cannot be used.
    InputError
        If a picture with tags or labels has no row, or the blocks do not sum to the width.
    """
    ready = read_ready_features(features_path, ids_path)
    n_dims = ready.features.shape[1]
    widths = blocks or (n_dims,)
    if sum(widths) != n_dims:
        raise InputError(
            f"blocks of {sum(widths)} values for features of {n_dims}; blocks that sum to the "
            "width are accepted; correct --blocks"
        )
    places = np.flatnonzero(dataset.used)
    rows = ready.rows_for([dataset.image_ids[place] for place in places])
    raw = np.ascontiguousarray(ready.features[rows])
    vectors = np.zeros((len(dataset.corpus), n_dims), np.float32)
    vectors[places] = VectorTransform(widths=widths)(raw)
    digest = hashlib.sha256(vectors.tobytes()).hexdigest()[:16]
    return Features(name=features_path.name, digest=digest, vectors=vectors, blocks=widths)
