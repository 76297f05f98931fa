"""The library's front door: a workspace that is built, asked and looked into."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.generations import GenerationFolders, find_workspace
from engine.results import BuildReport, SearchAnswer, TagAnswer, refusal_totals
from engine.training_report import TrainingReport
from indexing.errors import InputError

if TYPE_CHECKING:
    from engine.building import BuildSettings, Progress
    from engine.corrections import Step
    from engine.emission import Emission
    from engine.reliability import Reliability
    from engine.saying import PrecisionCut
    from engine.tagger import Tagger
    from engine.teaching import TeachReport
    from engine.text_answer import TextAnswer
    from indexing.catalogue import Entry
    from indexing.records import Corpus, Refusal

__all__ = ["Workspace"]


class Workspace:
    """An indexed corpus of tagged pictures on disk.

    Parameters
    ----------
    root : path, optional
        The workspace folder; by default found like git's: ``$ENGINE_WORKSPACE``, else
        ``.engine`` here or in a parent folder. It need not exist before :meth:`build`.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Where the network and the index run.

    Raises
    ------
    ArtifactError
        No folder is named and none is found.

    Examples
    --------
    Build once, then ask::

        workspace = Workspace("library.engine")
        workspace.build("~/Pictures")
        for tag in workspace.tag_one("image.jpg").tags:
            print(tag.tag, tag.score)
    """

    def __init__(self, root: str | os.PathLike[str] | None = None, *, device: str = "auto") -> None:
        self.root = Path(root).expanduser() if root is not None else find_workspace()
        self.device = device
        self._folders = GenerationFolders(self.root)
        self._opened: Tagger | None = None

    def build(
        self,
        source: "str | os.PathLike[str] | Corpus | None" = None,
        settings: "BuildSettings | None" = None,
        on_progress: "Progress | None" = None,
    ) -> BuildReport:
        """Index a corpus, or bring the index up to date: only what is new is decoded.

        Parameters
        ----------
        source : path or Corpus, optional
            A folder of pictures, a table, a data set; by default what was built before.
        settings : BuildSettings, optional
        on_progress : callable, optional
            Called with (stage, done, total).

        Returns
        -------
        BuildReport

        Raises
        ------
        EngineError
            See :func:`engine.building.build_workspace`.
        """
        from engine.building import BuildSettings, build_workspace

        settings = settings or BuildSettings(device=self.device)
        report = build_workspace(self.root, source, settings, on_progress)
        self._opened = None
        return report

    def train(
        self,
        learner: str | None = None,
        params: Mapping[str, Any] | None = None,
        on_progress: "Progress | None" = None,
        *,
        replace: bool = False,
    ) -> TrainingReport:
        """Train a learner on the pictures that vote, and keep it in the workspace.

        Parameters
        ----------
        learner : str, optional
            One of :data:`engine.training.trainable.TRAINABLE`; by default the hybrid with all
            its members.
        params : mapping, optional
            Its hyper-parameters; the others have their defaults.
        on_progress : callable, optional
            Called with (stage, done, total).
        replace : bool, default=False
            Whether it takes the place of an earlier training that was better.

        Returns
        -------
        TrainingReport

        Raises
        ------
        EngineError
            See :func:`engine.training.train_workspace`.
        """
        from engine.training import train_workspace
        from engine.training.trainable import DEFAULT

        report = train_workspace(
            self.root,
            learner or DEFAULT,
            params,
            replace=replace,
            device=self.device,
            on_progress=on_progress,
        )
        self._opened = None
        return report

    def export(self, learner: str, folder: str | os.PathLike[str]) -> None:
        """Write the network of a trained learner into a folder, for ``compiled:FOLDER``.

        Parameters
        ----------
        learner : str
        folder : path
            Must not exist, or be empty.

        Raises
        ------
        InputError
            No learner here has that name, it has no network, or the folder has content.
        """
        from engine.training.trainable import ExportsNetwork

        name, fitted = self._tagger().learner(learner)
        if not isinstance(fitted, ExportsNetwork):
            raise InputError(
                f"the learner {name!r} has no network of its own; mscnn has one; train that"
            )
        fitted.export(Path(folder).expanduser())

    def teach(
        self,
        image: str | os.PathLike[str],
        *,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
    ) -> "TeachReport":
        """Record a correction of the tags of a picture; the next answer knows it.

        Parameters
        ----------
        image : path
            A picture, indexed or not.
        add, remove : iterable of str
            Tags that it has, and that it has not.

        Returns
        -------
        TeachReport

        Raises
        ------
        EngineError
            See :func:`engine.teaching.teach_workspace`.
        """
        from engine.teaching import teach_workspace

        return teach_workspace(self.root, Path(image), add, remove, self.device)

    def undo_teaching(self) -> "Step":
        """Take the last correction back, and return it.

        Raises
        ------
        EngineError
            See :func:`engine.teaching.undo_teaching`.
        """
        from engine.teaching import undo_teaching

        return undo_teaching(self.root)[0]

    def corrections(self) -> "tuple[Step, ...]":
        """Return what was taught, the last step last."""
        from engine.corrections import CorrectionJournal

        self._folders.current()
        return CorrectionJournal(self.root).read()

    def tag(
        self,
        images: Iterable[str | os.PathLike[str]],
        *,
        learner: str | None = None,
        emission: "Emission | None" = None,
        explain: bool = False,
        together: bool = False,
        given: Sequence[str] = (),
    ) -> Iterator[TagAnswer]:
        """Answer with the tags of each picture, in order; see :meth:`engine.tagger.Tagger.tag`."""
        return self._tagger().tag(
            _paths(images),
            learner=learner,
            emission=emission,
            explain=explain,
            together=together,
            given=given,
        )

    def tag_one(self, image: str | os.PathLike[str]) -> TagAnswer:
        """Answer with the tags of one picture.

        Raises
        ------
        InputError
            The picture cannot be read.
        """
        answer = next(self.tag([image]))
        if answer.error is not None:
            raise InputError(f"{answer.image}: {answer.error}")
        return answer

    def search(
        self, images: Iterable[str | os.PathLike[str]], k: int = 10
    ) -> Iterator[SearchAnswer]:
        """Answer with the ``k`` pictures nearest to each picture, in order."""
        return self._tagger().search(_paths(images), k)

    def score_words(
        self, images: Iterable[str | os.PathLike[str]], words: Iterable[str]
    ) -> Iterator[TagAnswer]:
        """Answer with words, used or not; see :meth:`engine.word_tagging.WordTagger.tag`."""
        from engine.word_tagging import WordTagger
        from learners.words import open_word_vectors

        return WordTagger(open_word_vectors(), self._tagger()).tag(_paths(images), list(words))

    def search_text(
        self,
        text: str,
        k: int = 10,
        *,
        without: Iterable[str] = (),
        like: str | os.PathLike[str] | None = None,
        learner: str | None = None,
    ) -> "TextAnswer":
        """Find indexed pictures by words; see :class:`engine.text_search.TextSearch`.

        Parameters
        ----------
        text : str
        k : int, default=10
        without : iterable of str
            Words that no picture shall be of.
        like : path, optional
            A picture that they shall look like, too.
        learner : str, optional
            Who scores tags; by default the best there is.
        """
        from engine.text_search import TextSearch, picture_to_resemble

        query = None if like is None else picture_to_resemble(Path(like), self._tagger())
        search = TextSearch(self._tagger(), learner)
        return search(text, k=k, without=tuple(without), like=query)

    def info(self) -> dict[str, Any]:
        """Return counts, extractor, index and learners, as ``engine info --json`` prints them."""
        from dataclasses import asdict

        from engine.corrections import CorrectionJournal
        from engine.standing import best_learner
        from indexing.index.description import read_record

        folder, manifest = self._folders.current()
        extractor = manifest["extractor"]
        corrections = CorrectionJournal(self.root).counts(extractor["digest"])
        return {
            "workspace": str(self.root),
            "generation": self._folders.number(),
            "source": manifest["source"]["shown"],
            "format": manifest["source"]["format"],
            "counts": {**manifest["counts"], **refusal_totals(self.refusals())},
            "corrections": corrections,
            "extractor": {key: extractor[key] for key in ("name", "digest", "n_dims", "runtime")},
            "index": asdict(read_record(folder / "index")[0]),
            "learners": manifest["learners"],
            "answers_with": best_learner(manifest["learners"])
            if manifest["counts"]["tags"] or corrections["added"]
            else None,
        }

    def precision_cut(self, precision: float, learner: str | None = None) -> "PrecisionCut | None":
        """Return what it costs that so many of the tags that are said are right.

        Parameters
        ----------
        precision : float
            In (0, 1].
        learner : str, optional
            Who answers; by default the best there is.

        Returns
        -------
        PrecisionCut or None
            From which probability on tags are said, and which share of all tags that finds, on
            pictures that the learner had not seen; None where nothing is so sure.

        Raises
        ------
        InputError
            The learner knows no probabilities.
        """
        return self._tagger().precision_cut(precision, learner)

    def reliability(self, learner: str | None = None) -> "Reliability":
        """Return how far the probabilities of a learner can be trusted.

        Parameters
        ----------
        learner : str, optional
            A calibrated one; by default the one that mixes others, if there is one.

        Raises
        ------
        InputError
            It knows no probabilities.
        ArtifactError
            Its files are damaged, or nothing was built.
        """
        from engine.reliability import reliability_of
        from engine.standing import best_learner
        from engine.trained import load_learner, trained_names
        from learners.table import make_learner

        folder, manifest = self._folders.current()
        known = manifest["learners"]
        mixing = [name for name in trained_names(known) if "members" in known[name]]
        name = learner or (mixing[-1] if mixing else best_learner(known))
        if name in trained_names(known):
            return reliability_of(load_learner(folder, name))
        return reliability_of(make_learner(name))

    def entries(self) -> "tuple[Entry, ...]":
        """Return every indexed picture with what people say of it, by image id."""
        from indexing.catalogue import load_catalogue

        return load_catalogue(self._folders.current()[0]).entries

    def refusals(self) -> "tuple[Refusal, ...]":
        """Return the files that were not indexed, and the sidecars that could not be read."""
        from indexing.catalogue import load_refusals

        return load_refusals(self._folders.current()[0])

    def _tagger(self) -> "Tagger":
        from engine.corrections import CorrectionJournal
        from engine.tagger import Tagger

        # A workspace object that lives long sees what other processes have built or taught
        # meanwhile.
        opened = self._opened
        if (
            opened is None
            or opened.manifest["id"] != self._folders.current()[1]["id"]
            or opened.corrections_stamp != CorrectionJournal(self.root).stamp()
        ):
            opened = self._opened = Tagger(self._folders, self.device)
        return opened


def _paths(images: Iterable[str | os.PathLike[str]]) -> list[Path]:
    if isinstance(images, str | os.PathLike):
        raise InputError(
            f"one path was given, {os.fspath(images)!r}; a list of paths is accepted; put it into "
            "a list, or call tag_one"
        )
    return [Path(image) for image in images]
