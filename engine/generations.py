"""What lies in a workspace: numbered generations, the pointer to the current one, the lock.

::

    .engine/
    ├── lock                    held while something writes; dies with its process
    ├── store/                  features by content hash and file facts (LMDB)
    ├── corrections/            what people taught; no build touches it (engine.corrections)
    ├── current                 number of the current generation, replaced atomically
    └── generations/000007/     everything that one build made; never changed afterwards
        ├── generation.json     format version, source, extractor, learners, counts
        ├── catalogue.parquet   which pictures, and what people say of them
        ├── refused.parquet     which files were refused, and why
        ├── tags.npz            which pictures vote, and with what (engine.tagged)
        ├── vocabulary.json     the tags as people spell them
        ├── probe.npy           what the extractor makes of the probe picture
        ├── transform/          features to vectors
        ├── index/              vectors to neighbours
        └── learners/NAME/      what was trained (engine.trained)

Readers open the generation that the pointer names and never see half of one. The generation
before the current one is kept, so that a reader that has just read the pointer finds its files.
"""

import contextlib
import fcntl
import json
import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from engine.manifest import FORMAT_VERSION, check_learners, checked_manifest, lacking
from indexing.errors import ArtifactError, LockedError, NotAWorkspaceError
from indexing.records import printable_path

__all__ = [
    "PROBE_FILE",
    "GenerationFolders",
    "WholeGeneration",
    "find_workspace",
    "find_workspace_if_any",
    "inherit",
    "named_workspace",
    "workspace_for_build",
]

logger = logging.getLogger(__name__)

PROBE_FILE = "probe.npy"
WORKSPACE_VARIABLE = "ENGINE_WORKSPACE"
WORKSPACE_FOLDER = ".engine"
LEARNERS_FOLDER = "learners"
_MANIFEST = "generation.json"


class WholeGeneration(NamedTuple):
    """A generation that can be started from.

    Parameters
    ----------
    folder : Path
    manifest : dict
        Without the learners that are damaged.
    damaged : tuple of str
        Trained learners whose files are not as they were written, or of another version.
    """

    folder: Path
    manifest: dict[str, Any]
    damaged: tuple[str, ...]

    @property
    def lost(self) -> dict[str, str]:
        """What goes with the damaged learners when a generation is made of this one, and why."""
        return dict.fromkeys(self.damaged, "its files are damaged, or of another version")


def find_workspace(given: str | os.PathLike[str] | None = None) -> Path:
    """Return the workspace folder, found like git's.

    The folder given, else ``$ENGINE_WORKSPACE`` (empty counts as unset), else ``.engine`` here
    or in a parent folder.

    Raises
    ------
    ArtifactError
        There is none.
    """
    folder = find_workspace_if_any(given)
    if folder is None:
        raise ArtifactError(
            f"no workspace found: there is no {WORKSPACE_FOLDER} folder in {Path.cwd()} or above; "
            "make one with 'engine build PICTURES', or name one with -w DIR or "
            f"${WORKSPACE_VARIABLE}"
        )
    return folder


def find_workspace_if_any(given: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the workspace folder, found as by :func:`find_workspace`; None where there is none.

    A folder that is named is returned whether it exists or not.
    """
    folder = named_workspace(given)
    if folder is not None:
        return folder
    here = Path.cwd()
    for parent in (here, *here.parents):
        if (parent / WORKSPACE_FOLDER).is_dir():
            return parent / WORKSPACE_FOLDER
    return None


def workspace_for_build(given: str | os.PathLike[str] | None = None) -> Path:
    """Return the workspace that a build writes: the one that is found, else ``.engine`` here."""
    return find_workspace_if_any(given) or Path.cwd() / WORKSPACE_FOLDER


def named_workspace(given: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the workspace folder that is named, here or by ``$ENGINE_WORKSPACE``, if one is."""
    name = given or os.environ.get(WORKSPACE_VARIABLE)
    return Path(name).expanduser() if name else None


class GenerationFolders:
    """The generations of one workspace folder.

    Parameters
    ----------
    root : Path
        The workspace folder; it need not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = root / "store"
        self._folder = root / "generations"
        self._pointer = root / "current"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Exclude other writers while the context lasts.

        Raises
        ------
        LockedError
            Another process is writing.
        """
        self._check_is_ours()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = (self.root / "lock").open("a+b")
        except OSError as error:
            raise ArtifactError(
                f"{printable_path(self.root)} cannot be written ({error.strerror}); a folder that "
                "may be written is accepted; name another with -w DIR"
            ) from error
        # The kernel drops the lock with the process that holds it, however it ends.
        with lock as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise LockedError(
                    f"{self.root} is being written by another process; one writer at a time is "
                    "accepted; wait until it ends and try again"
                ) from error
            yield

    def _check_is_ours(self) -> None:
        """Refuse a folder that holds other things than a workspace."""
        if not self.root.is_dir() or self.store.is_dir() or (self.root / "lock").exists():
            return
        if any(self.root.iterdir()):
            raise NotAWorkspaceError(
                f"{printable_path(self.root)} holds files and is no workspace; a new, an empty or "
                "a workspace folder is accepted; name another with -w DIR"
            )

    def number(self) -> int | None:
        """Return the number of the current generation, None where nothing was built yet.

        Raises
        ------
        ArtifactError
            The pointer holds no number.
        """
        try:
            text = self._pointer.read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        except NotADirectoryError as error:
            raise NotAWorkspaceError(
                f"{printable_path(self.root)} is a file, or lies in one; the folder of a workspace "
                "is accepted; name another with -w DIR"
            ) from error
        except PermissionError as error:
            raise NotAWorkspaceError(
                f"{printable_path(self._pointer)} cannot be read: no permission; a workspace that "
                "may be read is accepted; change its permissions, or name another with -w DIR"
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError(self._damaged_pointer(str(error))) from error
        if not text.strip().isdigit():
            raise ArtifactError(self._damaged_pointer(f"it holds {text[:20]!r}"))
        return int(text)

    def _damaged_pointer(self, found: str) -> str:
        return (
            f"{self._pointer} cannot be used ({found}); the number of a generation is accepted; "
            "run 'engine build PICTURES' to make the workspace anew; features are kept"
        )

    def folder(self, number: int) -> Path:
        """Return the folder of one generation."""
        return self._folder / f"{number:06d}"

    def current(self) -> tuple[Path, dict[str, Any]]:
        """Return the folder and the manifest of the current generation.

        Raises
        ------
        ArtifactError
            Nothing was built, or what lies there is damaged or of another version, or a trained
            learner is.
        """
        folder, manifest = self.current_with_any_learners()
        check_learners(manifest["learners"], folder / _MANIFEST)
        return folder, manifest

    def current_with_any_learners(self) -> tuple[Path, dict[str, Any]]:
        """Return what :meth:`current` does, whatever is said of trained learners."""
        number = self.number()
        if number is None:
            if not self.root.is_dir():
                raise ArtifactError(
                    f"{printable_path(self.root)} does not exist; the folder of a workspace is "
                    "accepted; name another, or make this one: engine build PICTURES -w "
                    f"{printable_path(self.root)}"
                )
            inside = self.root / WORKSPACE_FOLDER
            raise ArtifactError(
                f"{self.root} holds no finished build; an indexed corpus is needed; "
                + (
                    f"name the one that lies there: -w {printable_path(inside)}"
                    if (inside / self._pointer.name).exists()
                    else "run 'engine build PICTURES' (a build that was stopped goes on where it "
                    "was)"
                )
            )
        manifest = self.folder(number) / _MANIFEST
        try:
            content = json.loads(manifest.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            newer = self.number()
            if newer not in (None, number):
                return self.current_with_any_learners()  # builds went by while we looked
            raise ArtifactError(
                f"{manifest} cannot be read ({error}); a generation of this project is accepted; "
                "run 'engine build PICTURES' to make it anew; features are kept"
            ) from error
        return self.folder(number), checked_manifest(content, manifest)

    def current_if_whole(self) -> WholeGeneration | None:
        """Return the current generation, or None where there is none that can be started from.

        A generation that is damaged costs nothing but a new one: the features lie elsewhere.
        Damage in the files of a trained learner costs that learner alone, as does a version that
        reads them no more.
        """
        # NumPy: whoever only looks for a workspace does not wait for it.
        from engine.trained import unreadable

        try:
            if self.number() is None:
                return None
            folder, manifest = self.current_with_any_learners()
        except NotAWorkspaceError:
            raise
        except ArtifactError as error:
            logger.warning("the last build cannot be used, and has to be made again: %s", error)
            return None
        learners = dict(manifest.get("learners", {}))
        differing = _differing(manifest.get("file_bytes"), _file_bytes(folder))
        damaged = {name.split("/")[1] for name in differing if name.startswith(LEARNERS_FOLDER)}
        if not damaged <= learners.keys() or any(
            not name.startswith(LEARNERS_FOLDER) for name in differing
        ):
            trained = [name for name in learners if (folder / LEARNERS_FOLDER / name).is_dir()]
            lost = f", without {', '.join(trained)}: train again" if trained else ""
            logger.warning(
                "%s is damaged, and has to be made again%s", printable_path(folder), lost
            )
            return None
        damaged |= lacking(learners).keys()
        damaged |= unreadable(folder, learners)
        kept = {name: entry for name, entry in learners.items() if name not in damaged}
        return WholeGeneration(folder, {**manifest, "learners": kept}, tuple(sorted(damaged)))

    @contextlib.contextmanager
    def new(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Make the next generation: fill the folder and the manifest that this gives.

        When the context ends without an exception the folder is made durable, gets its number
        and becomes the current one; otherwise it goes. The workspace's lock must be held.
        """
        previous = self.number()
        number = 1 if previous is None else previous + 1
        self._folder.mkdir(parents=True, exist_ok=True)
        for leftover in self._folder.glob("*.partial"):
            shutil.rmtree(leftover, ignore_errors=True)
        partial = self._folder / f"{number:06d}.partial"
        partial.mkdir()
        manifest: dict[str, Any] = {"format": FORMAT_VERSION}
        try:
            yield partial, manifest
            manifest["id"] = uuid.uuid4().hex
            manifest["file_bytes"] = _file_bytes(partial)
            text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False)
            (partial / _MANIFEST).write_text(text + "\n", encoding="utf-8")
            _make_durable(partial)
            shutil.rmtree(self.folder(number), ignore_errors=True)  # orphan of a killed build
            partial.rename(self.folder(number))
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        self._point_at(number)
        # All is done but the tidying; who stops that must not be told that nothing was.
        with contextlib.suppress(KeyboardInterrupt):
            for old in self._folder.iterdir():
                if old.name not in (f"{number:06d}", f"{previous or 0:06d}"):
                    shutil.rmtree(old, ignore_errors=True)

    def _point_at(self, number: int) -> None:
        fresh = self._pointer.with_suffix(".new")
        fresh.write_text(f"{number}\n", encoding="ascii")
        _sync(fresh)
        _sync(self._folder)
        fresh.replace(self._pointer)
        _sync(self.root)


def _file_bytes(folder: Path) -> dict[str, int]:
    """Return the size of every file of a generation but its manifest, in bytes."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != _MANIFEST
    }


def _differing(recorded: object, found: dict[str, int]) -> set[str]:
    """Return the files that are gone, are new or have another size than was recorded."""
    if not isinstance(recorded, dict):
        return {_MANIFEST}
    return {
        name for name in recorded.keys() | found.keys() if recorded.get(name) != found.get(name)
    }


def inherit(source: Path, target: Path, *, without: set[Path]) -> None:
    """Put the files of one generation into the folder of the next: linked, else copied.

    Parameters
    ----------
    source, target : Path
        Folders of generations; nothing that lies in `target` afterwards may be written to.
    without : set of Path
        Folders in `source` that are not taken. The manifest is not taken either.
    """
    for path in sorted(source.rglob("*")):
        if not path.is_file() or path == source / _MANIFEST or not without.isdisjoint(path.parents):
            continue
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            place.hardlink_to(path)
        except OSError:  # not every file system links
            shutil.copy2(path, place)


def _make_durable(folder: Path) -> None:
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
