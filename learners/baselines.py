"""What any method must beat: chance, the frequency of tags, and copying the nearest picture."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from learners.base import Batch, Needs, TagLearner
from learners.batch import features_of, neighbors_of
from learners.parameters import whole_number
from learners.tag_matrix import TagMatrix
from learners.votes import Weights, tag_votes
from learners.voting import NeighborVoting

__all__ = ["LabelTransfer", "RandomScores", "TagFrequency"]


@dataclass(kw_only=True, eq=False)
class RandomScores(TagLearner):
    """Scores drawn at random: what chance gives.

    The draw is seeded with the picture's own features, so that neither its place in a batch
    nor its company changes its scores.

    Parameters
    ----------
    seed : int, default=0
        At least 0.

    Attributes
    ----------
    n_images_ : int
        Tagged pictures that the learner was fitted on.

    Notes
    -----
    Pictures of equal features, to the last bit, have equal scores. Where there are no tagged
    pictures, all scores are 0, as with every learner.

    Examples
    --------
    >>> tags = TagMatrix.from_lists([0, 1], [[0], [1]], n_tags=2)
    >>> learner = RandomScores(seed=1).fit(Batch(), tags)
    >>> asked = np.array([[0.5, 0.5], [0.1, 0.9], [0.5, 0.5]], np.float32)
    >>> scores = learner.predict_scores(Batch(features=asked))
    >>> bool((scores[0] == scores[2]).all()), bool((scores[0] == scores[1]).any())
    (True, False)
    """

    name: ClassVar[str] = "random"
    needs: ClassVar[Needs] = Needs.FEATURES
    predict_params: ClassVar[frozenset[str]] = frozenset({"seed"})

    seed: int = 0
    n_images_: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.seed = whole_number("seed", self.seed, least=0)

    def _fit(self, batch: Batch, tags: TagMatrix) -> None:
        self.n_images_ = tags.n_images

    def _predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        features = features_of(batch)
        scores = np.zeros((len(features), self.n_tags_), dtype=np.float32)
        if not self.n_images_:
            return scores
        for feature, row in zip(features, scores, strict=True):
            digest = hashlib.sha256(feature.tobytes()).digest()
            rng = np.random.default_rng([self.seed, int.from_bytes(digest, "little")])
            rng.random(out=row, dtype=np.float32)
        return scores

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return {"n_images": np.asarray(self.n_images_, dtype=np.int64)}

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.n_images_ = int(np.asarray(arrays["n_images"]))


@dataclass(kw_only=True, eq=False)
class TagFrequency(TagLearner):
    """Share of the tagged pictures that carry a tag, whatever the picture shows.

    Attributes
    ----------
    prior_ : ndarray of float32, shape (n_tags,)
        In [0, 1].

    Notes
    -----
    Of the features only their number is read.

    Examples
    --------
    >>> tags = TagMatrix.from_lists([0, 1], [[0, 1], [1]], n_tags=2)
    >>> learner = TagFrequency().fit(Batch(), tags)
    >>> learner.predict_scores(Batch(features=np.zeros((1, 3), np.float32)))
    array([[0.5, 1. ]], dtype=float32)
    """

    name: ClassVar[str] = "frequency"
    needs: ClassVar[Needs] = Needs.FEATURES

    prior_: NDArray[np.float32] = field(init=False, repr=False)

    def _fit(self, batch: Batch, tags: TagMatrix) -> None:
        self.prior_ = tags.prior.astype(np.float32)

    def _predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        return np.tile(self.prior_, (batch.n_queries, 1))

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return {"prior": self.prior_}

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.prior_ = np.asarray(arrays["prior"], dtype=np.float32)


@dataclass(kw_only=True, eq=False)
class LabelTransfer(NeighborVoting):
    r"""Copy the tags of the nearest picture, then those of the next ones that go with them.

    The tags :math:`S` of the nearest picture come first, the more frequent the earlier; then
    the others, by how many of the further neighbours carry them and how often they occur
    together with :math:`S`. With :math:`n_t` of the :math:`n` training pictures carrying tag
    :math:`t`, :math:`n_{st}` carrying both, and :math:`l_t` of the :math:`l` voters behind the
    nearest one carrying :math:`t`,

    .. math:: score(x, t) = \begin{cases}
        1 + n_t / n & t \in S \\
        \dfrac{l_t}{l} \cdot \dfrac{1 + \sum_{s \in S} n_{st}}{1 + \sum_{s \in S} n_s}
        & \text{else.} \end{cases}

    Parameters
    ----------
    n_neighbors : int, default=5
        Voters a picture, at most; at least 1.

    Attributes
    ----------
    tags_ : TagMatrix
        The tagged pictures.

    Notes
    -----
    The paper transfers a fixed number of labels; this scores every tag in the order of its
    greedy transfer. It names the two factors that order the further neighbours' labels and
    not how they are weighed; here they are multiplied, as implementations of it do, with 1
    added to both counts, so that a tag that never went with :math:`S` still comes before those
    that no neighbour has. The paper's distance is the mean of those of several hand-crafted
    features (joint equal contribution); neighbours here are those of the index.

    References
    ----------
    A. Makadia, V. Pavlovic, S. Kumar, "A New Baseline for Image Annotation", ECCV 2008.

    Examples
    --------
    >>> from indexing.index import Neighbors
    >>> tags = TagMatrix.from_lists([0, 1, 2], [[0], [0, 1], [1, 2]], n_tags=3)
    >>> near = Neighbors(np.array([[0, 1, 2]]), np.array([[0.1, 0.2, 0.3]], np.float32))
    >>> LabelTransfer(n_neighbors=3).fit(Batch(), tags).predict_scores(Batch(neighbors=near))
    array([[1.6666666 , 0.6666667 , 0.16666667]], dtype=float32)
    """

    name: ClassVar[str] = "copy"
    predict_params: ClassVar[frozenset[str]] = frozenset({"n_neighbors"})
    grid: ClassVar[Mapping[str, tuple[Any, ...]]] = {"n_neighbors": (2, 3, 5, 7, 10, 20)}

    n_neighbors: int = 5

    def _predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        found = self._voters(neighbors_of(batch), Weights.UNIFORM)
        nearest = tag_votes(found.part(slice(None), slice(0, 1)), self.tags_) > 0
        further = tag_votes(found, self.tags_)  # the nearest has no tag that is not copied
        further /= np.maximum(found.n_found - 1, 1)[:, None].astype(np.float32)
        scores = np.where(nearest, 1 + self.tags_.prior, further * self._company(nearest))
        return scores.astype(np.float32)

    def _company(self, copied: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return how much each tag goes with the copied ones, shape (n_queries, n_tags)."""
        from scipy import sparse

        tags = self.tags_
        carries = sparse.csr_array(
            (np.ones(tags.indices.size), tags.indices, tags.indptr),
            shape=(tags.n_images, tags.n_tags),
        )
        together = sparse.csr_array(copied.astype(np.float64)) @ (carries.T @ carries)
        company: NDArray[np.float64] = 1 + together.toarray()
        company /= (1 + copied @ tags.counts)[:, None]
        return company
