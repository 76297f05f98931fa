"""What a manifest must say for this version of the engine to read it.

The number of the format is raised where files change. What is said of learners grew without it:
a manifest that another version wrote may lack what this one reads. What it says beside that is
let be.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from indexing.errors import ArtifactError
from indexing.records import printable_path

__all__ = ["FORMAT_VERSION", "check_learners", "checked_manifest", "lacking"]

FORMAT_VERSION = 1

_Kinds: TypeAlias = type | tuple[type, ...]
_Wanted: TypeAlias = Mapping[str, "_Kinds | _Wanted"]

_ANEW = (
    "run 'engine build PICTURES' to make it anew (features are kept), or use the version of the "
    "engine that made it"
)
_NUMBER = (int, float)
_WHOLE: _Wanted = {
    "id": str,
    "source": {"shown": str, "format": str},
    "settings": {"index": str, "extractor": str},
    "extractor": {"name": str, "digest": str, "n_dims": int, "blocks": list, "runtime": str},
    "counts": dict.fromkeys(("indexed", "tagged", "voters", "tags", "refused"), int),
    "learners": dict,
}
_UNTRAINED: _Wanted = {"params": dict, "chosen_by": str}
_FIGURES: _Wanted = dict.fromkeys(("map", "miap", "c-f1@5"), (*_NUMBER, type(None)))
_TRAINED: _Wanted = {
    "params": dict,
    "trained_on": {"pictures": int, "tags": int},
    "seconds": _NUMBER,
    "held_out": {"n_pictures": int, "before": _FIGURES, "after": _FIGURES},
    "n_changed": int,
    "index": (dict, type(None)),
}
_MIXING: _Wanted = {**_TRAINED, "told": list, "goal": str, "members": dict}
_MEMBER: _Wanted = {**_TRAINED, "told": list, "weight": _NUMBER}


def checked_manifest(content: object, path: Path) -> dict[str, Any]:
    """Return what a manifest holds, if this version can read it.

    What it says of trained learners is not looked at.

    Parameters
    ----------
    content : object
        As JSON gives it.
    path : Path
        Where it lies.

    Raises
    ------
    ArtifactError
        Its format has another number, or a field is missing or of another kind.
    """
    manifest = content if isinstance(content, dict) else {}
    if manifest.get("format") != FORMAT_VERSION:
        raise ArtifactError(
            f"{printable_path(path)} has format {manifest.get('format')!r}; this version of the "
            f"engine reads format {FORMAT_VERSION}; {_ANEW}"
        )
    field = _lacking(manifest, _WHOLE) or _lacking_of_untrained(manifest["learners"])
    if field is not None:
        raise ArtifactError(
            f"{printable_path(path)} lacks {field}: another version of the engine wrote it; what "
            f"this version writes is accepted; {_ANEW}"
        )
    return manifest


def check_learners(learners: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Refuse trained learners of a manifest that this version cannot read.

    Parameters
    ----------
    learners : mapping
        Those of a :func:`checked_manifest`.
    path : Path
        Where it lies.

    Raises
    ------
    ArtifactError
        A field of one is missing or of another kind.
    """
    for name, field in lacking(learners).items():
        from engine.training.trainable import is_trainable

        again = f" and 'engine train {name}' to make it again" * is_trainable(name)
        raise ArtifactError(
            f"{printable_path(path)} describes the trained learner {name!r} without {field}: "
            "another version of the engine trained it; what this version trains is accepted; run "
            f"'engine build' to go on without it{again}"
        )


def lacking(learners: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the trained learners that cannot be read, and the first field that each lacks.

    Parameters
    ----------
    learners : mapping
        Those of a :func:`checked_manifest`.

    Examples
    --------
    >>> lacking({"heads": {"params": {}, "trained_on": {"pictures": 24}}})
    {'heads': 'trained_on.tags'}
    """
    fields = {name: _lacking_of(entry) for name, entry in learners.items() if "trained_on" in entry}
    return {name: field for name, field in fields.items() if field is not None}


def _lacking_of_untrained(learners: Mapping[str, Any]) -> str | None:
    for name, entry in learners.items():
        if not isinstance(entry, dict):
            return f"learners.{name}"
        if "trained_on" not in entry and (field := _lacking(entry, _UNTRAINED)) is not None:
            return f"learners.{name}.{field}"
    return None


def _lacking_of(entry: Mapping[str, Any]) -> str | None:
    if "members" not in entry:
        return _lacking(entry, _TRAINED)
    field = _lacking(entry, _MIXING)
    if field is not None:
        return field
    for name, member in entry["members"].items():
        field = _lacking(member, _MEMBER) if isinstance(member, dict) else ""
        if field is not None:
            return f"members.{name}.{field}".rstrip(".")
    return None


def _lacking(found: Mapping[str, Any], wanted: _Wanted) -> str | None:
    for name, kind in wanted.items():
        if isinstance(kind, Mapping):
            value = found.get(name)
            below = _lacking(value, kind) if isinstance(value, dict) else ""
            if below is not None:
                return f"{name}.{below}".rstrip(".")
        elif name not in found or not isinstance(found[name], kind):
            return name
    return None
