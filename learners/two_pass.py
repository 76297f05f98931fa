"""Two passes of nearest neighbours: the nearest few of every label first, then their votes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from indexing.index import Neighbors
from indexing.index.neighbors import compacted
from learners.parameters import whole_number
from learners.vector_voting import VectorVoting

__all__ = ["TwoPassKNN"]


@dataclass(kw_only=True, eq=False)
class TwoPassKNN(VectorVoting):
    r"""Votes of a picture's semantic neighbourhood: the nearest few pictures of every tag.

    First pass: of the pictures that carry a tag, the `n_label_neighbors` nearest, tag by tag;
    all of them together vote, each once. So a rare tag is heard wherever the picture lies, and
    a frequent one cannot crowd it out. Second pass: with :math:`d_j` the cosine distance of
    voter :math:`j` and :math:`y_{jt}` 1 where it carries tag :math:`t`,

    .. math:: score(x, t) = \sum_j e^{-w d_j} y_{jt} \Big/ \sum_j e^{-w d_j} .

    Parameters
    ----------
    n_label_neighbors : int, default=2
        Pictures of a tag that vote, at most; at least 1.
    weight_decay : float, default=40
        The :math:`w`, at least 0: how fast a vote fades with its distance.

    Attributes
    ----------
    tags_ : TagMatrix
        The tagged pictures.
    vectors_ : ndarray of float32, shape (n_images, n_dims)
        Of the tagged pictures, of unit length.

    Notes
    -----
    Without the paper's metric learning, which weighs 15 hand-crafted features and their
    dimensions: here there is one feature and its cosine distance. The division by the sum of
    the weights is ours: it changes no picture's order of tags, and lets scores of different
    pictures be compared. Equally near pictures are ordered by row.

    References
    ----------
    Y. Verma, C. V. Jawahar, "Image Annotation Using Metric Learning in Semantic
    Neighbourhoods", ECCV 2012.

    Examples
    --------
    The two nearest pictures carry tag 0; the nearest one of each tag vote.

    >>> from learners.base import Batch, TagMatrix
    >>> tags = TagMatrix.from_lists([0, 1, 2], [[0], [0], [1]], n_tags=2)
    >>> vectors = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    >>> learner = TwoPassKNN(n_label_neighbors=1, weight_decay=1).fit(Batch(features=vectors), tags)
    >>> learner.predict_scores(Batch(features=vectors[:1])).round(3)
    array([[0.731, 0.269]], dtype=float32)
    """

    name: ClassVar[str] = "2pknn"
    predict_params: ClassVar[frozenset[str]] = frozenset({"n_label_neighbors", "weight_decay"})
    grid: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "n_label_neighbors": (2, 5),
        "weight_decay": (32.0, 36.0, 40.0, 45.0),
    }

    n_label_neighbors: int = 2
    weight_decay: float = 40.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.n_label_neighbors = whole_number("n_label_neighbors", self.n_label_neighbors)

    def _candidates(self, queries: NDArray[np.float32]) -> Neighbors:
        distances = np.clip(1 - queries @ self.vectors_.T, 0, 2)  # (n_queries, n_images)
        # One number that sorts by distance and then by row, no two of which are equal: the bits
        # of a float that is not negative are ordered as the floats are.
        keys = distances.view(np.uint32).astype(np.uint64) << np.uint64(32)
        keys |= np.arange(keys.shape[1], dtype=np.uint64)
        nearest = [np.empty((len(keys), 0), dtype=np.uint64)]
        for members in self._members():
            n_voters = min(self.n_label_neighbors, len(members))
            of_tag = np.partition(keys[:, members], n_voters - 1, axis=1)
            nearest.append(of_tag[:, :n_voters])
        found = np.sort(np.concatenate(nearest, axis=1), axis=1)  # (n_queries, n_found)
        is_new = np.ones(found.shape, dtype=bool)
        is_new[:, 1:] = found[:, 1:] != found[:, :-1]  # a picture is the nearest of many tags
        width = int(is_new.sum(axis=1).max(initial=0))
        rows = (found & np.uint64(0xFFFFFFFF)).astype(np.int64)
        return Neighbors(
            *compacted(
                rows, (found >> np.uint64(32)).astype(np.uint32).view(np.float32), is_new, width
            )
        )

    def _members(self) -> list[NDArray[np.int64]]:
        """Return for every tag that somebody carries who carries it."""
        tags = self.tags_
        pictures = np.repeat(np.arange(tags.n_images), np.diff(tags.indptr))
        by_tag = pictures[np.argsort(tags.indices, kind="stable")]
        return [of_tag for of_tag in np.split(by_tag, np.cumsum(tags.counts)[:-1]) if of_tag.size]
