"""Neighbour voting, written out literally: one picture, one voter, one tag at a time."""

import numpy as np


def voters(rows, distances, tags, n_neighbors, unique_owner=False):
    """Return for one query the (position, distance) of its voters, nearest first."""
    position_of = {int(row): position for position, row in enumerate(tags.rows)}
    owner_rule = unique_owner and any(owner >= 0 for owner in tags.owners)
    chosen, seen = [], set()
    for row, distance in zip(rows, distances, strict=True):
        if len(chosen) == n_neighbors:
            break
        if int(row) not in position_of:  # a pad, or a picture that does not vote
            continue
        position = position_of[int(row)]
        owner = int(tags.owners[position])
        if owner_rule and owner >= 0:
            if owner in seen:
                continue
            seen.add(owner)
        chosen.append((position, float(distance)))
    return chosen


def knn_scores(neighbors, tags, n_neighbors, weights="uniform"):
    has_tag = tags.toarray()
    scores = np.zeros((len(neighbors.rows), tags.n_tags))
    for query, (rows, distances) in enumerate(
        zip(neighbors.rows, neighbors.distances, strict=True)
    ):
        chosen = voters(rows, distances, tags, n_neighbors)
        weight = [1.0 if weights == "uniform" else max(0.0, 1.0 - d) for _, d in chosen]
        if sum(weight) == 0:
            continue
        for tag in range(tags.n_tags):
            votes = sum(
                w for w, (position, _) in zip(weight, chosen, strict=True) if has_tag[position, tag]
            )
            scores[query, tag] = votes / sum(weight)
    return scores


def tagvote_scores(neighbors, tags, n_neighbors, unique_owner=True):
    has_tag = tags.toarray()
    scores = np.zeros((len(neighbors.rows), tags.n_tags))
    for query, (rows, distances) in enumerate(
        zip(neighbors.rows, neighbors.distances, strict=True)
    ):
        chosen = voters(rows, distances, tags, n_neighbors, unique_owner)
        for tag in range(tags.n_tags):
            n_t = sum(bool(has_tag[image, tag]) for image in range(tags.n_images))
            k_t = sum(bool(has_tag[position, tag]) for position, _ in chosen)
            prior = len(chosen) * n_t / tags.n_images if tags.n_images else 0.0
            scores[query, tag] = k_t - prior
    return scores


def ranked(score, tie_breaks, n):
    """Return the n best tags of one picture: score, tie breaks (descending), position."""
    tags = sorted(
        range(len(score)), key=lambda tag: (-score[tag], *(-key[tag] for key in tie_breaks), tag)
    )
    return tags[:n]


def without_group(rows, query_group, group_of):
    """Return one query's neighbours without pads and without its own group."""
    if query_group == -1:
        return [int(row) for row in rows if row >= 0]
    return [int(row) for row in rows if row >= 0 and group_of.get(int(row)) != query_group]
