"""Cases, and the file that holds a line for each that is done."""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from indexing.errors import ArtifactError
from indexing.records import printable_path

__all__ = ["Case", "Results"]

_RESULTS_FILE = "results.jsonl"


@dataclass(frozen=True, kw_only=True)
class Case:
    """All that decides the numbers of one line, so that its hash can name it.

    Parameters
    ----------
    suite, dataset, method : str
        Names, as they stand in the results; the dataset's names the fold too.
    learner : str
        Key of the learner's table.
    fixed : tuple of (str, value)
        Hyper-parameters that are not chosen.
    features : str
        Identity of the features.
    data : str
        Digest of names, splits, tags and labels.
    protocol : str
        The protocol, as it prints.
    where : tuple of (str, int)
        Which of the protocol's exercises: the fold, the number of examples.
    tuning : str
        How hyper-parameters are chosen, the grid included.
    measures : tuple of str
    seed : int
    """

    suite: str
    dataset: str
    method: str
    learner: str
    fixed: tuple[tuple[str, Any], ...]
    features: str
    data: str
    protocol: str
    where: tuple[tuple[str, int], ...]
    tuning: str
    measures: tuple[str, ...]
    seed: int

    @cached_property
    def key(self) -> str:
        """Sixteen hex digits of the SHA-256 over the canonical JSON."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def examples(self) -> int | None:
        """Training pictures a tag, where the protocol limits them."""
        return dict(self.where).get("examples")

    @property
    def scores(self) -> str:
        """Path of its scores, relative to the folder of the results."""
        parts = [self.dataset, self.method]
        parts += [] if self.examples is None else [f"{self.examples}-examples"]
        readable = re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")
        return f"scores/{readable}-{self.key}.npz"


class Results:
    """The lines of ``results.jsonl``; each is appended whole, when its scores are on disk.

    Parameters
    ----------
    folder : Path
        Where the file and the scores lie; made where it is missing.
    fresh : bool, default=False
        Whether what is there is thrown away.

    Raises
    ------
    ArtifactError
        If a line other than a torn last one cannot be read.
    """

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self.folder = folder
        self._path = folder / _RESULTS_FILE
        folder.mkdir(parents=True, exist_ok=True)
        if fresh:
            self._path.unlink(missing_ok=True)
            for scores in folder.glob("scores/*.npz"):
                scores.unlink()
        self._lines = self._read()

    def line(self, case: Case) -> dict[str, Any] | None:
        """Return the line of a case; None where it is not done, or its scores are gone."""
        line = self._lines.get(case.key)
        return line if line and (self.folder / line["scores"]).is_file() else None

    def append(self, line: dict[str, Any]) -> None:
        """Add the line of a case that is done."""
        with self._path.open("ab") as file:
            file.write(_text(line).encode())
            file.flush()
            os.fsync(file.fileno())
        self._lines[line["case"]] = line

    def settle(self, cases: Sequence[Case]) -> list[dict[str, Any]]:
        """Write the file anew: the lines of `cases` in their order, then those of others.

        Lines of cases that are no more are dropped: a learner whose grid has changed, say,
        has a new line, and the old one would stand beside it as if they were two methods.

        Returns
        -------
        list of dict
            The lines of `cases`.
        """
        keys = {case.key for case in cases}
        replaced = {(case.suite, case.dataset, case.method, case.examples) for case in cases}
        lines = [self._lines[case.key] for case in cases]
        others = [
            line
            for key, line in self._lines.items()
            if key not in keys and _place(line) not in replaced
        ]
        texts = [_text(line) for line in lines + others]
        scratch = self._path.with_suffix(".new")
        scratch.write_text("".join(texts), encoding="utf-8")
        scratch.replace(self._path)
        kept = {line["scores"] for line in lines + others}
        for scores in self.folder.glob("scores/*.npz"):
            if f"scores/{scores.name}" not in kept:
                scores.unlink()
        return lines

    def _read(self) -> dict[str, dict[str, Any]]:
        if not self._path.is_file():
            return {}
        data = self._path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:
            # A run was killed while it wrote: that case is done again.
            os.truncate(self._path, len(whole))
        lines: dict[str, dict[str, Any]] = {}
        for number, text in enumerate(whole.decode("utf-8", "replace").splitlines(), start=1):
            try:
                line = json.loads(text)
                lines[line["case"]] = line
            except (ValueError, TypeError, KeyError):
                raise ArtifactError(
                    f"{printable_path(self._path)}:{number}: no result of a case; lines that this "
                    "command wrote are accepted; remove the line, or start anew with --fresh"
                ) from None
        return lines


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n"


def _place(line: dict[str, Any]) -> tuple[Any, ...]:
    """Return where a line stands in the tables."""
    return line["suite"], line["dataset"], line["method"], line["params"].get("examples")
