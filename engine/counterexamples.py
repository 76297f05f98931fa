"""What would have changed an answer: the nearest picture that lacks a tag."""

from collections.abc import Sequence

from engine.neighborhood import Search
from engine.tagged import TaggedPictures

__all__ = ["nearest_without"]

_LOOKED_AT_FIRST = 32


def nearest_without(
    search: Search, tagged: TaggedPictures, columns: Sequence[Sequence[int]]
) -> list[dict[int, tuple[int, float]]]:
    """Return for each query and tag the nearest tagged picture that lacks the tag.

    Parameters
    ----------
    search : Search
        Of the queries.
    tagged : TaggedPictures
        The pictures that vote; a query's own copies are not among those that are found.
    columns : sequence of sequence of int
        Tags of each query.

    Returns
    -------
    list of dict of int to (int, float)
        Of each query: row and distance by tag, without the tags that every picture carries.
    """
    n_images = tagged.tags.n_images
    found: list[dict[int, tuple[int, float]]] = [{} for _ in columns]
    missing = [set(wanted) for wanted in columns]
    n_seen, n_looked_at = 0, min(n_images, _LOOKED_AT_FIRST)
    while any(missing) and n_seen < n_images:
        nearest = search.nearest(n_looked_at)
        for query, wanted in enumerate(missing):
            if not wanted:
                continue
            rows = nearest.rows[query, n_seen:]
            positions = tagged.tags.positions(rows).tolist()
            distances = nearest.distances[query, n_seen:].tolist()
            for row, position, distance in zip(rows.tolist(), positions, distances, strict=True):
                if position < 0 or not wanted:
                    break
                lacked = wanted.difference(tagged.tags.tags_of(position).tolist())
                found[query].update(dict.fromkeys(lacked, (row, distance)))
                wanted -= lacked
        n_seen, n_looked_at = nearest.rows.shape[1], min(n_images, 4 * nearest.rows.shape[1])
    return found
