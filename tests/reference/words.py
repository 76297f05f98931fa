"""Fast0Tag and ConSE, word by word and loop by loop."""

import numpy as np

from learners.base import TagMatrix


def cosine(a, b) -> float:
    length = float(np.sqrt(sum(x * x for x in a)) * np.sqrt(sum(x * x for x in b)))
    return sum(float(x) * float(y) for x, y in zip(a, b, strict=True)) / length


def principal_direction(of_picture, words, ridge) -> np.ndarray:
    """Minimise the least squares of the docstring by its normal equations, written out."""
    known = [t for t in range(len(words)) if any(words[t])]
    n_dims = words.shape[1]
    left, right = ridge * np.eye(n_dims), np.zeros(n_dims)
    for t in known:
        left += np.outer(words[t], words[t]) / len(known)
    carried = [t for t in of_picture if t in known]
    for t in carried:
        right += words[t] / len(carried)
    found = np.linalg.inv(left) @ right
    length = np.linalg.norm(found)
    return found / length if length else found


def scores(
    asked: np.ndarray,
    features: np.ndarray,
    tags: TagMatrix,
    words: np.ndarray,
    ranking_ridge: float,
    ridge: float,
    width: float,
    directions: np.ndarray | None = None,
    class_weight: float = 1.0,
) -> np.ndarray:
    """Score tags by kernel ridge regression on directions, every picture a centre."""
    unit = np.array([w / np.linalg.norm(w) if any(w) else w for w in words.astype(np.float64)])
    unit = unit.reshape(words.shape)
    targets, kept = [], []
    for i in range(tags.n_images):
        direction = principal_direction(tags.tags_of(i).tolist(), unit, ranking_ridge)
        if directions is not None:
            direction = direction + class_weight * directions[i]
        if direction.any():
            targets.append(direction)
            kept.append(features[i].astype(np.float64))
    found = np.zeros((len(asked), tags.n_tags))
    if not kept:
        return found
    targets, kept = np.array(targets), np.array(kept)
    spread = float(np.mean(np.sum((kept - kept.mean(axis=0)) ** 2, axis=1))) or 1.0

    def nearness(x, y) -> float:
        return float(np.exp(-np.sum((x - y) ** 2) / (width**2 * spread)))

    kernel = np.array([[nearness(x, y) for y in kept] for x in kept])
    mean = targets.mean(axis=0)
    weights = np.linalg.inv(kernel + ridge * np.eye(len(kept))) @ (targets - mean)
    for q, x in enumerate(asked.astype(np.float64)):
        direction = mean + sum(nearness(x, y) * w for y, w in zip(kept, weights, strict=True))
        for t in range(tags.n_tags):
            found[q, t] = cosine(direction, unit[t]) if any(unit[t]) else -1
    return found


def expansion_scores(
    own: np.ndarray, order: list[list[int]], words: np.ndarray, n_predicted: int
) -> np.ndarray:
    """Let the best tags of each picture bring their two nearest ones."""
    scores = own.copy()
    tags = range(len(words))
    for q, ranking in enumerate(order):
        for tag in ranking[:n_predicted]:
            if not any(words[tag]):
                continue
            others = [u for u in tags if u != tag and any(words[u])]
            others.sort(key=lambda u, tag=tag: -cosine(words[tag], words[u]))
            for other in others[:2]:
                brought = own[q, tag] * max(cosine(words[tag], words[other]), 0)
                scores[q, other] = max(scores[q, other], brought)
    return scores
