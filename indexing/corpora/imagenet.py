"""The ``imagenet`` layout: a folder a synset, or the lists of the ILSVRC.

The pictures lie in ``train/`` and ``val/``, as they do below ``ILSVRC/Data/CLS-LOC/`` in the
archive of the challenge; a folder of synsets with neither of the two has no splits. In ``train/``
a folder is a synset, ``n01440764/``. In ``val/`` it may be as well; where the pictures lie there
unsorted, as they are distributed, their synsets come from ``LOC_val_solution.csv``, or from the
development kit: ``ILSVRC2012_validation_ground_truth.txt`` with ``meta.mat``, in the folder or in
``ILSVRC2012_devkit_t12/data/``. The unlabelled pictures of ``test/`` are left out.

The label is the first word of the synset in ``LOC_synset_mapping.txt``, ``synset_words.txt`` or
``words.txt``; where two synsets share it (crane the bird, crane the machine), the number follows
in brackets; where there is no such file, the number alone. It is a tag in the training split
only. Nobody is known as an owner.
"""

import re
from collections import Counter
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Final

from indexing.corpora.folder import unique_ids
from indexing.corpora.ilsvrc import META_FILE, devkit_folder, read_synsets, read_truth
from indexing.corpora.layouts import IMAGENET_ARCHIVE, SYNSET, require
from indexing.corpora.lines import line_fault, read_lines
from indexing.corpora.walk import walk
from indexing.errors import CorpusError
from indexing.records import Corpus, ImageRecord, Refusal, printable_path
from indexing.tags import clean_tag, tag_key

__all__ = ["read"]

_SPLITS: Final = ("train", "val")
_WORDS: Final = ("LOC_synset_mapping.txt", "synset_words.txt", "words.txt")


def read(path: Path) -> Corpus:
    """Read ImageNet, or a part of it.

    Parameters
    ----------
    path : Path
        The folder with ``ILSVRC/``, with ``train/`` or ``val/``, or with the synsets.

    Returns
    -------
    Corpus
        With the refusals of what is named like a picture and is no file.

    Raises
    ------
    CorpusError
        If there is no picture, one lies in no synset, or a list is missing or, with
        ``path:line``, malformed.
    """
    require(path, "folder")
    archive = path / IMAGENET_ARCHIVE
    data = archive if archive.is_dir() else path
    refusals: list[Refusal] = []
    synsets: dict[str, str] = {}
    for split in [split for split in _SPLITS if (data / split).is_dir()] or [""]:
        if split == "val" and next(walk(data / split)).pictures:
            truth = read_truth(path)
            synsets |= {f"{split}/{name}.JPEG": synset for name, synset in truth.items()}
        else:
            synsets |= _by_folder(data, split, refusals)
    if not synsets:
        raise CorpusError(
            f"{printable_path(data)}: no picture; train, val or folders named like n01440764 are "
            "accepted; unpack the pictures there"
        )
    labels = _labels(path, set(synsets.values()))
    ids = unique_ids(synsets)
    records = [
        ImageRecord(
            image_id=ids[name],
            path=data / name,
            tags=None if name.startswith("val/") else (labels[synset],),
            labels=(labels[synset],),
            split=name.partition("/")[0] if name.startswith(("train/", "val/")) else None,
        )
        for name, synset in synsets.items()
    ]
    return Corpus(
        root=path,
        format="imagenet",
        records=tuple(sorted(records, key=attrgetter("image_id"))),
        refusals=tuple(sorted(refusals, key=attrgetter("path"))),
    )


def _by_folder(data: Path, split: str, refusals: list[Refusal]) -> Iterator[tuple[str, str]]:
    """Yield the pictures below a folder of synsets, each with its synset."""
    start = f"{split}/" if split else ""
    for folder in walk(data / split):
        refusals += (
            Refusal(start + refusal.path, refusal.reason, refusal.detail)
            for refusal in folder.refusals
        )
        synset = folder.prefix.partition("/")[0]
        if folder.pictures and not re.fullmatch(SYNSET, synset):
            raise CorpusError(
                f"{printable_path(data / split / folder.prefix / folder.pictures[0])}: in the "
                "folder of no synset; folders named like n01440764 are accepted; move it to one"
            )
        for name in folder.pictures:
            yield start + folder.prefix + name, synset


def _labels(path: Path, synsets: set[str]) -> dict[str, str]:
    """Return the label of each synset, no two the same."""
    words = _words(path)
    firsts = {synset: clean_tag(words.get(synset, synset).partition(",")[0]) for synset in synsets}
    counts = Counter(map(tag_key, firsts.values()))
    return {
        synset: first if counts[tag_key(first)] == 1 else f"{first} ({synset})"
        for synset, first in firsts.items()
    }


def _words(path: Path) -> dict[str, str]:
    """Return the words of each synset that is known, separated by commas."""
    file = next((path / name for name in _WORDS if (path / name).is_file()), None)
    if file is None:
        folder = devkit_folder(path, META_FILE)
        return {} if folder is None else dict(read_synsets(folder).values())
    words = {}
    for line, text in read_lines(file):
        synset, _, rest = text.replace("\t", " ").partition(" ")
        if not re.fullmatch(SYNSET, synset) or not rest.partition(",")[0].strip():
            raise line_fault(
                file,
                line,
                f"{text[:40]!r}; a synset like n01440764 and its words are accepted; correct the "
                "line",
            )
        words[synset] = rest
    return words
