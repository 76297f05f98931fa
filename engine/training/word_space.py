"""What learners of word space read beside the pictures: vectors of tags, and of the classes."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.tagged import TaggedPictures
from engine.vectors import StoredVectors
from indexing.extractors import FeatureExtractor
from indexing.extractors.classifier import open_classifier
from indexing.words.class_names import N_CLASSES, imagenet_names
from learners.base import Batch
from learners.words import ClassWords, WordVectors, open_word_vectors

__all__ = ["TaggedWords"]

logger = logging.getLogger(__name__)

_READ_AT_ONCE = 4_096
_NAMED = 5


@dataclass(frozen=True, eq=False)
class TaggedWords:
    """Where the tags of a workspace and its tagged pictures lie in word space.

    Parameters
    ----------
    rows : ndarray of int64, shape (n_images,)
        The tagged pictures, ascending.
    tags : ndarray of float32, shape (n_tags, n_dims)
        Zeros where a tag has no vector.
    directions : ndarray of float32, shape (n_images, n_dims), or None
        Where the network's own classes point; None where it does not know those of ImageNet.
    """

    rows: NDArray[np.int64]
    tags: NDArray[np.float32]
    directions: NDArray[np.float32] | None

    @classmethod
    def of(
        cls,
        tagged: TaggedPictures,
        vectors: StoredVectors,
        open_network: Callable[[], FeatureExtractor],
    ) -> "TaggedWords":
        """Look tags and pictures up; tags that have no vector are told on the log.

        Parameters
        ----------
        tagged : TaggedPictures
        vectors : StoredVectors
        open_network : callable
            Opens the extractor of the workspace.
        """
        words = open_word_vectors()
        of_tags, has_vector = words.matrix(tagged.vocabulary)
        missing = [tag for tag, has in zip(tagged.vocabulary, has_vector, strict=True) if not has]
        if missing:
            shown = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
            logger.warning(
                "%d of %d tags %s no vector in %s, and words tell nothing of %s: %s",
                len(missing),
                len(has_vector),
                "has" if len(missing) == 1 else "have",
                words.source,
                "it" if len(missing) == 1 else "them",
                shown,
            )
        directions = _class_directions(tagged, vectors, open_network(), words)
        return cls(tagged.tags.rows, of_tags, directions)

    def added_to(self, batch: Batch, tagged: TaggedPictures) -> Batch:
        """Return a batch with what is known of its pictures.

        Parameters
        ----------
        batch : Batch
        tagged : TaggedPictures
            Its pictures, in its order: all that were looked up, or some of them.
        """
        directions = None
        if self.directions is not None:
            directions = self.directions[np.searchsorted(self.rows, tagged.tags.rows)]
        return replace(batch, words=self.tags, directions=directions)


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
