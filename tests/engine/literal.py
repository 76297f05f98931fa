"""Pictures with copies and owners, and a literal loop that says who votes."""

import numpy as np

from engine.tagged import TaggedPictures
from indexing.index import ArraySource, Metric, build_index
from learners.base import TagMatrix

N_DIMS = 6


def corpus(sizes, seed=0, n_owners=0):
    """Pictures in groups of equal bytes, tagged, among others that do not vote."""
    draws = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    draws.shuffle(group)
    n_images = len(group)
    rows = np.sort(draws.choice(3 * n_images, n_images, replace=False)).astype(np.int64)
    by_group = draws.normal(size=(len(sizes), N_DIMS)).astype(np.float32)
    contents = np.zeros((n_images, 32), np.uint8)
    contents[:, 0], contents[:, 31] = group // 200, 1 + group % 200
    owners = draws.integers(-1, n_owners, n_images) if n_owners else np.full(n_images, -1)
    tags = TagMatrix.from_lists(
        rows, [[int(draws.integers(4))] for _ in rows], 4, owners=owners.astype(np.int64)
    )
    tagged = TaggedPictures(tags, contents, ("a", "b", "c", "d"))
    strangers = np.setdiff1d(np.arange(3 * n_images), rows)[: n_images // 2]
    everything = np.concatenate([rows, strangers]).astype(np.int64)
    order = np.argsort(everything)
    vectors = np.concatenate(
        [by_group[group], draws.normal(size=(len(strangers), N_DIMS)).astype(np.float32)]
    )
    source = ArraySource(everything[order], vectors[order])
    index = build_index("exact", N_DIMS, Metric.COSINE, everything, source)
    return tagged, index, source, group


def reference(tagged, source, query, group, own, n_neighbors, unique_owner=False):
    """Return the rows that vote on one query: every distance, sorted, and the rules one by one."""
    query = query / np.linalg.norm(query)
    candidates = []
    for place, row in enumerate(tagged.tags.rows.tolist()):
        vector = source(np.array([row]))[0]
        distance = 1 - float(vector @ query) / float(np.linalg.norm(vector))
        candidates.append((round(distance, 5), row, place))
    chosen, seen = [], set()
    for _, row, place in sorted(candidates):
        owner = int(tagged.tags.owners[place])
        if group[place] == own or (unique_owner and owner >= 0 and owner in seen):
            continue
        seen.add(owner)
        chosen.append(row)
    return chosen[:n_neighbors]
