"""The ``coco`` layout: ``annotations/instances_*.json`` and a folder of pictures a split.

``instances_train2017.json`` describes the pictures of ``train2017/``, and so for ``val`` and any
other year; one split alone is enough. The records are those of the annotations, whatever else
lies in the folders. The labels are the names of the categories of which a picture shows at
least one object or crowd; they are tags in the training split only, for nobody has tagged the
others as far as the engine may know. Whether the pictures are there is not looked at here.
"""

from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

from indexing.corpora.annotations import read_annotations
from indexing.corpora.layouts import coco_files, require
from indexing.errors import CorpusError
from indexing.records import Corpus, ImageRecord, printable_path
from indexing.tags import merge_tags

__all__ = ["read"]


def read(path: Path) -> Corpus:
    """Read MS-COCO, or a data set of its layout.

    Parameters
    ----------
    path : Path
        The folder with ``annotations/``.

    Raises
    ------
    CorpusError
        If there are no annotations, one of the files is malformed, or the folder of its
        pictures is missing.
    """
    require(path, "folder")
    files = coco_files(path)
    if not files:
        raise CorpusError(
            f"{printable_path(path)}: no annotations/instances_train*.json or instances_val*.json; "
            "one of them at least is needed; unpack the annotations there"
        )
    records = [
        record for file, folder, split in files for record in _records(file, path / folder, split)
    ]
    return Corpus(
        root=path, format="coco", records=tuple(sorted(records, key=attrgetter("image_id")))
    )


def _records(file: Path, folder: Path, split: str) -> Iterator[ImageRecord]:
    require(folder, "folder")
    document = read_annotations(file)
    names = {entry.number("id"): entry.text("name") for entry in document.entries("categories")}
    images = {entry.number("id"): entry.text("file_name") for entry in document.entries("images")}
    shown: dict[int, set[int]] = {image: set() for image in images}
    for entry in document.entries("annotations"):
        image, category = entry.number("image_id"), entry.number("category_id")
        if image not in images or category not in names:
            raise CorpusError(
                f"{entry.where}: image {image} or category {category} is not among those of the "
                "file; known ids are accepted; correct the file"
            )
        shown[image].add(category)
    for image, file_name in images.items():
        labels = merge_tags(names[category] for category in sorted(shown[image]))
        yield ImageRecord(
            image_id=f"{folder.name}/{file_name}",
            path=folder / file_name,
            tags=labels if split == "train" else None,
            labels=labels,
            split=split,
        )
