"""The baselines, written out literally: one picture, one voter, one tag at a time."""

import hashlib
import math

import numpy as np
import scipy.linalg

from tests.reference.voting import voters


def random_scores(features, tags, seed):
    scores = np.zeros((len(features), tags.n_tags), np.float32)
    for query, feature in enumerate(features):
        number = int.from_bytes(hashlib.sha256(feature.tobytes()).digest(), "little")
        if tags.n_images:
            rng = np.random.default_rng([seed, number])
            scores[query] = rng.random(tags.n_tags, dtype=np.float32)
    return scores


def frequency_scores(n_queries, tags):
    has_tag = tags.toarray()
    scores = np.zeros((n_queries, tags.n_tags))
    for tag in range(tags.n_tags):
        n_t = sum(bool(has_tag[image, tag]) for image in range(tags.n_images))
        scores[:, tag] = n_t / tags.n_images if tags.n_images else 0
    return scores


def transferred(rows, distances, tags, n_neighbors):
    """Return one query's tags in the order of the greedy transfer, two lists."""
    has_tag = tags.toarray()
    chosen = [position for position, _ in voters(rows, distances, tags, n_neighbors)]
    if not chosen:
        return [], []
    first = [tag for tag in range(tags.n_tags) if has_tag[chosen[0], tag]]
    count = {tag: sum(bool(y[tag]) for y in has_tag) for tag in range(tags.n_tags)}
    first.sort(key=lambda tag: -count[tag])

    def priority(tag):
        local = sum(bool(has_tag[position, tag]) for position in chosen[1:])
        return local * (1 + sum(bool(y[tag] and y[s]) for y in has_tag for s in first))

    rest = [
        tag
        for tag in range(tags.n_tags)
        if tag not in first and any(has_tag[position, tag] for position in chosen[1:])
    ]
    return first, sorted(rest, key=lambda tag: -priority(tag))


def label_transfer_scores(neighbors, tags, n_neighbors):
    has_tag = tags.toarray()
    count = [sum(bool(y[tag]) for y in has_tag) for tag in range(tags.n_tags)]
    scores = np.zeros((len(neighbors.rows), tags.n_tags))
    for query, (rows, distances) in enumerate(
        zip(neighbors.rows, neighbors.distances, strict=True)
    ):
        chosen = [position for position, _ in voters(rows, distances, tags, n_neighbors)]
        if not chosen:
            continue
        copied = [tag for tag in range(tags.n_tags) if has_tag[chosen[0], tag]]
        for tag in range(tags.n_tags):
            if tag in copied:
                scores[query, tag] = 1 + count[tag] / tags.n_images
            elif len(chosen) > 1:
                local = sum(bool(has_tag[position, tag]) for position in chosen[1:])
                together = sum(bool(y[tag] and y[s]) for y in has_tag for s in copied)
                share = (1 + together) / (1 + sum(count[s] for s in copied))
                scores[query, tag] = local / (len(chosen) - 1) * share
    return scores


def cosine_distance(x, y):
    lengths = math.sqrt(float(x @ x)) * math.sqrt(float(y @ y))
    return 1 - float(x @ y) / lengths if lengths else 1.0


def exponential_votes(distances, voting, tags, weight_decay):
    """Return one query's scores from the distances of all pictures and the set that votes."""
    has_tag = tags.toarray()
    weight = {image: math.exp(-weight_decay * distances[image]) for image in voting}
    total = sum(weight.values())
    return [
        sum(w for image, w in weight.items() if has_tag[image, tag]) / total if total else 0.0
        for tag in range(tags.n_tags)
    ]


def two_pass_scores(queries, features, tags, n_label_neighbors, weight_decay):
    has_tag = tags.toarray()
    scores = np.zeros((len(queries), tags.n_tags))
    for query, x in enumerate(queries.astype(np.float64)):
        distances = [cosine_distance(x, y) for y in features.astype(np.float64)]
        voting = set()
        for tag in range(tags.n_tags):
            group = [image for image in range(tags.n_images) if has_tag[image, tag]]
            group.sort(key=lambda image: (distances[image], image))
            voting.update(group[:n_label_neighbors])
        scores[query] = exponential_votes(distances, voting, tags, weight_decay)
    return scores


def canonical_directions(features, has_tag, regularization, n_dims=None, tag_ridge=1e-3):
    """Return directions (n_in, n_out) and correlations from the generalised eigenproblem.

    ``C_xy (C_yy + r_y I)^-1 C_yx a = c^2 (C_xx + r_x I) a``
    """
    x = features.astype(np.float64) - features.astype(np.float64).mean(axis=0)
    y = has_tag - has_tag.astype(np.float64).mean(axis=0)
    n = len(x)
    c_xx, c_yy, c_xy = x.T @ x / n, y.T @ y / n, x.T @ y / n
    c_xx += regularization * np.trace(c_xx) / len(c_xx) * np.eye(len(c_xx))
    c_yy += tag_ridge * np.trace(c_yy) / len(c_yy) * np.eye(len(c_yy))
    squares, directions = scipy.linalg.eigh(c_xy @ np.linalg.inv(c_yy) @ c_xy.T, c_xx)
    best = np.argsort(-squares)[:n_dims]
    best = best[squares[best] > 1e-12]
    return directions[:, best], np.sqrt(squares[best])


def cca_knn_scores(queries, features, tags, regularization, n_dims, n_neighbors, weight_decay):
    scores = np.zeros((len(queries), tags.n_tags))
    if not tags.n_images:
        return scores
    directions, _ = canonical_directions(features, tags.toarray(), regularization, n_dims)
    mean = features.astype(np.float64).mean(axis=0)
    known = (features - mean) @ directions
    for query, x in enumerate((queries - mean) @ directions):
        distances = [cosine_distance(x, y) for y in known]
        order = sorted(range(tags.n_images), key=lambda image: (distances[image], image))
        scores[query] = exponential_votes(distances, order[:n_neighbors], tags, weight_decay)
    return scores
