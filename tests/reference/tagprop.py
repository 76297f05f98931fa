"""TagProp, written out literally: one picture, one voter, one tag at a time."""

import math

import numpy as np

from tests.reference.voting import voters


def weights_by_rank(params, n_found):
    raised = [math.exp(params[min(rank, len(params) - 1)]) for rank in range(n_found)]
    return [one / sum(raised) for one in raised]


def weights_by_distance(sharpness, distances):
    """Distances: for each voter one or several."""
    energies = [
        -sum(theta * d for theta, d in zip(sharpness, np.atleast_1d(voter), strict=True))
        for voter in distances
    ]
    highest = max(energies, default=0.0)
    raised = [math.exp(energy - highest) for energy in energies]
    return [one / sum(raised) for one in raised]


def vote(weights, positions, has_tag, tag):
    return sum(w for w, j in zip(weights, positions, strict=True) if has_tag[j, tag])


def negative_log_likelihood(positions, weights, tags, truth, sigmoids=None, epsilon=1e-5):
    """Equations 1, 2 and 7 of the paper; weights: one list a picture, pads left out."""
    has_tag, is_true = tags.toarray(), truth.toarray()
    n_present = max(int(is_true.sum()), 1)
    n_absent = max(int((~is_true).sum()), 1)
    total = 0.0
    for i in range(truth.n_images):
        found = [int(j) for j in positions[i] if j >= 0]
        for tag in range(truth.n_tags):
            if sigmoids is None:
                # A picture that has no voter is given the epsilon that any absent vote is.
                p = sum(
                    w * ((1 - epsilon) if has_tag[j, tag] else epsilon)
                    for w, j in zip(weights[i], found, strict=True)
                )
                p = p if found else epsilon
            else:
                x = vote(weights[i], found, has_tag, tag)
                p = 1 / (1 + math.exp(-(sigmoids[0][tag] * x + sigmoids[1][tag])))
            if is_true[i, tag]:
                total -= math.log(p) / n_present
            else:
                total -= math.log(1 - p) / n_absent
    return total


def scores(neighbors, tags, learner):
    """Score with what a fitted learner has learned: its parameters, slopes and offsets."""
    has_tag = tags.toarray()
    result = np.zeros((len(neighbors.rows), tags.n_tags))
    for query, (rows, distances) in enumerate(
        zip(neighbors.rows, neighbors.distances, strict=True)
    ):
        chosen = voters(rows, distances, tags, learner.n_neighbors, learner.unique_owner)
        positions = [position for position, _ in chosen]
        if learner.weights == "rank":
            weights = weights_by_rank(learner.params_, len(chosen))
        else:
            weights = weights_by_distance(learner.params_, [distance for _, distance in chosen])
        for tag in range(tags.n_tags):
            x = vote(weights, positions, has_tag, tag)
            result[query, tag] = learner.slopes_[tag] * x + learner.offsets_[tag]
    return result


def covering(rankings, n_neighbors):
    """The largest r whose union of first r fits, then whoever of rank r + 1 still fits."""
    chosen = []
    longest = max((len(ranking) for ranking in rankings), default=0)
    for rank in range(longest):
        for ranking in rankings:
            row = int(ranking[rank]) if rank < len(ranking) else -1
            if row >= 0 and row not in chosen and len(chosen) < n_neighbors:
                chosen.append(row)
    return set(chosen)
