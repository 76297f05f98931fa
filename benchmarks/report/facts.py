"""What people must know of the data: pictures that are there twice, labels that nobody learns."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report.groups import Group
from indexing.errors import ArtifactError

__all__ = ["about_data", "read_facts"]

_SHOWN = 5


def read_facts(out_dir: Path) -> list[dict[str, Any]]:
    """Read ``data.json`` beside the results; empty where there is none.

    Raises
    ------
    ArtifactError
        If it is no list of facts.
    """
    path = out_dir / "data.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise _broken(path, error) from error
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise _broken(path, "no list of objects")
    return found


def about_data(group: Group, facts: Sequence[Mapping[str, Any]]) -> str:
    """Say what is known of the data of a group; nothing where its protocols differ in it."""
    protocols = {line.protocol for line in group.lines}
    told = {
        f"{_copies(one)} {_strangers(one)}".strip()
        for one in facts
        if one.get("dataset") == group.dataset and one.get("protocol") in protocols
    }
    return told.pop() if len(told) == 1 else ""


def _copies(facts: Mapping[str, Any]) -> str:
    groups = facts.get("copies_across_splits") or []
    if not groups:
        return "No picture is in two splits."
    alike = [
        " = ".join(f"{one['image_id']} ({one['split'] or 'no split'})" for one in same)
        for same in groups
    ]
    n_left_out = facts.get("left_out_of_training_as_copies", 0)
    return (
        f"Of equal bytes in two splits: {_some(alike)}; {n_left_out:,} left out of training for it."
    )


def _strangers(facts: Mapping[str, Any]) -> str:
    labels = facts.get("labels_outside_vocabulary") or []
    return f"Labels that no training picture has: {_some(labels)}." if labels else ""


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _broken(path: Path, why: object) -> ArtifactError:
    return ArtifactError(
        f"{path}: {why}; it holds what `engine bench` wrote of the data; remove it and run again"
    )
