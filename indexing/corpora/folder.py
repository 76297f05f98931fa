"""The ``folder`` layout: any tree of pictures, with sidecars beside them.

The name of a picture is its path relative to the root, with ``/`` between. A picture that
nobody has tagged is a record whose ``tags`` are None; the build may find keywords inside its
file. :mod:`indexing.corpora.walk` says what is a picture, :mod:`indexing.corpora.sidecars`
what a sidecar may say.
"""

from collections.abc import Iterable
from operator import attrgetter
from pathlib import Path

from indexing.corpora.layouts import require
from indexing.corpora.sidecars import Sidecar, match_sidecars, read_sidecar
from indexing.corpora.walk import Folder, walk
from indexing.errors import InputError, RefusalReason
from indexing.records import Corpus, ImageRecord, Refusal, printable_path
from indexing.tags import merge_tags

__all__ = ["read", "unique_ids"]


def read(path: Path) -> Corpus:
    """Read a tree of pictures.

    Parameters
    ----------
    path : Path
        Its root.

    Returns
    -------
    Corpus
        With the refusals of what is named like a picture and is no file, of folders that
        cannot be listed and of bad sidecars (their pictures are read as if without).

    Raises
    ------
    CorpusError
        If the root is missing, no folder, or cannot be listed.
    """
    require(path, "folder")
    found: dict[str, list[Sidecar]] = {}
    refusals: list[Refusal] = []
    for folder in walk(path):
        refusals += folder.refusals
        matched = match_sidecars(folder.pictures, folder.others)
        sidecars = _read_sidecars(folder, matched.values(), refusals)
        for name in folder.pictures:
            found[folder.prefix + name] = [
                sidecars[other] for other in matched.get(name, ()) if other in sidecars
            ]
    ids = unique_ids(found)
    records = [
        ImageRecord(
            image_id=ids[relative],
            path=path / relative,
            owner=next((sidecar.owner for sidecar in sidecars if sidecar.owner), None),
            tags=merge_tags(tag for sidecar in sidecars for tag in sidecar.tags)
            if sidecars
            else None,
        )
        for relative, sidecars in found.items()
    ]
    return Corpus(
        root=path,
        format="folder",
        records=tuple(sorted(records, key=attrgetter("image_id"))),
        refusals=tuple(sorted(refusals, key=attrgetter("path"))),
        embedded_keywords=True,
    )


def unique_ids(paths: Iterable[str]) -> dict[str, str]:
    r"""Return a printable name for each path, no two the same.

    A name that is valid Unicode is kept. One that is not is escaped, and counted on where that
    makes it another's.

    Examples
    --------
    >>> unique_ids(["caf\udce9.jpg", "caf\\xe9.jpg"])["caf\udce9.jpg"]
    'caf\\xe9.jpg~2'
    """
    printable = {path: printable_path(path) for path in paths}
    ids = {path: name for path, name in printable.items() if path == name}
    taken = set(ids.values())
    for path in sorted(printable.keys() - ids.keys()):
        name, count = printable[path], 1
        while name in taken:
            count += 1
            name = f"{printable[path]}~{count}"
        taken.add(name)
        ids[path] = name
    return ids


def _read_sidecars(
    folder: Folder, names: Iterable[list[str]], refusals: list[Refusal]
) -> dict[str, Sidecar]:
    """Read each sidecar of a folder once, be it of one picture or of several."""
    sidecars: dict[str, Sidecar] = {}
    for name in sorted({name for several in names for name in several}):
        try:
            sidecar = read_sidecar(Path(folder.path, name))
        except InputError as error:
            path = printable_path(folder.prefix + name)
            refusals.append(Refusal(path, RefusalReason.BAD_SIDECAR, str(error)))
        else:
            if sidecar is not None:
                sidecars[name] = sidecar
    return sidecars
