"""What learners of word space read beside the pictures: vectors of tags, and of the classes."""

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.tagged import TaggedPictures
from engine.vectors import StoredVectors
from indexing.extractors import FeatureExtractor
from indexing.extractors.classifier import open_classifier
from indexing.words.class_names import N_CLASSES, imagenet_names
from learners.base import Batch
from learners.words import ClassWords, WordVectors, open_word_vectors

__all__ = ["with_words"]

logger = logging.getLogger(__name__)

_READ_AT_ONCE = 4_096
_NAMED = 5


def with_words(
    batch: Batch,
    tagged: TaggedPictures,
    vectors: StoredVectors,
    open_network: Callable[[], FeatureExtractor],
) -> Batch:
    """Add the vectors of the tags, and where the network's own classes point.

    Tags that have no vector are told on the log.

    Parameters
    ----------
    batch : Batch
    tagged : TaggedPictures
        The pictures of the batch, in its order.
    vectors : StoredVectors
    open_network : callable
        Opens the extractor of the workspace.
    """
    words = open_word_vectors()
    tag_vectors, has_vector = words.matrix(tagged.vocabulary)
    missing = [tag for tag, has in zip(tagged.vocabulary, has_vector, strict=True) if not has]
    if missing:
        shown = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
        logger.warning(
            "%d of %d tags have no vector in %s and come last where words are asked: %s",
            len(missing),
            len(has_vector),
            words.source,
            shown,
        )
    directions = _class_directions(tagged, vectors, open_network(), words)
    return replace(batch, words=tag_vectors, directions=directions)


def _class_directions(
    tagged: TaggedPictures,
    vectors: StoredVectors,
    extractor: FeatureExtractor,
    words: WordVectors,
) -> NDArray[np.float32] | None:
    """Return where the classes of ImageNet point, None where the network does not know them."""
    if extractor.n_classes != N_CLASSES:
        return None
    classifier = open_classifier(extractor)
    if classifier is None:
        return None
    classes = ClassWords.of(imagenet_names(), words)
    rows = tagged.tags.rows
    found = [np.zeros((0, words.n_dims), np.float32)]
    for start in range(0, len(rows), _READ_AT_ONCE):
        raw = vectors.features(rows[start : start + _READ_AT_ONCE])
        found.append(classes.directions(classifier(raw)))
    return np.concatenate(found)
