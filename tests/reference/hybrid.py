"""The hybrid's answer, written out literally: one picture, one tag, one member at a time."""

import math

import numpy as np

from tests.reference.voting import voters


def line_through(knots, values, score):
    """Linear between knots, the outer lines going on."""
    if len(knots) < 2:
        return values[0] if len(values) else 0.0
    right = 1
    while right < len(knots) - 1 and score > knots[right]:
        right += 1
    left = right - 1
    share = (score - knots[left]) / (knots[right] - knots[left])
    return values[left] + share * (values[right] - values[left])


def standing(value, quantiles):
    """Where a value stands among quantiles, from -1 to 1; a tie in the middle."""
    steps = np.linspace(-1, 1, len(quantiles))
    heights = {}
    for quantile, step in zip(quantiles, steps, strict=True):
        heights.setdefault(float(quantile), []).append(float(step))
    known = sorted(heights)
    at = [(heights[one][0] + heights[one][-1]) / 2 for one in known]
    if value <= known[0]:
        return at[0]
    for (low, first), (high, second) in zip(
        zip(known, at, strict=True), list(zip(known, at, strict=True))[1:], strict=False
    ):
        if value <= high:
            return first + (second - first) * (value - low) / (high - low)
    return at[-1]


def signals(neighbors, query, tags, n_neighbors, quantiles):
    found = voters(neighbors.rows[query], neighbors.distances[query], tags, n_neighbors)
    if not quantiles.shape[1]:
        return [-1.0, -1.0]
    closeness = sum(1 - d for _, d in found) / len(found) if found else -1.0
    votes = [0] * tags.n_tags
    for position, _ in found:
        for tag in tags.tags_of(position):
            votes[tag] += 1
    cast = sum(votes)
    entropy = (
        -sum(v / cast * math.log(v / cast) for v in votes if v) if cast else math.log(tags.n_tags)
    )
    raw = closeness, -entropy
    return [standing(value, row) for value, row in zip(raw, quantiles, strict=True)]


def scores(asked, tags, learner):
    arrays = learner.state()[1]
    names = [name.strip() for name in learner.members.split(",")]
    rarity = arrays["rarities"][["f1", "miap"].index(learner.goal)]
    answer = np.zeros((asked.n_queries, tags.n_tags))
    for i in range(asked.n_queries):
        h = signals(asked.neighbors, i, tags, learner.n_neighbors, arrays["gate_quantiles"])
        for t in range(tags.n_tags):
            total = arrays["stack_prior"][0] + arrays["stack_offsets"][t]
            total += arrays["stack_prior"][1] * arrays["log_prior"][t]
            total += math.log(1 + rarity / math.exp(arrays["log_prior"][t]))
            for m, name in enumerate(names):
                score = float(asked.scores[name][i, t])
                knots, values = (arrays[f"evidence_{name}_{part}"] for part in ("knots", "values"))
                gate = math.exp(
                    sum(g * s for g, s in zip(arrays["stack_gates"][m], h, strict=True))
                )
                total += arrays["stack_weights"][m, t] * gate * line_through(knots, values, score)
            answer[i, t] = total
    return answer
