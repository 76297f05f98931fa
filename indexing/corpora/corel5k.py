"""The ``corel5k`` layout: ``train.json``, ``test.json`` and ``images/``.

Each file is ``{"samples": [{"image_name": ..., "image_labels": [...]}]}``; further keys are
ignored. The labels are ground truth in both splits; they are tags in the training split only,
for nobody has tagged the test pictures as far as the engine may know. A picture that neither
file names belongs to no split, and has neither labels nor tags: it can be searched, and never
votes. Whether the pictures that the files name are there is not looked at here.
"""

from operator import attrgetter
from pathlib import Path

from indexing.corpora.folder import unique_ids
from indexing.corpora.image_labels import labelled_records
from indexing.corpora.layouts import require
from indexing.corpora.walk import walk
from indexing.records import Corpus, ImageRecord

__all__ = ["read"]


def read(path: Path) -> Corpus:
    """Read Corel-5K, or a data set of its layout.

    Parameters
    ----------
    path : Path
        The folder with the two files and ``images/``.

    Raises
    ------
    CorpusError
        If one of them is missing or malformed, or a picture occurs twice.
    """
    require(path, "folder")
    images = path / "images"
    require(images, "folder")
    records = labelled_records(path, lambda name: images / name)
    named = {record.image_id for record in records}
    found = [folder.prefix + name for folder in walk(images) for name in folder.pictures]
    records += [
        ImageRecord(image_id=image_id, path=images / relative)
        for relative, image_id in unique_ids(found).items()
        if image_id not in named
    ]
    return Corpus(
        root=path, format="corel5k", records=tuple(sorted(records, key=attrgetter("image_id")))
    )
