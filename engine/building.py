"""Bring a workspace up to date with its corpus: what ``engine build`` does."""

import os
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.assembly import assemble
from engine.carrying import Earlier
from engine.generations import PROBE_FILE, GenerationFolders
from engine.results import BuildReport
from engine.tagged import is_voter
from engine.teaching import bring_features
from engine.trained import trained_names
from engine.training.unfinished import forget_unfinished
from indexing.catalogue import Catalogue, assign_rows, load_catalogue
from indexing.corpora import read_corpus
from indexing.errors import ArtifactError, CorpusError, InputError
from indexing.extractors import DEFAULT_EXTRACTOR, open_extractor
from indexing.extractors.probe import probe_picture
from indexing.ingest import ingest, unchanged_facts
from indexing.records import Corpus, ImageRecord, Refusal, printable_path
from indexing.store import FeatureStore, FileFacts, WorkspaceStore

__all__ = ["BuildSettings", "Progress", "build_workspace"]

# Called with what is being done, how much of it is done and how much there is.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """How a workspace is built; None = as the build before, else the default.

    Parameters
    ----------
    format : str, default: detected
        Name of the reader.
    extractor : str, default: ``efficientnet-lite2``
        Name of the feature extractor.
    index : str, default: ``auto``
        FAISS factory string, ``auto`` or ``exact``.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Where the network and the index run; not remembered.
    replace : bool, default=False
        Whether another corpus may take the place of the one that was built.
    """

    format: str | None = None
    extractor: str | None = None
    index: str | None = None
    device: str = "auto"
    replace: bool = False


@dataclass(frozen=True)
class _Previous:
    """The generation before, or what stands for it in a new workspace."""

    folder: Path | None
    manifest: dict[str, Any]
    catalogue: Catalogue
    lost: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, folders: GenerationFolders) -> "_Previous":
        found = folders.current_if_whole()
        if found is None:
            return cls(None, {}, Catalogue())
        return cls(found.folder, found.manifest, load_catalogue(found.folder), found.lost)

    def file(self, name: str) -> Path:
        """Return the path of one of its files or folders."""
        if self.folder is None:
            raise ArtifactError(f"there is no {name} of an earlier build; build again")
        return self.folder / name


def build_workspace(
    root: Path,
    source: "str | os.PathLike[str] | Corpus | None",
    settings: BuildSettings | None = None,
    on_progress: Progress | None = None,
) -> BuildReport:
    """Build a workspace, or bring it up to date: only what is new or changed is decoded.

    Parameters
    ----------
    root : Path
        The workspace folder.
    source : path, Corpus or None
        What to read; None = what the build before read.
    settings : BuildSettings, optional
    on_progress : callable
        Called with (stage, done, total).

    Raises
    ------
    CorpusError
        The corpus cannot be read or holds no picture.
    InputError
        No corpus is named, or another one than before.
    LockedError
        Another process writes this workspace.
    """
    started = time.perf_counter()
    settings = settings or BuildSettings()
    folders = GenerationFolders(root)
    progress = on_progress or (lambda stage, done, total: None)
    progress("reading the corpus", 0, 0)
    # Before the lock: a corpus that cannot be read leaves no empty workspace behind.
    found = folders.current_if_whole()
    corpus = _read(source, settings, {} if found is None else found.manifest)
    with folders.lock():
        previous = _Previous.of(folders)
        with WorkspaceStore(folders.store) as store:
            report = _Build(folders, previous, settings, corpus, store, progress).run()
    return replace(report, seconds=time.perf_counter() - started)


def _path_of(manifest: dict[str, Any]) -> str | None:
    source = manifest.get("source")
    return None if source is None else os.fsdecode(bytes.fromhex(source["path"]))


def _read(
    source: "str | os.PathLike[str] | Corpus | None",
    settings: BuildSettings,
    manifest: dict[str, Any],
) -> Corpus:
    """Read the corpus; refuse one that would silently drop what was built before."""
    before = _path_of(manifest)
    if isinstance(source, Corpus):
        corpus = source
    else:
        if source is None and before is None:
            raise InputError(
                "no pictures named and nothing built here before; a folder of pictures, a table "
                "or a data set is accepted; run 'engine build PICTURES'"
            )
        path = Path(source or before or "").expanduser().resolve()
        is_same = before is not None and path == Path(before)
        remembered = manifest["source"]["format"] if is_same else None
        corpus = read_corpus(path, settings.format or remembered)
    shown = printable_path(corpus.root)
    if before is not None and not settings.replace:
        if corpus.root != Path(before):
            raise InputError(
                f"this workspace was built from {printable_path(before)}, not from {shown}; one "
                "corpus a workspace is accepted; name another workspace with -w DIR, or let the "
                "new corpus take its place with --replace (what was trained goes, unless half of "
                "the new tagged pictures or more are the old ones)"
            )
        if not corpus.records and manifest["counts"]["indexed"]:
            raise CorpusError(
                f"{shown} holds no picture now and held {manifest['counts']['indexed']:,} before; "
                "emptying it is accepted only with --replace; see whether a disk is missing"
            )
    if not corpus.records and not corpus.refusals:
        raise CorpusError(
            f"{shown} holds no picture; JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF and HEIC are "
            "accepted; name a folder that has some"
        )
    return corpus


def _is_half_known(catalogue: Catalogue, earlier: Catalogue) -> bool:
    """Return whether half of the contents that vote voted in an earlier catalogue too."""
    now, before = (
        {entry.content for entry in some.entries if is_voter(entry)}
        for some in (catalogue, earlier)
    )
    return 2 * len(now & before) >= len(now)


class _Build:
    """One build, under the workspace's lock."""

    def __init__(
        self,
        folders: GenerationFolders,
        previous: _Previous,
        settings: BuildSettings,
        corpus: Corpus,
        store: WorkspaceStore,
        on_progress: Progress,
    ) -> None:
        kept = previous.manifest.get("settings", {})
        self._folders = folders
        self._previous = previous
        self._corpus = corpus
        self._store = store
        self._on_progress = on_progress
        self._device = settings.device
        self._factory = settings.index or kept.get("index", "auto")
        self._extractor_name = settings.extractor or kept.get("extractor", DEFAULT_EXTRACTOR)
        # Naming the network again is how people ask whether its weights have changed.
        self._may_trust_name = settings.extractor is None

    def run(self) -> BuildReport:
        """Do it all; see :func:`build_workspace`."""
        extracted = self._extract()
        catalogue, next_row = self._catalogue(extracted.facts)
        made_with = {
            "source": {
                "path": os.fsencode(self._corpus.root).hex(),
                "shown": printable_path(self._corpus.root),
                "format": self._corpus.format,
            },
            "settings": {"index": self._factory, "extractor": self._extractor_name},
            "extractor": extracted.described,
        }
        previous = self._previous
        is_changed = (
            catalogue != previous.catalogue
            or bool(previous.lost)
            or any(previous.manifest.get(key) != value for key, value in made_with.items())
        )
        manifest = previous.manifest
        dropped = self._lost(extracted.described["digest"], catalogue)
        if is_changed:
            with self._folders.new() as (folder, manifest):
                manifest.update(made_with, next_row=next_row)
                np.save(folder / PROBE_FILE, extracted.probe, allow_pickle=False)
                self._on_progress("index", 0, len(catalogue.entries))
                made = assemble(
                    folder,
                    catalogue,
                    extracted.features,
                    extracted.described["blocks"],
                    factory=self._factory,
                    device=self._device,
                    earlier=self._earlier(extracted.described["digest"], without=dropped),
                )
                manifest.update(learners=made.learners, counts=made.counts)
                dropped |= made.dropped
                self._on_progress("index", len(catalogue.entries), len(catalogue.entries))
            self._prune(catalogue, extracted.features)
            forget_unfinished(self._folders.root)
        report = self._report(catalogue, manifest, extracted.n_extracted)
        return replace(report, is_changed=is_changed, dropped=dropped)

    def _extract(self) -> "_Extracted":
        recorded = self._previous.manifest.get("extractor")
        is_same = recorded is not None and recorded["name"] == self._extractor_name
        if recorded is not None and is_same and self._may_trust_name:
            features = self._store.features(recorded["digest"], recorded["n_dims"])
            known = unchanged_facts(self._corpus, self._store, features.contents())
            if None not in known:
                # Loading the network would take longer than all the rest.
                probe = np.load(self._previous.file(PROBE_FILE), allow_pickle=False)
                facts = [fact for fact in known if fact is not None]
                return _Extracted(features, recorded, probe, facts, 0)
        self._on_progress(f"opening {self._extractor_name}", 0, 0)
        extractor = open_extractor(self._extractor_name, self._device)
        described = {
            "name": self._extractor_name,
            "digest": extractor.fingerprint.digest,
            "fingerprint": extractor.fingerprint.to_json(),
            "n_dims": extractor.n_dims,
            "blocks": list(extractor.blocks),
            "runtime": extractor.runtime,
        }
        features = self._store.features(extractor.fingerprint.digest, extractor.n_dims)
        known = unchanged_facts(self._corpus, self._store, features.contents())
        n_known = len(known) - known.count(None)
        result = ingest(
            self._corpus,
            known,
            features,
            extractor,
            lambda done, total: self._on_progress("pictures", n_known + done, n_known + total),
        )
        bring_features(self._folders.root, extractor, features)
        probe = extractor.extract(probe_picture(extractor.framing)[None])[0]
        return _Extracted(features, described, probe, result.facts, result.n_extracted)

    def _catalogue(self, facts: Sequence[FileFacts]) -> tuple[Catalogue, int]:
        records: list[ImageRecord] = []
        contents: list[bytes] = []
        refusals = list(self._corpus.refusals)
        for record, fact in zip(self._corpus.records, facts, strict=True):
            if fact.refusal is not None:
                refusals.append(Refusal(record.image_id, *fact.refusal))
            elif fact.content is not None:
                if record.tags is None and self._corpus.embedded_keywords:
                    record = replace(record, tags=fact.keywords)
                records.append(record)
                contents.append(fact.content)
        entries, next_row = assign_rows(
            records,
            contents,
            self._previous.catalogue.entries,
            self._previous.manifest.get("next_row", 0),
        )
        refusals.sort(key=lambda refusal: (refusal.path, refusal.reason))
        return Catalogue(entries, tuple(refusals)), next_row

    def _lost(self, digest: str, catalogue: Catalogue) -> dict[str, str]:
        """Return the trained learners that cannot be carried over whatever happens, and why."""
        manifest = self._previous.manifest
        lost = dict(self._previous.lost)
        if manifest and manifest["extractor"]["digest"] != digest:
            reason = f"it was trained on the features of {manifest['extractor']['name']}"
        elif (
            manifest
            and _path_of(manifest) != str(self._corpus.root)
            and not _is_half_known(catalogue, self._previous.catalogue)
        ):
            reason = "it was trained on another corpus"
        else:
            return lost
        return lost | dict.fromkeys(trained_names(manifest["learners"]), reason)

    def _earlier(self, digest: str, without: Collection[str]) -> Earlier | None:
        """Return the generation before, if the new one can start from it."""
        previous = self._previous
        if previous.folder is None or previous.manifest["extractor"]["digest"] != digest:
            return None
        return Earlier(
            previous.folder,
            previous.catalogue.entries,
            {
                name: entry
                for name, entry in previous.manifest["learners"].items()
                if name not in without
            },
            previous.manifest["settings"]["index"],
        )

    def _prune(self, catalogue: Catalogue, features: FeatureStore) -> None:
        # What the generation before still held is kept once more: a picture that was moved
        # away and comes back, or a disk that was not mounted, then costs nothing.
        keep = {entry.content for entry in catalogue.entries}
        keep |= {entry.content for entry in self._previous.catalogue.entries}
        features.prune(keep)
        self._store.forget_files(record.path for record in self._corpus.records)

    def _report(
        self, catalogue: Catalogue, manifest: dict[str, Any], n_extracted: int
    ) -> BuildReport:
        before = {entry.row: entry.record for entry in self._previous.catalogue.entries}
        now = {entry.row: entry.record for entry in catalogue.entries}
        stayed = before.keys() & now.keys()
        return BuildReport(
            workspace=printable_path(self._folders.root),
            source=printable_path(self._corpus.root),
            n_indexed=len(now),
            n_tagged=manifest["counts"]["tagged"],
            n_voters=manifest["counts"]["voters"],
            n_tags=manifest["counts"]["tags"],
            n_added=len(now.keys() - before.keys()),
            n_removed=len(before.keys() - now.keys()),
            n_moved=sum(before[row].image_id != now[row].image_id for row in stayed),
            n_retagged=sum(before[row].tags != now[row].tags for row in stayed),
            n_extracted=n_extracted,
            refusals=catalogue.refusals,
            learners=manifest["learners"],
            seconds=0.0,
            is_changed=False,
        )


@dataclass(frozen=True)
class _Extracted:
    """Features of every usable picture, and the extractor that made them.

    Parameters
    ----------
    features : FeatureStore
    described : dict
        The extractor, for the manifest.
    probe : ndarray of float32, shape (n_dims,)
        What it makes of the probe picture.
    facts : list of FileFacts
        One a record of the corpus.
    n_extracted : int
        Pictures that went through the network.
    """

    features: FeatureStore
    described: dict[str, Any]
    probe: NDArray[np.float32]
    facts: list[FileFacts]
    n_extracted: int
