"""What a suite stands on: its data set and its features, opened as the caller wants them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.datasets import Dataset, content_groups
from benchmarks.exercises import NO_COPY
from benchmarks.features import (
    TAGS_ONLY,
    Features,
    extracted_features,
    feature_cache,
    ready_features,
)
from benchmarks.pictures import PictureFiles, Pictures
from benchmarks.planted import planted
from benchmarks.suites import DEFAULT_DATA, FeatureKind, Suite
from benchmarks.visual_words import learned_words
from benchmarks.word_space import imagenet_words
from indexing.corpora import read_corpus
from indexing.errors import CorpusError
from indexing.extractors import DEFAULT_EXTRACTOR
from indexing.records import printable_path

__all__ = ["Wanted", "open_data"]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which data and features.

    Parameters
    ----------
    data : Path or None
        Folder of the data set; None = where the suite's lies by default.
    extractor : str
        Of the deep features.
    ready : tuple of two Path, optional
        A matrix and the ids of its rows, instead of an extractor.
    blocks : tuple of int, optional
        Widths of the parts of a ready vector.
    device : {"auto", "cpu", "cuda"}
    directions : bool, default=False
        Whether it is asked, too, where the network's own classes point in word space.
    """

    data: Path | None = None
    extractor: str = DEFAULT_EXTRACTOR
    ready: tuple[Path, Path] | None = None
    blocks: tuple[int, ...] | None = None
    device: str = "auto"
    directions: bool = False


def open_data(
    suite: Suite,
    kinds: Collection[FeatureKind],
    wanted: Wanted,
    on_progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> tuple[Dataset, dict[FeatureKind, Features]]:
    """Open the data set of a suite and the features that its methods see.

    Parameters
    ----------
    suite : Suite
    kinds : collection of FeatureKind
    wanted : Wanted
    on_progress : callable
        Called with (stage, pictures done, pictures to do).

    Returns
    -------
    dataset : Dataset
    features : dict of FeatureKind to Features
        Of those kinds that the suite has: visual words need pictures.

    Raises
    ------
    CorpusError
        If the data set is not there or cannot be read.
    """
    if suite.reader is None:
        dataset, vectors = planted()
        made = Features(name="planted", digest=dataset.digest, vectors=vectors)
        return dataset, {FeatureKind.DEEP: made}
    folder = wanted.data or DEFAULT_DATA / suite.folder
    if not folder.is_dir():
        raise CorpusError(
            f"{printable_path(folder)} is not there; {suite.name} needs the folder of its data "
            "set; name it with --data DIR"
        )
    corpus = read_corpus(folder, suite.reader)
    dataset = Dataset(name=suite.folder, corpus=corpus, groups=content_groups(corpus))
    if not suite.has_pictures and wanted.ready is None:
        return dataset, {FeatureKind.DEEP: TAGS_ONLY}
    features: dict[FeatureKind, Features] = {}
    if FeatureKind.DEEP in kinds:
        if wanted.ready is not None:
            features[FeatureKind.DEEP] = ready_features(dataset, *wanted.ready, wanted.blocks)
        else:
            features[FeatureKind.DEEP] = extracted_features(
                dataset,
                wanted.extractor,
                feature_cache(),
                device=wanted.device,
                class_words=imagenet_words() if wanted.directions else None,
                on_progress=partial(on_progress, "pictures"),
            )
    # With features of their own, people need not have the pictures.
    has_pictures = bool((dataset.groups[dataset.training] > NO_COPY).any())
    if has_pictures:
        dataset = replace(dataset, pictures=_pictures(dataset))
    if FeatureKind.BAG_OF_WORDS in kinds and (has_pictures or wanted.ready is None):
        features[FeatureKind.BAG_OF_WORDS] = _bag_of_words(dataset, on_progress)
    return dataset, features


def _pictures(dataset: Dataset) -> Pictures:
    files = PictureFiles(
        name=dataset.name,
        paths=tuple(record.path for record in dataset.corpus.records),
        used=dataset.used,
        folder=feature_cache() / "squares",
    )
    return Pictures(files=files, positions=np.arange(len(dataset.corpus)))


def _bag_of_words(dataset: Dataset, on_progress: Callable[[str, int, int], None]) -> Features:
    folder = feature_cache()
    words = learned_words(dataset, folder, on_progress=partial(on_progress, "learning words"))
    features = extracted_features(
        dataset,
        f"{FeatureKind.BAG_OF_WORDS}:{words}",
        folder,
        device="cpu",
        on_progress=partial(on_progress, "counting words"),
    )
    # Its results are the same wherever the words lie.
    return replace(features, name=str(FeatureKind.BAG_OF_WORDS))
