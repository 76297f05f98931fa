"""Heads and their losses, written out literally: number by number."""

import math

import numpy as np


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def logistic(logits, targets):
    total = 0.0
    for row, target in zip(logits, targets, strict=True):
        for z, y in zip(row, target, strict=True):
            total -= y * math.log(sigmoid(z)) + (1 - y) * math.log(1 - sigmoid(z))
    return total / len(logits)


def softmax(logits, targets):
    total = 0.0
    for row, target in zip(logits, targets, strict=True):
        denominator = sum(math.exp(z) for z in row)
        for z, y in zip(row, target, strict=True):
            if sum(target) > 0:
                total -= y / sum(target) * math.log(math.exp(z) / denominator)
    return total / len(logits)


def warp(logits, targets):
    total = 0.0
    for row, target in zip(logits, targets, strict=True):
        for z, y in zip(row, target, strict=True):
            if not y:
                continue
            too_close = [
                1 - z + other for other, there in zip(row, target, strict=True) if not there
            ]
            too_close = [gap for gap in too_close if gap > 0]
            if too_close:
                weight = sum(1 / i for i in range(1, len(too_close) + 1))
                total += weight * sum(too_close) / len(too_close)
    return total / len(logits)


def asymmetric(logits, targets, gamma_positive, gamma_negative, margin):
    total = 0.0
    for row, target in zip(logits, targets, strict=True):
        for z, y in zip(row, target, strict=True):
            p = sigmoid(z)
            shifted = max(p - margin, 0)
            total -= y * (1 - p) ** gamma_positive * math.log(p)
            total -= (1 - y) * shifted**gamma_negative * math.log(1 - shifted)
    return total / len(logits)


def squared(predictions, targets):
    total = 0.0
    for row, target in zip(predictions, targets, strict=True):
        total += sum((a - b) ** 2 for a, b in zip(row, target, strict=True))
    return total / len(predictions)


def nearness(x, center, width):
    return math.exp(-sum((a - b) ** 2 for a, b in zip(x, center, strict=True)) / width**2)


def log_odds(share):
    return math.log(math.log1p(math.exp(50 * share))) - math.log(
        math.log1p(math.exp(50 * (1 - share)))
    )


def completed(kernel, present, regularization, completion):
    """Refit without each picture, and count what that says of its absent tags."""
    mean, targets = present.mean(), present.copy()
    for i in np.flatnonzero(present == 0):
        rest = np.arange(len(present)) != i
        system = kernel[np.ix_(rest, rest)] + regularization * np.eye(len(present) - 1)
        left_out = mean + kernel[i, rest] @ np.linalg.solve(system, present[rest] - mean)
        targets[i] = completion * min(max(left_out, 0), 1)
    return targets


def least_squares_scores(
    features, known, tags, regularization, correction, scale=1.0, completion=0.0
):
    """Kernel ridge regression on every training picture, and the correction for the prior."""
    n_images, n_tags = tags.n_images, tags.n_tags
    features, known = (np.asarray(x, dtype=np.float64).tolist() for x in (features, known))
    scores = np.zeros((len(features), n_tags))
    if not n_images or not n_tags:
        return scores
    center = np.mean(known, axis=0)
    spread = np.mean([sum((np.array(x) - center) ** 2) for x in known])
    width = scale * math.sqrt(spread)
    kernel = np.array([[nearness(a, b, width) for b in known] for a in known])
    for t in range(n_tags):
        present = np.array([t in tags.tags_of(i) for i in range(n_images)], dtype=np.float64)
        n_present = int(present.sum())
        present = completed(kernel, present, regularization, completion)
        mean = present.mean()
        weights = np.linalg.solve(kernel + regularization * np.eye(n_images), present - mean)
        for q, x in enumerate(features):
            share = mean + sum(
                w * nearness(x, c, width) for w, c in zip(weights, known, strict=True)
            )
            bonus = -correction * math.log((n_present + 0.5) / (n_images + 1))
            scores[q, t] = log_odds(share) + bonus if n_present else -math.log(2 * n_images + 1)
    return scores


def dense(x, weights, biases):
    values = list(x)
    for number, (matrix, bias) in enumerate(zip(weights, biases, strict=True)):
        if number:
            values = [max(v, 0.0) for v in values]
        values = [
            sum(v * matrix[i][j] for i, v in enumerate(values)) + bias[j] for j in range(len(bias))
        ]
    return values
