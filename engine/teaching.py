"""Corrections of tags, heard at once: what ``engine teach`` does."""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.corrections import CorrectionJournal, Step, TaughtPicture, taught_pictures
from engine.generations import GenerationFolders
from engine.network import open_recorded
from engine.queries import said_of
from engine.tagged import TaggedPictures
from engine.wording import TagNames
from indexing.errors import InputError, PictureError
from indexing.extractors import FeatureExtractor
from indexing.pixels import decode, read_picture
from indexing.records import printable_path
from indexing.store import FeatureStore, WorkspaceStore
from indexing.tags import merge_tags, tag_key

__all__ = ["TeachReport", "bring_features", "teach_workspace", "undo_teaching"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TeachReport:
    """What a correction did.

    Parameters
    ----------
    step : Step
        What was taught.
    is_recorded : bool
        Whether it is a step of its own; False where earlier ones say all of it already.
    n_steps : int
        Steps in the journal now.
    new_tags : tuple of str
        Added tags that the workspace did not have.
    unknown_tags : tuple of str
        Removed tags that it does not have: perhaps a slip of the pen.
    meant : tuple of str
        Tags that it has and that are like these.
    is_read : bool
        Whether the picture, or a copy of it, is among those that vote without corrections.
    votes : bool
        Whether it votes from now on; one of which only removals are known does not.
    is_heard : bool
        Whether pictures near it hear of the correction. One that does not vote and is heard
        speaks against what was removed; one that is not heard, since it is not to be learned
        from, has its own answer corrected and no other.
    """

    step: Step
    is_recorded: bool
    n_steps: int
    new_tags: tuple[str, ...]
    unknown_tags: tuple[str, ...]
    meant: tuple[str, ...]
    is_read: bool
    votes: bool
    is_heard: bool

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            **self.step.to_json(),
            "new_tags": list(self.new_tags),
            "unknown_tags": list(self.unknown_tags),
            "indexed_as_tagged": self.is_read,
            "votes": self.votes,
            "heard": self.is_heard,
            "recorded": self.is_recorded,
            "steps": self.n_steps,
        }


def teach_workspace(
    root: Path,
    image: Path,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
    device: str = "auto",
) -> TeachReport:
    """Record a correction of the tags of a picture; the next answer knows it.

    One that says only what earlier ones say already is no step of its own: taking back the one
    that stands is enough.

    Parameters
    ----------
    root : Path
        The workspace folder.
    image : Path
        A picture, indexed or not; it is read, never changed.
    add, remove : iterable of str
        Tags that it has, and that it has not.
    device : {"auto", "cpu", "cuda"}
        Where the network runs, if the picture has to go through it.

    Returns
    -------
    TeachReport

    Raises
    ------
    InputError
        There is no tag, a tag is blank or both added and removed, or the picture cannot be read.
    ArtifactError
        Nothing was built here, or what was is damaged.
    LockedError
        Another process writes this workspace.
    """
    added, removed = _checked_tags(add, remove)
    try:
        data = read_picture(image)
    except PictureError as error:
        raise InputError(_unreadable(image, error)) from error
    step = Step(
        content=hashlib.sha256(data).digest(),
        path=_shortest(Path(image)),
        added=added,
        removed=removed,
    )
    folders = GenerationFolders(root)
    folders.current()  # a workspace that is not there is not made by looking for it
    journal = CorrectionJournal(root)
    with folders.lock():
        folder, manifest = folders.current()
        before = journal.read()
        recorded = manifest["extractor"]
        digest, n_dims = recorded["digest"], recorded["n_dims"]
        feature = journal.feature(digest, step.content, n_dims)
        if feature is None:
            with WorkspaceStore(folders.store) as store:
                feature = store.features(digest, n_dims).find(step.content)
        if feature is None:
            feature = _extracted(image, data, open_recorded(folder, manifest, device))
        # The feature first: a step without one would not be heard.
        journal.keep_feature(digest, step.content, feature)
        taught_before = taught_pictures(before)
        is_recorded = not _stands(step, taught_before.get(step.content))
        after = (*before, step) if is_recorded else _moved(before, step)
        if after != before:
            journal.write(after)
    read = TaggedPictures.load(folder)
    taught = {key: tag for one in taught_before.values() for key, tag in one.added.items()}
    known = {tag_key(tag) for tag in read.vocabulary} | taught.keys()
    unknown = tuple(tag for tag in removed if tag_key(tag) not in known)
    names = TagNames([*read.vocabulary, *taught.values()])
    is_read = bool(read.places_of(step.content))
    is_heard = step.content not in read.abstaining
    return TeachReport(
        step=step,
        is_recorded=is_recorded,
        n_steps=len(after),
        new_tags=tuple(tag for tag in added if tag_key(tag) not in known),
        unknown_tags=unknown,
        meant=tuple(filter(None, map(names.near, unknown))),
        is_read=is_read,
        votes=is_read or (is_heard and bool(taught_pictures(after)[step.content].added)),
        is_heard=is_heard,
    )


def undo_teaching(root: Path) -> tuple[Step, int]:
    """Take the last correction back.

    Parameters
    ----------
    root : Path
        The workspace folder.

    Returns
    -------
    step : Step
        What was taken back.
    n_steps : int
        Steps that are left.

    Raises
    ------
    InputError
        Nothing is taught.
    ArtifactError
        Nothing was built here, or the journal is damaged.
    LockedError
        Another process writes this workspace.
    """
    folders = GenerationFolders(root)
    folders.current()
    journal = CorrectionJournal(root)
    with folders.lock():
        steps = journal.read()
        if not steps:
            raise InputError(
                f"no correction is left in {printable_path(root)} to be taken back; "
                "'engine teach IMAGE --add TAG' makes one"
            )
        journal.write(steps[:-1])
    return steps[-1], len(steps) - 1


def bring_features(root: Path, extractor: FeatureExtractor, features: FeatureStore) -> None:
    """See that the pictures that were taught have a feature of a network: else they are not heard.

    Parameters
    ----------
    root : Path
        The workspace folder, whose lock is held.
    extractor : FeatureExtractor
        The network, which may be another one than before.
    features : FeatureStore
        What it made of the indexed pictures.
    """
    journal = CorrectionJournal(root)
    digest = extractor.fingerprint.digest
    missing = []
    for one in taught_pictures(journal.read()).values():
        if journal.feature(digest, one.content, extractor.n_dims) is not None:
            continue
        feature = features.find(one.content)
        try:
            if feature is None:
                data = read_picture(one.path)
                if hashlib.sha256(data).digest() != one.content:
                    raise InputError("another picture lies there now")
                feature = _extracted(one.path, data, extractor)
        except InputError as error:
            missing.append(f"{printable_path(one.path)} ({error})")
            continue
        journal.keep_feature(digest, one.content, feature)
    if missing:
        logger.warning(
            "%d taught pictures are not heard by their neighbours until they are taught again or "
            "indexed, since this network has not seen them: %s",
            len(missing),
            ", ".join(missing),
        )


def _checked_tags(
    add: Iterable[str], remove: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if isinstance(add, str) or isinstance(remove, str):
        raise InputError("a tag as plain text; lists of tags are accepted; put it into a list")
    given = tuple(add), tuple(remove)
    if any(not tag_key(tag) for tags in given for tag in tags):
        raise InputError("a tag is blank; a text is accepted; leave it out")
    added, removed = (merge_tags(tags) for tags in given)
    if not added and not removed:
        raise InputError("no tag to add or to remove; at least one is accepted; name one")
    both = {tag_key(tag) for tag in added} & {tag_key(tag) for tag in removed}
    if both:
        raise InputError(
            f"{min(both)!r} is to be added and removed; one of the two is accepted; choose"
        )
    return added, removed


def _stands(step: Step, taught: TaughtPicture | None) -> bool:
    """Return whether the steps before say all that a step says."""
    return (
        taught is not None
        and {tag_key(tag) for tag in step.added} <= taught.added.keys()
        and {tag_key(tag) for tag in step.removed} <= taught.removed.keys()
    )


def _moved(steps: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    """Return steps of which the last one about a picture says where that lies now.

    Another network looks for the picture there (:func:`bring_features`).
    """
    last = max(place for place, one in enumerate(steps) if one.content == step.content)
    return (*steps[:last], replace(steps[last], path=step.path), *steps[last + 1 :])


def _extracted(image: Path, data: bytes, extractor: FeatureExtractor) -> NDArray[np.float32]:
    try:
        feature = extractor.extract(decode(data, extractor.framing)[None])[0]
    except PictureError as error:
        raise InputError(_unreadable(image, error)) from error
    if not np.isfinite(feature).all():
        raise InputError(
            f"{printable_path(image)}: no finite feature comes of it; a picture that the network "
            "can read is accepted; teach another"
        )
    return np.asarray(feature, np.float32)


def _shortest(image: Path) -> Path:
    """Return the path of a picture from the root on, with no way up and down again.

    A picture that is a link keeps its own name.
    """
    return image.parent.resolve() / image.name


def _unreadable(image: Path, error: PictureError) -> str:
    said = said_of(Path(image), error)
    return f"{printable_path(image)} cannot be read ({said}); a picture is accepted; see the path"
