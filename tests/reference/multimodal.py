"""Heads that read tags asked literally: number by number."""

import statistics
from math import log

import numpy as np

from tests.reference.heads import dense, nearness


def layers(arrays, prefix, n_layers):
    names = ("weights", "bias")
    weights, biases = (
        [arrays[f"{prefix}{name}_{i}"].astype(float).tolist() for i in range(n_layers)]
        for name in names
    )
    return weights, biases


def textual(arrays, carried):
    given = [1.0 if column in carried else 0.0 for column in arrays["input_tags"].tolist()]
    given.append(0.0 if any(given) else 1.0)
    return [max(value, 0.0) for value in dense(given, *layers(arrays, "textual_", 2))]


def scores(arrays, visual, noisy=None):
    """Score pictures by their visual features and the noisy tags that they carry."""
    found = []
    counts, n_images = arrays["counts"].tolist(), arrays["facts"][0]
    n_layers = sum(name.startswith("classifier_weights") for name in arrays)
    for i, feature in enumerate(visual.astype(float).tolist()):
        joint = feature if noisy is None else feature + textual(arrays, noisy[i])
        standard = [
            (value - mean) * scale
            for value, mean, scale in zip(
                joint, arrays["mean"].tolist(), arrays["scale"].tolist(), strict=True
            )
        ]
        row = dense(standard, *layers(arrays, "classifier_", n_layers))
        lowest = -log(2 * n_images + 1)
        found.append([value if n else lowest for value, n in zip(row, counts, strict=True)])
    return found


def conditional(features, known, tags, claims, given, sharpness, trust, noise, tag_weight):
    """Return what given tags add, number by number: how voters vote, and how with each tag."""
    features, known = (np.asarray(x, dtype=np.float64).tolist() for x in (features, known))
    n_images, n_tags = len(known), tags.n_tags
    added = np.zeros((len(features), n_tags))
    if not n_images or not n_tags:
        return added
    carried = [set(tags.tags_of(i).tolist()) for i in range(n_images)]
    claimed = [set(claims.tags_of(i).tolist()) for i in range(n_images)]
    width = sum(statistics.pvariance(values) for values in zip(*known, strict=True)) ** 0.5
    for q, x in enumerate(features):
        votes = [nearness(x, c, width) ** sharpness for c in known]

        def share(t, votes):
            return sum(v for v, tags in zip(votes, carried, strict=True) if t in tags) / sum(votes)

        for s in given[q]:
            frequency = sum(s in tags for tags in claimed) / n_images
            factor = 1 + trust / (noise + frequency)
            raised = [v * factor if s in c else v for v, c in zip(votes, claimed, strict=True)]
            for t in range(n_tags):
                change = log(share(t, raised) + 0.003) - log(share(t, votes) + 0.003)
                added[q, t] += tag_weight * change
    # What nobody carries is left where it is.
    return added * (tags.counts > 0)
