"""Published numbers, as the papers print them: one data file, checked when it is read."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from indexing.errors import ArtifactError, InputError
from learners.metrics import MEASURES, Measure, parse_measure
from learners.metrics.families import ALIASES, Form

__all__ = [
    "Published",
    "PublishedResult",
    "PublishedTable",
    "Source",
    "load_published",
    "unscaled",
    "with_rule",
]

_FILE = Path(__file__).with_name("published.json")
# Decimal places between what is printed and percent.
_SHIFTS = {"fraction": 2, "percent": 0}
_UNSCALED = {"n+", "lqp-mse"}


@dataclass(frozen=True)
class Source:
    """Where numbers were printed: in full, and as a table cites it."""

    key: str
    short: str
    title: str
    where: str


@dataclass(frozen=True)
class PublishedResult:
    """One row of a printed table.

    Parameters
    ----------
    source : Source
    table : str
        Its number, as printed.
    dataset : str
        Name of the reader: ``corel5k``, ``nuswide``, ...
    method, features : str
        As printed; features are empty where the table does not tell.
    emits : str or None
        How many labels a picture gets: a number, ``lqp`` (as predicted), None = not stated.
    measures : mapping of str to float
        Family of the measure (``c-f1``, ``map``) or measure (``ndcg@5``) to value: fractions,
        except for ``n+`` and ``lqp-mse``. Cells that are empty in the source are missing.
    printed : mapping of str to str
        The same cells with the digits of the source, fractions in percent.
    protocol : str
        What differs from our measurements.
    """

    source: Source
    table: str
    dataset: str
    method: str
    features: str
    emits: str | None
    measures: Mapping[str, float]
    printed: Mapping[str, str]
    protocol: str


@dataclass(frozen=True)
class PublishedTable:
    """Rows of one data set that were measured alike; columns are keys of their measures."""

    columns: tuple[str, ...]
    results: tuple[PublishedResult, ...]


@dataclass(frozen=True)
class Published:
    """All rows, and what is to be known about the transcription."""

    results: tuple[PublishedResult, ...]
    notes: tuple[str, ...]

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """Every source, in the order of the file."""
        return tuple(dict.fromkeys(result.source for result in self.results))

    def tables(self, dataset: str, source: str | None = None) -> list[PublishedTable]:
        """Return the rows of a data set, those of the same measures together.

        Parameters
        ----------
        dataset : str
            A variant, ``nuswide-81``, finds what is published on ``nuswide``.
        source : str, optional
            Key of the only source that is asked for.
        """
        blocks: dict[tuple[str, str], list[PublishedResult]] = {}
        for result in self.results:
            of_source = source in (None, result.source.key)
            if of_source and result.dataset in (dataset, dataset.partition("-")[0]):
                blocks.setdefault((result.source.key, result.table), []).append(result)
        found: dict[tuple[str, ...], list[PublishedResult]] = {}
        printed = set()
        for rows in blocks.values():
            measured = {name for row in rows for name in row.measures}
            table = found.setdefault(tuple(sorted(measured, key=_rank)), [])
            for row in rows:
                # Papers print their own rows in more than one table.
                key = row.source, row.method, row.features, tuple(row.measures.items())
                if key not in printed:
                    printed.add(key)
                    table.append(row)
        return [PublishedTable(columns, tuple(rows)) for columns, rows in found.items()]


def unscaled(family: str) -> bool:
    """Whether a measure is no fraction: a count, or a squared error."""
    return family in _UNSCALED


def load_published(path: Path = _FILE) -> Published:
    """Read and check the published numbers.

    Raises
    ------
    ArtifactError
        If a source, a measure, a unit or a value is none, or a row has not a cell a column.

    Examples
    --------
    >>> load_published().tables("mirflickr")[0].results[0].measures
    {'map': 0.34}
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        sources = {
            key: Source(key, entry["short"], entry["title"], entry["where"])
            for key, entry in content["sources"].items()
        }
        results = [
            result
            for block in content["tables"]
            for result in _results(block, sources, f"{path}: table {block['table']}")
        ]
        return Published(tuple(results), tuple(content["notes"]))
    except (OSError, ValueError, ArithmeticError, AttributeError, TypeError) as error:
        raise ArtifactError(f"{path}: {error}; published numbers are JSON; restore it") from error
    except KeyError as error:
        raise ArtifactError(
            f"{path}: {error.args[0]!r} is missing; published numbers name their source, table, "
            "data set, unit, columns, rows and protocol; add it"
        ) from error


def _rank(column: str) -> tuple[int, str]:
    return list(MEASURES).index(column.partition("@")[0]), column


def _results(
    block: Mapping[str, Any], sources: Mapping[str, Source], where: str
) -> list[PublishedResult]:
    if block["source"] not in sources:
        raise ArtifactError(
            f"{where}: source {block['source']!r} is unknown; there are {', '.join(sources)}"
        )
    if block["unit"] not in _SHIFTS:
        raise ArtifactError(
            f"{where}: unit {block['unit']!r} is unknown; there are {', '.join(_SHIFTS)}"
        )
    columns = [_column(name, where) for name in block["columns"]]
    results = []
    for row in block["rows"]:
        place = f"{where}: {row['method']}"
        emits = row.get("emits", block.get("emits"))
        if emits is not None:
            _column(f"c-p@{emits}", place)
        own = row.get("protocol")
        printed = _cells(columns, row["values"], _SHIFTS[block["unit"]], place)
        results.append(
            PublishedResult(
                source=sources[block["source"]],
                table=block["table"],
                dataset=block["dataset"],
                method=row["method"],
                features=row.get("features", ""),
                emits=emits,
                measures={column: _value(column, text) for column, text in printed.items()},
                printed=printed,
                protocol=f"{own}; {block['protocol']}" if own else block["protocol"],
            )
        )
    return results


def _column(name: str, where: str) -> str:
    """Return the measure as we write it; a decision without its rule stands for any."""
    family = ALIASES.get(name, name)
    if family in MEASURES and MEASURES[family].form is Form.DECISION:
        return family
    try:
        return str(parse_measure(name))
    except InputError as error:
        raise ArtifactError(f"{where}: {error}") from error


def _cells(
    columns: list[str], values: list[Decimal | int | None], shift: int, where: str
) -> dict[str, str]:
    """Return the cells as printed, fractions in percent."""
    if len(values) != len(columns):
        raise ArtifactError(
            f"{where}: {len(values)} values for {len(columns)} columns; null stands for a dash"
        )
    cells = {}
    for column, value in zip(columns, values, strict=True):
        if value is None:
            continue
        text = str(value if unscaled(column) else Decimal(value).scaleb(shift))
        if not 0 <= _value(column, text) <= (math.inf if unscaled(column) else 1):
            raise ArtifactError(f"{where}: {column} is {value}; it is a number of its unit")
        cells[column] = text
    return cells


def _value(column: str, text: str) -> float:
    return float(text if unscaled(column) else Decimal(text).scaleb(-2))


def with_rule(column: str, emits: str | None) -> Measure | None:
    """Return the measure that a published cell is a value of; None where that is not stated."""
    if MEASURES.get(column) and MEASURES[column].form is Form.DECISION:
        return None if emits is None else parse_measure(f"{column}@{emits}")
    return parse_measure(column)
