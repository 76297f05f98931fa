"""What a workspace gives to train on, and the fitting itself."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.corrected import open_corrected
from engine.generations import WholeGeneration
from engine.held_out import hold_out
from engine.network import open_recorded
from engine.own_index import build_own_index
from engine.pixels import StoredPixels
from engine.serving import Served, training_batch
from engine.tagged import TaggedPictures
from engine.trained import load_learner, load_own_index, trained_folder
from engine.training.word_space import TaggedWords
from engine.vectors import StoredVectors
from indexing.catalogue import load_catalogue
from indexing.errors import InputError
from indexing.extractors import FeatureExtractor
from indexing.index import Index, VectorTransform, load_index
from indexing.store import WorkspaceStore
from learners.base import Needs, Progress, TagLearner
from learners.table import make_learner

__all__ = ["Fitted", "Material", "check_enough"]

logger = logging.getLogger(__name__)

_FEWEST_CONTENTS = 10
_FEW_PICTURES = 100


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted learner, with its own index if its space is not that of the vectors.

    Parameters
    ----------
    learner : TagLearner
    own_index : Index or None
    pictures : TaggedPictures
        What it was fitted on.
    seconds : float
        Wall seconds that it took.
    folder : Path or None
        Where it lies already, in the generation before.
    """

    learner: TagLearner
    own_index: Index | None
    pictures: TaggedPictures
    seconds: float = 0.0
    folder: Path | None = None

    @classmethod
    def of(cls, generation: Path, path: str, material: "Material") -> "Fitted":
        """Open a learner that was trained before, of the name `path`, on the same pictures.

        Raises
        ------
        ArtifactError
            It is damaged.
        """
        learner = load_learner(generation, path)
        own_index = None
        if learner.space is not None:
            own_index = load_own_index(generation, path, material.device)
        return cls(learner, own_index, material.tagged, folder=trained_folder(generation, path))


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """The tagged pictures of a workspace, with all that learners read of them.

    Parameters
    ----------
    tagged : TaggedPictures
        Those that vote, corrected.
    index : Index
        Of all vectors as they are.
    vectors : StoredVectors
    pixels : StoredPixels
    blocks : tuple of int
        Widths of the layers that the vectors are made of.
    factory : str
        What own indexes are asked to be.
    device : {"auto", "cpu", "cuda"}
        Where indexes run.
    open_network : callable
        Opens the extractor of the workspace.
    """

    tagged: TaggedPictures
    index: Index
    vectors: StoredVectors
    pixels: StoredPixels
    blocks: tuple[int, ...]
    factory: str
    device: str
    open_network: Callable[[], FeatureExtractor]

    @classmethod
    def of(
        cls, root: Path, found: WholeGeneration, store: WorkspaceStore, device: str
    ) -> "Material":
        """Open a generation of the workspace at ``root``, with what people corrected there."""
        extractor = found.manifest["extractor"]
        features = store.features(extractor["digest"], extractor["n_dims"])
        transform = VectorTransform.load(found.folder / "transform")
        read = TaggedPictures.load(found.folder)
        tagged = open_corrected(root, extractor, read, transform).to_train_on
        return cls(
            tagged=tagged,
            index=load_index(found.folder / "index", device=device),
            vectors=StoredVectors(tagged.contents_by_row(), features, transform),
            pixels=StoredPixels(load_catalogue(found.folder).by_row(), root),
            blocks=tuple(extractor["blocks"]),
            factory=found.manifest["settings"]["index"],
            device=device,
            open_network=partial(open_recorded, found.folder, found.manifest, device),
        )

    @cached_property
    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the pictures stand that are kept and that are held out, int64, ascending."""
        return hold_out(self.tagged)

    @cached_property
    def words(self) -> TaggedWords:
        """Where tags and tagged pictures lie in word space."""
        return TaggedWords.of(self.tagged, self.vectors, self.open_network)

    @cached_property
    def kept(self) -> TaggedPictures:
        """The pictures that are left to be fitted on where some are held out."""
        return self.tagged.take(self.places[0])

    @cached_property
    def held(self) -> TaggedPictures:
        """The pictures that are held out to measure on."""
        return self.tagged.take(self.places[1])

    def fit(
        self,
        name: str,
        params: Mapping[str, Any],
        tagged: TaggedPictures,
        on_progress: Progress,
        prepare: Callable[[TagLearner], None] = lambda learner: None,
    ) -> Fitted:
        """Fit a learner on some of the pictures.

        Parameters
        ----------
        name : str
        params : mapping
            Its hyper-parameters; the others have their defaults.
        tagged : TaggedPictures
            All, or some of them.
        on_progress : callable
            Called with (stage, done, total).
        prepare : callable, optional
            Called with the learner before it is fitted.

        Raises
        ------
        InputError
            The learner needs what a workspace does not hold.
        CorpusError
            It looks at pictures, and the file of one has gone or changed.
        """
        started = time.perf_counter()
        learner = make_learner(name, **params)
        prepare(learner)
        batch = training_batch(
            learner,
            tagged,
            self.index,
            self.vectors,
            self.blocks,
            self.pixels,
            on_progress,
        )
        on_progress("training", 0, 0)
        if Needs.WORDS in learner.fit_needs:
            batch = self.words.added_to(batch, tagged)
        learner.fit(batch, tagged.tags, on_progress)
        own_index = None
        if learner.space is not None:
            on_progress("index", 0, 0)
            own_index = build_own_index(
                learner.space, tagged.tags.rows, self.vectors, self.factory, self.device
            )
        return Fitted(learner, own_index, tagged, time.perf_counter() - started)

    def served(self, fitted: Fitted) -> Served:
        """Return a learner ready to be asked."""
        index = self.index if fitted.own_index is None else fitted.own_index
        return Served(learner=fitted.learner, index=lambda: index)


def check_enough(tagged: TaggedPictures, name: str) -> None:
    """Refuse a workspace with too few tagged pictures to hold any out; warn where they are few.

    Parameters
    ----------
    tagged : TaggedPictures
    name : str
        The learner that is to be trained.

    Raises
    ------
    InputError
        Fewer than 10 different pictures have tags.
    """
    carries: NDArray[np.bool_] = np.diff(tagged.tags.indptr) > 0
    n_tagged = int(np.count_nonzero(carries))
    n_contents = len(np.unique(tagged.groups[carries]))
    if n_contents < _FEWEST_CONTENTS:
        raise InputError(
            f"{n_contents} different pictures with tags; {name} is trained on "
            f"{_FEWEST_CONTENTS} or more, some of which are held out to measure; tag more "
            "pictures and build again; until then knn answers"
        )
    if n_tagged < _FEW_PICTURES:
        logger.warning(
            "%d pictures with tags are few: below %d, what is measured says little and training "
            "may do harm",
            n_tagged,
            _FEW_PICTURES,
        )
