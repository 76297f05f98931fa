"""What the runner left: the lines of ``results.jsonl`` and the scores they name."""

import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError, InputError
from learners.metrics import Judged, Measure, parse_measure

__all__ = ["EXAMPLES", "Measured", "ResultLine", "Scores", "read_results"]

EXAMPLES = "examples"
"""Parameter that holds the training pictures a tag, in suites with few of them."""

_KINDS: dict[str, type | tuple[type, ...]] = {
    "case": str,
    "suite": str,
    "dataset": str,
    "method": str,
    "params": dict,
    "seed": (int, type(None)),
    "measures": dict,
    "scores": (str, type(None)),
    "n_images": int,
    "n_labels": int,
    "fit_seconds": (int, float, type(None)),
    "predict_seconds": (int, float, type(None)),
    "peak_rss_mb": (int, float, type(None)),
    "versions": dict,
}


@dataclass(frozen=True)
class Measured:
    """A value with the ends of its confidence interval (NaN = not known) and what it is of."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of one method beside the truth, and what rows and columns are called.

    Parameters
    ----------
    judged : Judged
        Scores that the measures read; ranks, where the method breaks ties its own way.
    raw : ndarray of float, shape (n_images, n_tags)
        The method's own scores.
    tags, image_ids : ndarray of str
    """

    judged: Judged
    raw: NDArray[np.floating]
    tags: NDArray[np.str_]
    image_ids: NDArray[np.str_]

    def same_pictures(self, other: "Scores") -> bool:
        """Whether both are of the same pictures and tags, in the same order."""
        return (
            np.array_equal(self.tags, other.tags)
            and np.array_equal(self.image_ids, other.image_ids)
            and np.array_equal(self.judged.truth, other.judged.truth)
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class ResultLine:
    """One line of ``results.jsonl``: a method, measured.

    Parameters
    ----------
    where : str
        ``path:line``, for messages.
    measures : mapping of Measure to Measured
    scores : Path or None
        The npz of the scores.
    fit_seconds, predict_seconds, peak_rss_mb : float
        NaN = not known.
    image_root : Path or None
        Folder in which the pictures are found by their ids.
    n_examples : int or None
        Training pictures a tag, where the suite limits them.
    protocol : str
        How was measured, for people; may be empty.
    """

    where: str
    case: str
    suite: str
    dataset: str
    method: str
    params: Mapping[str, object]
    seed: int | None
    measures: Mapping[Measure, Measured]
    scores: Path | None
    n_images: int
    n_labels: int
    fit_seconds: float
    predict_seconds: float
    peak_rss_mb: float
    versions: Mapping[str, str]
    image_root: Path | None
    n_examples: int | None
    protocol: str

    def value(self, measure: Measure) -> float:
        """Return the measured value, NaN where it was not measured."""
        return self.measures[measure].value if measure in self.measures else math.nan

    def read_scores(self) -> Scores:
        """Load the scores.

        Raises
        ------
        ArtifactError
            If the line names none, or they are missing or damaged.
        """
        if self.scores is None:
            raise ArtifactError(f"{self.where}: no scores were saved; run the case again")
        try:
            with np.load(self.scores, allow_pickle=False) as saved:
                names = saved["tags"], saved["image_ids"]
                quantities = saved.get("quantities")
                judged = Judged(saved["scores"], saved["truth"], names[1], names[0], quantities)
                # Sorted by now, so that ids which do not fit the scores are found here.
                _ = judged.tag_order, judged.image_order
                return Scores(judged, saved.get("raw_scores", judged.scores), *names)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ArtifactError(
                f"{self.where}: scores {self.scores}: {error}; it is an npz of scores, truth, "
                "tags, image_ids; run the case again"
            ) from error


def read_results(out_dir: Path) -> list[ResultLine]:
    """Read ``results.jsonl``; of a case that was run twice, the later line counts.

    Raises
    ------
    ArtifactError
        If the file is missing or empty, or a line is broken (``path:line`` in the message).
    """
    path = out_dir / "results.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(
            f"{path}: {error}; a report reads what `engine bench SUITE --out DIR` wrote; run it"
        ) from error
    cases: dict[str, ResultLine] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            result = _read_line(line, f"{path}:{number}", out_dir)
            cases.pop(result.case, None)
            cases[result.case] = result
    if not cases:
        raise ArtifactError(f"{path}: no result; a report needs one; run `engine bench SUITE`")
    return list(cases.values())


def _read_line(line: str, where: str, out_dir: Path) -> ResultLine:
    advice = "a line is one JSON object a method; remove it and run the case again"
    try:
        content = json.loads(line)
    except json.JSONDecodeError as error:
        raise ArtifactError(f"{where}: {error}; {advice}") from error
    if not isinstance(content, dict):
        raise ArtifactError(f"{where}: {type(content).__name__} instead of an object; {advice}")
    for key, kind in _KINDS.items():
        if key not in content:
            raise ArtifactError(f"{where}: {key!r} is missing; {advice}")
        if not isinstance(content[key], kind):
            raise ArtifactError(f"{where}: {key!r} is {content[key]!r}; {advice}")
    fields = {key: content[key] for key in _KINDS}
    for key in ("fit_seconds", "predict_seconds", "peak_rss_mb"):
        fields[key] = _number(content[key])
    try:
        fields["measures"] = {
            parse_measure(name): _measured(entry) for name, entry in content["measures"].items()
        }
    except (InputError, TypeError, KeyError, ValueError) as error:
        raise ArtifactError(
            f"{where}: measures: {error}; each is a name and its value, n, low, high; {advice}"
        ) from error
    fields["scores"] = None if content["scores"] is None else out_dir / content["scores"]
    fields["versions"] = {str(name): str(value) for name, value in content["versions"].items()}
    root = content.get("image_root")
    examples = content["params"].get(EXAMPLES)
    return ResultLine(
        where=where,
        image_root=Path(root) if root else None,
        n_examples=examples if isinstance(examples, int) else None,
        protocol=str(content.get("protocol") or ""),
        **fields,
    )


def _measured(entry: Mapping[str, Any]) -> Measured:
    return Measured(
        value=_number(entry["value"]),
        low=_number(entry.get("low")),
        high=_number(entry.get("high")),
        n=int(entry["n"]),
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
