"""Tag and search pictures against one generation of a workspace."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.album import Album
from engine.answering import Answering
from engine.corrected import CorrectedPictures, open_corrected
from engine.corrections import CorrectionJournal
from engine.emission import Emission
from engine.explain import Explainer
from engine.generations import GenerationFolders
from engine.given import given_columns
from engine.neighborhood import Searchable
from engine.network import open_recorded
from engine.queries import Query, Unreadable, read_queries
from engine.results import Found, SearchAnswer, TagAnswer
from engine.saying import PrecisionCut, precision_cut
from engine.serving import MixesMembers, Served, hears, reads_neighbors
from engine.standing import best_learner
from engine.tagged import TaggedPictures
from engine.trained import (
    check_known,
    is_trained,
    load_learner,
    load_own_index,
    member_of,
)
from indexing.catalogue import Entry, load_catalogue
from indexing.errors import InputError
from indexing.extractors import FeatureExtractor
from indexing.index import Index, VectorTransform, load_index
from indexing.records import printable_path
from learners.base import Batch, Space, TagLearner
from learners.table import make_learner

__all__ = ["Tagger"]

# Seconds that the network may take to open before people are told what they wait for.
_SHOWN_AFTER = 1.0


class Tagger:
    """A generation, opened once, that answers about any number of pictures.

    Parameters
    ----------
    folders : GenerationFolders
        The workspace.
    device : {"auto", "cpu", "cuda"}
        Where the network and the index run.
    waiting : callable, optional
        Given what takes long, a context that lasts as long; by default nobody is told.
    opens_network : bool, default=True
        Whether the network is going to be asked, and is opened at once; else it is opened when
        it is.
    """

    def __init__(
        self,
        folders: GenerationFolders,
        device: str = "auto",
        waiting: Callable[[str], AbstractContextManager[object]] = nullcontext,
        *,
        opens_network: bool = True,
    ) -> None:
        self.waiting = waiting
        self.folder, self.manifest = folders.current()
        self.root = folders.root
        self.corrections_stamp = CorrectionJournal(folders.root).stamp()
        self._device = device
        # Both load in native code: the network beside the tags, an index beside the first
        # pictures, which need the network alone.
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._opening: Future[FeatureExtractor] | None = None
        if opens_network:
            self._open_network()
        self._indexes: dict[str | None, Future[Index]] = {}
        self._widened: dict[str | None, Searchable] = {}
        self._learners: dict[str, TagLearner] = {}
        self._served: dict[str, Served] = {}

    def _open_network(self) -> Future[FeatureExtractor]:
        """Begin to open the network, unless it is being opened."""
        if self._opening is None:
            self._opening = self._loader.submit(
                open_recorded, self.folder, self.manifest, self._device
            )
        return self._opening

    @cached_property
    def extractor(self) -> FeatureExtractor:
        """The network that the workspace was built with."""
        opening = self._open_network()
        done, _ = wait([opening], timeout=_SHOWN_AFTER)
        if not done:
            name = self.manifest["extractor"]["name"]
            with self.waiting(f"opening {name} (compiled once, then kept)"):
                return opening.result()
        return opening.result()

    @property
    def index(self) -> Index:
        """Vectors to neighbours."""
        return self._index_of(None).result()

    def _index_of(self, name: str | None) -> Future[Index]:
        """Return the own index of a trained learner, or that of all vectors, being loaded."""
        if name not in self._indexes:
            if name is None:
                loading = self._loader.submit(
                    load_index, self.folder / "index", device=self._device
                )
            else:
                loading = self._loader.submit(load_own_index, self.folder, name, self._device)
            self._indexes[name] = loading
        return self._indexes[name]

    @cached_property
    def transform(self) -> VectorTransform:
        """Features to vectors."""
        return VectorTransform.load(self.folder / "transform")

    @cached_property
    def pictures(self) -> CorrectedPictures:
        """The pictures that vote, and what people corrected since they were read."""
        read = TaggedPictures.load(self.folder)
        return open_corrected(self.root, self.manifest["extractor"], read, self.transform)

    @property
    def tagged(self) -> TaggedPictures:
        """The pictures that vote, corrected."""
        return self.pictures.tagged

    @cached_property
    def indexed(self) -> dict[int, Entry]:
        """Every picture that is indexed, by row id."""
        return load_catalogue(self.folder).by_row()

    @cached_property
    def entries(self) -> dict[int, Entry]:
        """Every picture that is indexed, or votes, by row id."""
        return self.indexed | self.pictures.entries

    @property
    def blocks(self) -> tuple[int, ...]:
        """Widths of the layers that vectors are made of."""
        return tuple(self.manifest["extractor"]["blocks"])

    def learner(self, name: str | None = None) -> tuple[str, TagLearner]:
        """Return a fitted learner of this workspace and its name, by default the best there is.

        Raises
        ------
        InputError
            No learner here has that name, or nothing in the workspace is tagged.
        ArtifactError
            It was trained, and its files are damaged.
        """
        known = self.manifest["learners"]
        name = name or best_learner(known)
        check_known(known, name)
        if not self.tagged.vocabulary:
            raise InputError(
                f"none of the {self.manifest['counts']['indexed']:,} indexed pictures has a tag to "
                "vote with; tags come from sidecars (photo.jpg.txt, photo.xmp, ...), from keywords "
                "inside the files or from a table; tag some and build again"
            )
        if name not in self._learners:
            self._learners[name] = (
                self.pictures.applied(load_learner(self.folder, name))
                if is_trained(known[name])
                else make_learner(name, **known[name]["params"]).fit(Batch(), self.tagged.tags)
            )
        return name, self._learners[name]

    def served(self, name: str | None = None) -> Served:
        """Return a learner of this workspace ready to be asked, by default the best there is.

        Its indexes begin to load, and those of the learners that it mixes.

        Raises
        ------
        InputError, ArtifactError
            As :meth:`learner`.
        """
        name, learner = self.learner(name)
        if name not in self._served:
            members = learner.member_names if isinstance(learner, MixesMembers) else ()
            # One that is not heeded is not even read.
            paths = {one: member_of(name, one) for one in members if hears(learner, one)}
            for path in paths.values():
                if path not in self._learners:
                    self._learners[path] = self.pictures.applied(load_learner(self.folder, path))
            self._served[name] = Served(
                learner=learner,
                index=self._index_for(name, learner),
                members={
                    member: Served(
                        learner=self._learners[path],
                        index=self._index_for(path, self._learners[path]),
                    )
                    for member, path in paths.items()
                },
            )
        return self._served[name]

    def _index_for(self, name: str, learner: TagLearner) -> Callable[[], Searchable]:
        """Begin to load the index that a learner's neighbours come from, if it needs any."""
        if not reads_neighbors(learner):
            return lambda: self.index
        own = None if learner.space is None else name
        self._index_of(own)
        return lambda: self._voting_in(own, learner.space)

    @property
    def voters_index(self) -> Searchable:
        """Where the pictures that vote are found, indexed or taught, by their vectors."""
        return self._voting_in(None, None)

    def _voting_in(self, own: str | None, space: Space | None) -> Searchable:
        """Return where they are found in the own index of a learner, or in that of all vectors."""
        # One object an index: learners of the same one share their search.
        if own not in self._widened:
            self._widened[own] = self.pictures.widened(self._index_of(own).result(), space)
        return self._widened[own]

    def tag(
        self,
        images: Sequence[str | Path],
        *,
        learner: str | None = None,
        emission: Emission | None = None,
        explain: bool = False,
        together: bool = False,
        given: Sequence[str] = (),
    ) -> Iterator[TagAnswer]:
        """Answer with the tags of each picture, in order.

        Parameters
        ----------
        images : sequence of path
        learner : str, optional
            Who answers; by default the best there is.
        emission : Emission, optional
        explain : bool, default=False
            Whether each tag comes with its sources and voters.
        together : bool, default=False
            Whether the pictures are of one event and share evidence
            (:class:`learners.together.Together`).
        given : sequence of str, optional
            Tags that the pictures were given already: they are not answered, and learners that
            read tags are told them.

        Yields
        ------
        TagAnswer
            With ``error`` set where a picture cannot be read; the others are not stopped.
        """
        name, _ = self.learner(learner)
        served = self.served(name)
        voting = served.voting
        explainer = Explainer(self.tagged, self.entries) if explain else None
        emission = emission or Emission()
        answering = Answering(
            served,
            self.pictures,
            lambda: self.voters_index,
            self.blocks,
            emission,
            explainer,
            given_columns(given, self.tagged.vocabulary),
        )
        started = time.perf_counter()
        runs: Iterable[list[Query | Unreadable]] = read_queries(
            images, self.extractor, served.framings
        )
        if together:
            runs = [[asked for run in runs for asked in run]]
        for run in runs:
            queries = [asked for asked in run if isinstance(asked, Query)]
            vectors = self.vectors(queries)
            album = None
            if together:
                pairs = zip(images, run, strict=True)
                album = Album.of([i for i, asked in pairs if isinstance(asked, Query)], vectors)
            answers = iter(answering(queries, vectors, album))
            seconds = (time.perf_counter() - started) / max(1, len(queries))
            for asked in run:
                if isinstance(asked, Unreadable):
                    yield TagAnswer(asked.image, name, error=asked.error)
                else:
                    yield TagAnswer(
                        asked.image,
                        name,
                        next(answers),
                        seconds,
                        voter=None if voting is None else voting.learner.name,
                        is_explained=explain,
                    )
            started = time.perf_counter()

    def precision_cut(self, precision: float, learner: str | None = None) -> PrecisionCut | None:
        """Return from which probability on so many tags were right; None = from none.

        Parameters
        ----------
        precision : float
            Share of the tags given that shall be right, in (0, 1].
        learner : str, optional
            Who answers; by default the best there is.

        Raises
        ------
        InputError
            The learner knows no probabilities.
        """
        return precision_cut(self.learner(learner)[1], precision)

    def search(self, images: Sequence[str | Path], k: int = 10) -> Iterator[SearchAnswer]:
        """Answer with the ``k`` pictures of the corpus nearest to each picture, in order.

        Yields
        ------
        SearchAnswer
            With ``error`` set where a picture cannot be read.
        """
        if k < 1:
            raise InputError(f"{k} pictures were asked for; 1 or more are accepted; ask for one")
        self._index_of(None)
        for run in read_queries(images, self.extractor):
            queries = [asked for asked in run if isinstance(asked, Query)]
            found = iter(self._nearest(queries, k))
            for asked in run:
                if isinstance(asked, Unreadable):
                    yield SearchAnswer(asked.image, error=asked.error)
                else:
                    yield SearchAnswer(asked.image, next(found))

    def _nearest(self, queries: Sequence[Query], k: int) -> list[tuple[Found, ...]]:
        if not queries:
            return []
        neighbors = self.index.search(self.vectors(queries), min(k, max(1, self.index.n_images)))
        return [
            tuple(
                self._found(row, distance)
                for row, distance in zip(rows, distances, strict=True)
                if row >= 0
            )
            for rows, distances in zip(
                neighbors.rows.tolist(), neighbors.distances.tolist(), strict=True
            )
        ]

    def _found(self, row: int, distance: float) -> Found:
        record = self.entries[row].record
        return Found(record.image_id, printable_path(record.path), distance, record.tags)

    def vectors(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        """Return the vectors of queries in the index's space, float32 (n_queries, n_dims)."""
        if not queries:
            return np.empty((0, self.transform.n_out), np.float32)
        return self.transform(np.stack([query.feature for query in queries]))
