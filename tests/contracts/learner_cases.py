"""The learners that pass the contract, with their references, and what they are asked.

A new learner needs one row in ``CASES``: how to make it, and its reference.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from indexing.index import Neighbors
from learners.base import Batch, TagLearner, TagMatrix
from learners.multimodal import Multimodal
from learners.multiscale import MSCNN
from learners.table import make_learner
from tests.reference import baselines, heads, hybrid, multimodal, tagprop, voting, words

N_DIMS, K = 6, 12
MIXED = ("knn", "heads")
"""Learners whose scores a batch holds."""


@dataclass(frozen=True)
class Case:
    """A learner with its parameters, and the loop that says what it must score."""

    learner: str
    params: dict[str, object]
    reference: Callable[[Batch, TagMatrix], np.ndarray]

    def __str__(self) -> str:
        return f"{self.learner}-{'-'.join(f'{k}={v}' for k, v in self.params.items())}"


CASES = [
    Case("knn", {"n_neighbors": 1}, lambda b, t: voting.knn_scores(b.neighbors, t, 1)),
    Case("knn", {"n_neighbors": 5}, lambda b, t: voting.knn_scores(b.neighbors, t, 5)),
    Case(
        "knn",
        {"n_neighbors": 4, "weights": "similarity"},
        lambda b, t: voting.knn_scores(b.neighbors, t, 4, "similarity"),
    ),
    Case("tagvote", {"n_neighbors": 5}, lambda b, t: voting.tagvote_scores(b.neighbors, t, 5)),
    Case("tagvote", {"n_neighbors": 50}, lambda b, t: voting.tagvote_scores(b.neighbors, t, 50)),
    Case(
        "tagvote",
        {"n_neighbors": 3, "unique_owner": False},
        lambda b, t: voting.tagvote_scores(b.neighbors, t, 3, unique_owner=False),
    ),
    Case("random", {"seed": 3}, lambda b, t: baselines.random_scores(b.features, t, 3)),
    Case("frequency", {}, lambda b, t: baselines.frequency_scores(len(b.features), t)),
    *(
        Case(
            "copy",
            {"n_neighbors": n},
            lambda b, t, n=n: baselines.label_transfer_scores(b.neighbors, t, n),
        )
        for n in (1, 6)
    ),
    *(
        Case(
            "2pknn",
            {"n_label_neighbors": n, "weight_decay": decay},
            lambda b, t, n=n, w=decay: baselines.two_pass_scores(b.features, known(t), t, n, w),
        )
        for n, decay in ((1, 4.0), (3, 0.0), (100, 8.0))
    ),
    *(
        Case(
            "cca-knn",
            {"regularization": ridge, "n_dims": n_dims, "n_neighbors": n, "weight_decay": decay},
            lambda b, t, p=(ridge, n_dims, n, decay): baselines.cca_knn_scores(
                b.features, known(t), t, *p
            ),
        )
        for ridge, n_dims, n, decay in ((0.2, None, 7, 5.0), (2.0, 3, 100, 2.0))
    ),
    *(
        Case(
            "heads",
            {
                "regularization": ridge,
                "width": width,
                "prior_correction": correction,
                "completion": completion,
            },
            lambda b, t, p=(ridge, correction, width, completion): heads.least_squares_scores(
                b.features, known(t), t, *p
            ),
        )
        for ridge, width, correction, completion in ((0.05, 1.0, 0.2, 0.3), (0.5, 2.0, 0.0, 0.0))
    ),
]


CASES += [
    Case("tagprop", params, lambda b, t, p=params: tagprop_scores(b, t, p))
    for params in (
        {"weights": "rank", "n_neighbors": 5},
        {"weights": "distance", "n_neighbors": 7, "unique_owner": True},
        {"weights": "distance", "n_neighbors": 50, "sigmoids": False},
        {"weights": "distance", "n_neighbors": 6, "joint": True, "shrinkage": 1.0},
        {"weights": "distances", "n_neighbors": 6},
        {"weights": "metric", "n_neighbors": 6, "n_dims": 4, "n_rounds": 1},
    )
]
CASES += [
    Case("multimodal", params, lambda b, t, p=params: multimodal_scores(b, t, p))
    for params in (
        {"sharpness": 2.0, "trust": 1.5, "noise": 0.1, "tag_weight": 0.8},
        {"quantity": False, "claims": "tags"},
        {"form": "layers", "n_tag_units": 8, "epochs": 1, "quantity": False},
        {
            **{"form": "layers", "n_tag_units": 8, "epochs": 2},
            **{"plan": "niu2017", "n_input_tags": 2},
        },
    )
]
CASES += [
    Case(
        "words",
        {"ranking_ridge": ranking, "regularization": ridge, "width": width},
        lambda b, t, p=(ranking, ridge, width): words.scores(
            b.features, known(t), t, tag_words(t), *p
        ),
    )
    for ranking, ridge, width in ((1.0, 0.1, 1.0), (0.05, 1.0, 2.0))
]
CASES += [
    Case(
        "expansion",
        {"n_neighbors": n, "n_predicted": m},
        lambda b, t, n=n, m=m: brought(b, t, n, m),
    )
    for n, m in ((5, 3), (2, 9))
]
SMALL_NETWORK = {
    "backbone": "timm:test_efficientnet",
    "pretrained": False,
    "epochs": 1,
    "quantity": False,
}
CASES += [
    Case("hybrid", params, lambda b, t, p=params: hybrid_scores(b, t, p))
    for params in (
        {"members": ",".join(MIXED), "shrinkage": 2.0, "n_neighbors": 5},
        {"members": MIXED[0], "goal": "miap"},
    )
]
CASES += [
    Case("mscnn", params, lambda b, t, p=params: mscnn_scores(b, t, p))
    for params in (SMALL_NETWORK, {**SMALL_NETWORK, "classifier": "linear", "fusion": False})
]


def brought(asked: Batch, tags: TagMatrix, n_neighbors: int, n_predicted: int) -> np.ndarray:
    """Score literally what knn's best tags bring along."""
    knn = make_learner("knn", n_neighbors=n_neighbors).fit(Batch(), tags)
    own = np.asarray(voting.knn_scores(asked.neighbors, tags, n_neighbors))
    keys = [np.broadcast_to(key, own.shape) for key in knn.tie_breaks(asked)]
    order = [
        voting.ranked(score, [key[q] for key in keys], n_predicted)
        for q, score in enumerate(own.astype(np.float32))
    ]
    return words.expansion_scores(own, order, tag_words(tags), n_predicted)


def tagprop_scores(asked: Batch, tags: TagMatrix, params: dict[str, object]) -> np.ndarray:
    """Score literally with what a learner fitted on the same pictures has learned."""
    return tagprop.scores(asked.neighbors, tags, fitted(Case("tagprop", params, None), tags))


def hybrid_scores(asked: Batch, tags: TagMatrix, params: dict[str, object]) -> np.ndarray:
    """Score literally with what a learner fitted on the same pictures has learned."""
    return hybrid.scores(asked, tags, fitted(Case("hybrid", params, None), tags))


def multimodal_scores(asked: Batch, tags: TagMatrix, params: dict[str, object]) -> np.ndarray:
    """Score literally with what a learner fitted on the same pictures has learned."""
    assert asked.tags is not None
    arrays = fitted(Case("multimodal", params, None), tags).state()[1]
    noisy = [asked.tags.tags_of(i).tolist() for i in range(asked.tags.n_images)]
    if "form" not in params:
        of_pixels = heads.least_squares_scores(
            asked.features, known(tags), tags, 0.05, 0.2, completion=0.3
        )
        votes = {"sharpness": 9.0, "trust": 0.6, "noise": 0.04, "tag_weight": 0.5, **params}
        claims = fitting(Multimodal(), tags).tags if "claims" in params else tags
        for name in ("quantity", "claims"):
            votes.pop(name, None)
        return of_pixels + multimodal.conditional(
            asked.features, known(tags), tags, claims, noisy, **votes
        )
    return np.array(multimodal.scores(arrays, asked.features, noisy))


def mscnn_scores(asked: Batch, tags: TagMatrix, params: dict[str, object]) -> np.ndarray:
    """Score literally behind the network of a learner fitted on the same pictures."""
    learner = fitted(Case("mscnn", params, None), tags)
    assert isinstance(learner, MSCNN)
    extractor = learner.extractor()
    features = extractor.extract(asked.pixels)
    if learner.params()["classifier"] == "linear":
        return np.array(multimodal.scores(learner.state()[1], features))
    pixels = fitting(learner, tags).pixels
    known_ones, asked_ones = (
        indexed(extractor.extract(some), extractor.blocks[0]) for some in (pixels, asked.pixels)
    )
    return heads.least_squares_scores(asked_ones, known_ones, tags, 0.05, 0.2, 1.0, 0.3)


def indexed(features: np.ndarray, n_first: int) -> np.ndarray:
    """Return features as an index holds them: roots, the first layer and the others alike."""
    roots = np.sign(features) * np.sqrt(np.abs(features.astype(np.float64)))
    parts = np.split(roots, [n_first], axis=1)
    lengths = [np.linalg.norm(part, axis=1, keepdims=True) for part in parts]
    whole = [p / np.where(n > 0, n, 1) for p, n in zip(parts, lengths, strict=True)]
    return (np.concatenate(whole, axis=1) / np.sqrt(2)).astype(np.float32)


def tagged(n_images: int = 40, n_tags: int = 9, seed: int = 0) -> TagMatrix:
    """Tagged pictures whose row ids have gaps; the last tag is nobody's, one picture has none."""
    rng = np.random.default_rng(seed)
    present = rng.random((n_images, n_tags)) < rng.uniform(0.05, 0.6, n_tags)
    present[:, -1:] = n_tags == 1
    present[n_images // 2 :][:1] = False
    rows = rng.choice(3 * n_images, size=n_images, replace=False)
    owners = rng.integers(-1, 6, size=n_images)
    return TagMatrix.from_lists(rows, [np.flatnonzero(tags) for tags in present], n_tags, owners)


def batch(tags: TagMatrix, n_queries: int = 15, seed: int = 1) -> Batch:
    """All inputs that a learner can need; neighbours hold pads and rows that do not vote."""
    rng = np.random.default_rng(seed)
    n_rows = max(3 * tags.n_images, K)
    rows = rng.permuted(np.tile(np.arange(n_rows), (n_queries, 1)), axis=1)[:, :K]
    distances = np.sort(rng.uniform(0, 1.3, size=(n_queries, K)).astype(np.float32), axis=1)
    # Scores of pictures to be fitted on say something of their tags.
    told = tags.toarray() * 1.5 if n_queries == tags.n_images else 0.0
    beyond = np.arange(K) >= rng.integers(0, K + 1, size=n_queries)[:, None]
    beyond[:1], beyond[-1:] = False, True  # one query with all its neighbours, one with none
    return Batch(
        features=rng.normal(size=(n_queries, N_DIMS)).astype(np.float32),
        neighbors=Neighbors(np.where(beyond, -1, rows), np.where(beyond, np.inf, distances)),
        pixels=rng.integers(0, 256, size=(n_queries, 4, 4, 3), dtype=np.uint8),
        tags=tagged(n_queries, tags.n_tags, seed),
        scores={
            name: (rng.normal(size=(n_queries, tags.n_tags)) + told).astype(np.float32)
            for name in MIXED
        },
        words=tag_words(tags),
    )


def tag_words(tags: TagMatrix) -> np.ndarray:
    """Return a vector for each tag; the second has none."""
    vectors = np.random.default_rng(7).normal(size=(tags.n_tags, 4)).astype(np.float32)
    vectors[1:2] = 0
    return vectors


def queries(of: Batch, chosen: np.ndarray | slice) -> Batch:
    """Return the batch of some of the queries."""
    assert of.tags is not None
    assert of.features is not None
    assert of.neighbors is not None
    assert of.pixels is not None
    neighbors = Neighbors(of.neighbors.rows[chosen], of.neighbors.distances[chosen])
    places = np.arange(of.tags.n_images)[chosen]
    tags = TagMatrix.from_lists(
        range(len(places)), [of.tags.tags_of(place) for place in places], of.tags.n_tags
    )
    assert of.scores is not None
    return Batch(
        features=of.features[chosen],
        neighbors=neighbors,
        pixels=of.pixels[chosen],
        tags=tags,
        scores={name: scores[chosen] for name, scores in of.scores.items()},
        words=of.words,
    )


def needed(learner: TagLearner, of: Batch) -> Batch:
    """Return the batch with only what the learner says it needs."""
    names = {str(need.name).lower() for need in learner.needs}
    return replace(of, **{f.name: None for f in fields(of) if f.name not in names})


def fitting(learner: TagLearner, tags: TagMatrix) -> Batch:
    """Return the batch that the learner is fitted on."""
    full = batch(tags, n_queries=tags.n_images, seed=2)
    names = {str(need.name).lower() for need in learner.fit_needs}
    return replace(full, **{f.name: None for f in fields(full) if f.name not in names})


def known(tags: TagMatrix) -> np.ndarray:
    """Return the features that learners are fitted on."""
    features = batch(tags, n_queries=tags.n_images, seed=2).features
    assert features is not None
    return features


def fitted(case: Case, tags: TagMatrix) -> TagLearner:
    """Return a learner fitted on some pictures; one that takes long is fitted once for all."""
    if case.learner != "mscnn":
        return _fitted(case, tags)
    arrays = (array.tobytes() for array in tags.to_arrays().values())
    key = (case.learner, json.dumps(case.params, sort_keys=True), *arrays)
    if key not in _FITTED:
        _FITTED[key] = _fitted(case, tags)
    return _FITTED[key]


def _fitted(case: Case, tags: TagMatrix) -> TagLearner:
    learner = make_learner(case.learner, **case.params)
    return learner.fit(fitting(learner, tags), tags)


_FITTED: dict[tuple[object, ...], TagLearner] = {}
