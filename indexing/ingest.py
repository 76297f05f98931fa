"""The build pipeline: read, decode, extract, store; parallel, resumable.

Files are read and decoded by a few threads while the network runs; both release Python's
global lock in their native code. Results are committed in batches, each with the facts of the
files they came from, so that a build killed at any moment goes on where it was.
"""

import contextlib
import hashlib
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from indexing.ahead import run_ahead
from indexing.errors import PictureError, RefusalReason
from indexing.extractors import FeatureExtractor
from indexing.keywords import embedded_keywords
from indexing.pixels import Framing, decode, read_picture
from indexing.records import Corpus, ImageRecord
from indexing.store import FeatureStore, FileFacts, FileSignature, WorkspaceStore

__all__ = ["IngestResult", "ingest", "unchanged_facts"]

Pixels: TypeAlias = NDArray[np.uint8]

_BATCH_PICTURES = 256
_BATCH_SECONDS = 2.0


@dataclass
class IngestResult:
    """What a pass over a corpus found.

    Parameters
    ----------
    facts : list of FileFacts
        One a record of the corpus, in its order.
    n_extracted : int
        Pictures that went through the network.
    n_read : int
        Files that were opened.
    """

    facts: list[FileFacts]
    n_extracted: int
    n_read: int


@dataclass(frozen=True, slots=True)
class _Reading:
    """One file after its thread: the facts, and pixels if the network must see it."""

    facts: FileFacts
    pixels: Pixels | None


@dataclass
class _Reader:
    """What the decoding threads run: one file to facts and, where it is new, pixels."""

    framing: Framing
    stored: set[bytes]
    claimed: set[bytes] = field(default_factory=set)

    def __call__(self, record: ImageRecord) -> _Reading:
        path = record.path
        # Taken before the bytes: a file that changes meanwhile is read again next time.
        signature = FileSignature.of(path) or FileSignature(-1, -1, -1)
        try:
            data = read_picture(path)
        except PictureError as error:
            return _Reading(FileFacts(signature, None, refusal=(error.reason, error.detail)), None)
        content = hashlib.sha256(data).digest()
        facts = FileFacts(signature, content, embedded_keywords(data))
        # Two threads may both find a new content unclaimed; the second decode is harmless.
        if content in self.stored or content in self.claimed:
            return _Reading(facts, None)
        self.claimed.add(content)
        try:
            return _Reading(facts, decode(data, self.framing))
        except PictureError as error:
            refused = FileFacts(
                signature, content, facts.keywords, refusal=(error.reason, error.detail)
            )
            return _Reading(refused, None)


class _Batch:
    """Results that wait for the next transaction."""

    def __init__(self, features: FeatureStore) -> None:
        self._features = features
        self._vectors: list[tuple[bytes, NDArray[np.float32]]] = []
        self._facts: dict[Path, FileFacts] = {}
        self._last_commit = time.monotonic()

    def add(self, path: Path, facts: FileFacts, vector: NDArray[np.float32] | None = None) -> None:
        self._facts[path] = facts
        if vector is not None and facts.content is not None:
            self._vectors.append((facts.content, vector))
        is_old = time.monotonic() - self._last_commit > _BATCH_SECONDS
        if len(self._facts) >= _BATCH_PICTURES or is_old:
            self.commit()

    def commit(self) -> None:
        if self._facts:
            self._features.put(self._vectors, self._facts)
        self._vectors, self._facts = [], {}
        self._last_commit = time.monotonic()


def unchanged_facts(
    corpus: Corpus, store: WorkspaceStore, stored: set[bytes]
) -> list[FileFacts | None]:
    """Return the facts of every record whose file need not be opened, None for the others.

    A file need not be opened where its signature is the one on record and either its content
    has a vector or it was refused for what it holds.
    """
    known = store.known_files([record.path for record in corpus.records])
    facts: list[FileFacts | None] = []
    for record, fact in zip(corpus.records, known, strict=True):
        if fact is None or FileSignature.of(record.path) != fact.signature:
            facts.append(None)
        elif fact.refusal is not None:
            # Where the fault lay outside the file (permissions, a missing decoder, another
            # network) it may have gone.
            is_of_the_file = fact.content is not None and (
                fact.refusal[0] is not RefusalReason.UNREADABLE
            )
            facts.append(fact if is_of_the_file else None)
        else:
            facts.append(fact if fact.content in stored else None)
    return facts


def ingest(
    corpus: Corpus,
    known: Sequence[FileFacts | None],
    features: FeatureStore,
    extractor: FeatureExtractor,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> IngestResult:
    """Bring the features of every picture of a corpus into the store.

    Parameters
    ----------
    corpus : Corpus
    known : sequence of FileFacts or None
        One a record: what :func:`unchanged_facts` says; None = to be opened.
    features : FeatureStore
        Where vectors go, by content hash.
    extractor : FeatureExtractor
    on_progress : callable
        Called with (files done, files to do).

    Returns
    -------
    IngestResult

    Notes
    -----
    On any exception, a keyboard interrupt included, what is finished is committed first.
    """
    run = _Ingestion(corpus, known, features, extractor.framing, on_progress)
    try:
        with contextlib.closing(run.frames()) as frames:
            for (place, fact), vector in extractor.stream(frames):
                run.take(place, fact, vector)
        run.settle_copies()
    finally:
        run.batch.commit()
    return run.result()


class _Ingestion:
    """The state of one pass: what is known of each record, and what is still open."""

    def __init__(
        self,
        corpus: Corpus,
        known: Sequence[FileFacts | None],
        features: FeatureStore,
        framing: Framing,
        on_progress: Callable[[int, int], None],
    ) -> None:
        self.batch = _Batch(features)
        self._records = corpus.records
        self._facts = list(known)
        self._todo = [place for place, fact in enumerate(known) if fact is None]
        self._stored = features.contents()
        self._reader = _Reader(framing, self._stored)
        self._copies: list[tuple[int, FileFacts]] = []
        self._on_progress = on_progress
        self._n_done = 0
        self._n_extracted = 0

    def frames(self) -> Generator[tuple[tuple[int, FileFacts], Pixels], None, None]:
        """Yield what the network must see; finish everything else on the way."""
        work = run_ahead(self._todo, lambda place: self._reader(self._records[place]))
        with contextlib.closing(work) as readings:
            for place, reading in readings:
                fact = reading.facts
                if reading.pixels is not None:
                    yield (place, fact), reading.pixels
                elif fact.refusal is None and fact.content not in self._stored:
                    self._copies.append((place, fact))  # of a picture that is on its way
                else:
                    self._finish(place, fact)

    def take(self, place: int, fact: FileFacts, vector: NDArray[np.float32]) -> None:
        """Accept what the network made of one picture."""
        if not np.isfinite(vector).all():
            refusal = (RefusalReason.UNREADABLE, "the network gives no finite feature for it")
            self._finish(place, replace(fact, refusal=refusal))
            return
        self._n_extracted += 1
        if fact.content is not None:
            self._stored.add(fact.content)
        self._finish(place, fact, vector)

    def settle_copies(self) -> None:
        """Give the copies of new pictures the outcome of the picture they copy."""
        refusals = {fact.content: fact.refusal for fact in self._facts if fact is not None}
        for place, fact in self._copies:
            self._finish(place, replace(fact, refusal=refusals.get(fact.content)))

    def result(self) -> IngestResult:
        """Return what the pass found, once it is complete."""
        facts = [fact for fact in self._facts if fact is not None]
        return IngestResult(facts, self._n_extracted, len(self._todo))

    def _finish(
        self, place: int, fact: FileFacts, vector: NDArray[np.float32] | None = None
    ) -> None:
        self._facts[place] = fact
        self.batch.add(self._records[place].path, fact, vector)
        self._n_done += 1
        self._on_progress(self._n_done, len(self._todo))
