"""The ``coco-captions`` layout: MS-COCO, with words of the captions as its noisy tags.

``annotations/captions_train2017.json`` lies beside ``instances_train2017.json``, and so for every
other split and year. The labels are those of :mod:`indexing.corpora.coco`. The tags of a picture,
in either split, are those of the 1,000 most frequent words that its captions use; in the
validation split they are input, not supervision, and never vote. Frequency counts the training
pictures whose captions use a word (all pictures, where no training split is there).

References
----------
Y. Niu, Z. Lu, J.-R. Wen, T. Xiang, S.-F. Chang, "Multi-Modal Multi-Scale Deep Learning for
Large-Scale Image Annotation", section IV-A, takes the 1,000 most frequent tags from the captions,
and does not say how it parts or filters them. Here: letters and hyphens make a word, case is
folded, and the words of :data:`FUNCTION_WORDS` and single letters do not count.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from indexing.corpora import coco
from indexing.corpora.annotations import read_annotations
from indexing.corpora.layouts import coco_files
from indexing.errors import CorpusError
from indexing.records import Corpus
from indexing.tags import tag_key

__all__ = ["FUNCTION_WORDS", "N_TAGS", "caption_words", "read"]

N_TAGS: Final = 1000
FUNCTION_WORDS: Final = frozenset(
    """
    a about above across after against all along also although am among an and another any are
    around as at away be because been before behind being below beneath beside between beyond both
    but by can could did do does doing don down during each either even for from had has have
    having he her here hers herself him himself his how if in inside into is isn it its itself just
    like many may me more most much my near next no nor not of off on onto or other others our out
    outside over own per she should since so some such than that the their theirs them themselves
    then there these they this those through to together too toward towards under until up upon us
    very was we were what when where which while who whom whose why will with within without would
    you your
    """.split()  # noqa: SIM905
)
_WORD: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def read(path: Path) -> Corpus:
    """Read MS-COCO with its captions, or a data set of its layout.

    Parameters
    ----------
    path : Path
        The folder with ``annotations/``.

    Raises
    ------
    CorpusError
        If :func:`indexing.corpora.coco.read` finds a fault, or a file of captions is missing or
        malformed.
    """
    corpus = coco.read(path)
    words: dict[str, list[str]] = {record.image_id: [] for record in corpus.records}
    for file, folder, _ in coco_files(path):
        _collect(file.with_name(f"captions_{folder}.json"), folder, words)
    training = [record.image_id for record in corpus.records if record.split == "train"]
    frequent = _most_frequent(words[image_id] for image_id in training or words)
    records = tuple(
        replace(record, tags=tuple(word for word in words[record.image_id] if word in frequent))
        for record in corpus.records
    )
    return replace(corpus, format="coco-captions", records=records)


def caption_words(caption: str) -> list[str]:
    """Return the words of a caption that may be tags, in its order.

    Examples
    --------
    >>> caption_words("A man's T-shirt is hanging on the BIG tree.")
    ['man', 't-shirt', 'hanging', 'big', 'tree']
    """
    found = _WORD.findall(tag_key(caption))
    return [word for word in found if len(word) > 1 and word not in FUNCTION_WORDS]


def _collect(file: Path, folder: str, words: dict[str, list[str]]) -> None:
    """Add the words of a file of captions to those of its pictures, each once."""
    document = read_annotations(file)
    images = {
        entry.number("id"): f"{folder}/{entry.text('file_name')}"
        for entry in document.entries("images")
    }
    for entry in document.entries("annotations"):
        image, caption = entry.number("image_id"), entry.text("caption")
        if images.get(image) not in words:
            raise CorpusError(
                f"{entry.where}: image {image} is not among those of the file, or not among those "
                "of the instances; known ids are accepted; correct the file"
            )
        known = words[images[image]]
        known += [word for word in dict.fromkeys(caption_words(caption)) if word not in known]


def _most_frequent(pictures: Iterable[list[str]]) -> set[str]:
    counts = Counter(word for words in pictures for word in words)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return set(ranked[:N_TAGS])
