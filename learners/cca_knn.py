"""Nearest neighbours in the space where features and tags correlate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from indexing.index import Metric, Neighbors
from indexing.index.exact import nearest
from learners.base import Batch
from learners.batch import features_of
from learners.parameters import real_number, whole_number
from learners.projection import Projection, fit_cca
from learners.tag_matrix import TagMatrix
from learners.vector_voting import VectorVoting, unit_length

__all__ = ["CCAKNN"]


@dataclass(kw_only=True, eq=False)
class CCAKNN(VectorVoting):
    r"""Votes of the nearest pictures after a projection that was learned from the tags.

    Features are projected by a regularised canonical correlation analysis between them and
    the tags (:func:`learners.projection.fit_cca`); with :math:`d_j` the cosine distance there
    of the :math:`j`-th nearest picture and :math:`y_{jt}` 1 where it carries tag :math:`t`,

    .. math:: score(x, t) = \sum_j e^{-w d_j} y_{jt} \Big/ \sum_j e^{-w d_j} .

    Parameters
    ----------
    regularization : float, default=0.2
        Ridge on the features' covariance, as a share of their mean variance; above 0.
    n_dims : int or None, default=None
        Directions that are kept; None = all that correlate at all.
    n_neighbors : int, default=200
        Voters a picture, at most; at least 1.
    weight_decay : float, default=22
        The :math:`w`, at least 0: how fast a vote fades with its distance.

    Attributes
    ----------
    tags_ : TagMatrix
        The tagged pictures.
    projection_ : Projection
        What maps features to the space.
    vectors_ : ndarray of float32, shape (n_images, n_dims)
        Of the tagged pictures in that space, of unit length.

    Notes
    -----
    The paper's best figures take the mean of word vectors as the tags' side of the analysis;
    here it is the tags themselves, so that no word need be known. Directions are not weighed
    by their correlation: that was measured to be worse in F1. The decays worth trying are a
    little above that of the best F1, for the sake of rare labels: on folds of Corel-5K's
    training pictures 14, 18, 22 and 26 give an F1 of 46.7, 47.1, 46.5 and 46.0 and recall
    179, 184, 186 and 187 labels.

    References
    ----------
    V. N. Murthy, S. Maji, R. Manmatha, "Automatic Image Annotation using Deep Learning
    Representations", ICMR 2015.
    """

    name: ClassVar[str] = "cca-knn"
    predict_params: ClassVar[frozenset[str]] = frozenset({"n_neighbors", "weight_decay"})
    grid: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "regularization": (0.1, 0.3),
        "weight_decay": (22.0, 26.0),
    }

    regularization: float = 0.2
    n_dims: int | None = None
    n_neighbors: int = 200
    weight_decay: float = 22.0
    projection_: Projection = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.regularization = real_number("regularization", self.regularization, above=0)
        self.n_neighbors = whole_number("n_neighbors", self.n_neighbors)
        if self.n_dims is not None:
            self.n_dims = whole_number("n_dims", self.n_dims)

    def _fit(self, batch: Batch, tags: TagMatrix) -> None:
        self.tags_ = tags
        features = features_of(batch)
        self.projection_ = fit_cca(features, tags, self.regularization, self.n_dims)
        self.vectors_ = self._embedded(features)

    def _embedded(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        return unit_length(self.projection_(features))

    def _candidates(self, queries: NDArray[np.float32]) -> Neighbors:
        n_images = self.tags_.n_images
        blocks = [(np.arange(n_images), self.vectors_)]
        return Neighbors(*nearest(queries, min(self.n_neighbors, n_images), Metric.COSINE, blocks))

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        projection = self.projection_
        return {
            **super()._arrays(),
            "mean": projection.mean,
            "matrix": projection.matrix,
            "correlations": projection.correlations,
        }

    def _restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        super()._restore(arrays)
        mean, matrix, correlations = (
            np.asarray(arrays[name], dtype=np.float32)
            for name in ("mean", "matrix", "correlations")
        )
        self.projection_ = Projection(mean, matrix, correlations)
