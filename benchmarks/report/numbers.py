"""The tables of a report: measured, compared, published, what it cost."""

import math
from collections.abc import Sequence

from benchmarks.published import PublishedResult, PublishedTable, unscaled, with_rule
from benchmarks.report.groups import Compared, Group, smaller_is_better
from benchmarks.report.results import ResultLine
from benchmarks.report.tables import Cell, Row, Table
from learners.metrics import Comparison, Measure

__all__ = [
    "compared_table",
    "cost_table",
    "difference_cells",
    "measured_table",
    "published_table",
    "written",
]

_DASH = "–"  # noqa: RUF001 -- between numbers, as printers set it


def written(measure: Measure, value: float) -> str:
    """Return a value as a table shows it: percent, but counts and squared errors as they are."""
    if math.isnan(value):
        return _DASH
    if measure.name == "n+":
        return f"{value:.0f}"
    return f"{value:.3f}" if unscaled(measure.name) else f"{100 * value:.1f}"


def measured_table(group: Group) -> Table:
    """Return methods x measures with intervals, the best of each measure marked."""
    # Best among those that learned from as many pictures: more of them is no merit.
    best = {
        (measure, n_examples): _best(measure, group.lines, n_examples)
        for measure in group.measures
        for n_examples in {line.n_examples for line in group.lines}
    }
    rows = []
    for line in group.ranked:
        cells = [Cell(group.label(line))]
        for measure in group.measures:
            value = line.value(measure)
            known = not math.isnan(value)
            cells.append(
                Cell(
                    written(measure, value),
                    _interval(measure, line) if known else "",
                    best=known and value == best[measure, line.n_examples],
                )
            )
        rows.append(Row(tuple(cells)))
    return Table(("method", *map(str, group.measures)), rows)


def _best(measure: Measure, lines: Sequence[ResultLine], n_examples: int | None) -> float:
    values = [line.value(measure) for line in lines if line.n_examples == n_examples]
    known = [value for value in values if not math.isnan(value)]
    return (min if smaller_is_better(measure) else max)(known, default=math.nan)


def _interval(measure: Measure, line: ResultLine) -> str:
    measured = line.measures[measure]
    if math.isnan(measured.low) or math.isnan(measured.high):
        return ""
    return f"{written(measure, measured.low)}{_DASH}{written(measure, measured.high)}"


def cost_table(group: Group) -> Table:
    """Return what each method took."""
    rows = [
        Row(
            (
                Cell(group.label(line)),
                Cell(_seconds(line.fit_seconds)),
                Cell(_seconds(line.predict_seconds)),
                Cell(_DASH if math.isnan(line.peak_rss_mb) else f"{line.peak_rss_mb:,.0f}"),
                Cell(", ".join(f"{name} {value}" for name, value in line.params.items())),
            )
        )
        for line in group.ranked
    ]
    return Table(
        ("method", "fit, s", "predict, s", "peak memory, MB", "parameters"), rows, frozenset({4})
    )


def _seconds(value: float) -> str:
    return _DASH if math.isnan(value) else f"{value:.2f}"


def compared_table(group: Group, compared: Sequence[Compared]) -> Table:
    """Return the difference of each method to its reference; sure ones are marked."""
    measures = list(dict.fromkeys(m for one in compared for m in one.differences))
    rows = []
    for one in compared:
        cells = [Cell(group.label(one.line)), Cell(group.label(one.reference))]
        for measure in measures:
            difference = one.differences.get(measure)
            cells += (
                [Cell(_DASH), Cell(_DASH)]
                if difference is None
                else difference_cells(measure, difference)
            )
        rows.append(Row(tuple(cells)))
    columns = [name for m in measures for name in (f"Δ {m}", "p")]
    return Table(("method", "less", *columns), rows, frozenset({1}))


def difference_cells(measure: Measure, found: Comparison) -> list[Cell]:
    """Return a difference with its interval, and its p-value; a sure one is marked."""
    sure = found.low > 0 or found.high < 0
    worse = (found.value < 0) is not smaller_is_better(measure)
    text, low, high = (_signed(measure, v) for v in (found.value, found.low, found.high))
    p = "<0.001" if found.p_value < 0.001 else f"{found.p_value:.3f}"
    return [Cell(text, f"{low} to {high}", best=sure, worse=sure and worse), Cell(p)]


def _signed(measure: Measure, value: float) -> str:
    # Typographic minus; a plain one reads as a range beside the en dash of other tables.
    text = written(measure, abs(value))
    return text if float(text) == 0 else f"{'+' if value > 0 else '−'}{text}"  # noqa: RUF001


def published_table(group: Group, published: PublishedTable) -> tuple[Table, list[str]]:
    """Return published rows and ours in one table, and the protocol notes it refers to.

    Notes
    -----
    Our cells are of the same measure only, the number of labels emitted included: a
    published row that emits 5 labels stands beside our ``c-f1@5``. Where the source does not
    state how many it emits, nothing of ours equals it, and ours are shown with their own.
    """
    notes: list[str] = []
    ranked: list[tuple[float, Row]] = []
    key = next((c for c in ("c-f1", "map") if c in published.columns), published.columns[0])
    for result in published.results:
        cells = [Cell(result.printed.get(column, _DASH)) for column in published.columns]
        row = (
            Cell(result.method),
            Cell(result.features or _DASH),
            Cell(_rule(result.emits)),
            *cells,
            Cell(_cited(result)),
            Cell(_letter(notes, result.protocol)),
        )
        ranked.append((result.measures.get(key, math.nan), Row(row)))
    for line in group.best_of_methods:
        for rule in _rules(group, published):
            values = [_ours(line, column, rule) for column in published.columns]
            if all(math.isnan(value) for _, value in values):
                continue
            note = line.protocol or f"suite {group.suite}"
            if line.case in group.folds:
                note += f", mean of {len(group.folds[line.case])} folds"
            note = f"ours: {note}, {line.n_images:,} pictures, {line.n_labels:,} labels"
            row = (
                Cell(group.label(line)),
                Cell(str(line.params.get("features", _DASH))),
                Cell(_emits(line, rule)),
                *(Cell(_DASH if m is None else written(m, v)) for m, v in values),
                Cell("this run"),
                Cell(_letter(notes, note)),
            )
            at = published.columns.index(key)
            ranked.append((values[at][1], Row(row, ours=True)))
    ranked.sort(key=lambda entry: (math.isnan(entry[0]), -entry[0]))
    columns = ("method", "features", "emits", *published.columns, "source", "protocol")
    n = len(columns)
    return Table(columns, [row for _, row in ranked], frozenset({1, 2, n - 2, n - 1})), notes


def _rules(group: Group, published: PublishedTable) -> list[str | None]:
    """Numbers of labels emitted that were published, or where none was stated, ours."""
    stated = dict.fromkeys(result.emits for result in published.results if result.emits)
    own = dict.fromkeys(str(m.at) for m in group.measures if m.name == "c-f1" and m.at)
    return [rule for rule in stated if rule in own] or list(own) or [None]


def _ours(line: ResultLine, column: str, rule: str | None) -> tuple[Measure | None, float]:
    measure = with_rule(column, rule)
    return measure, math.nan if measure is None else line.value(measure)


def _emits(line: ResultLine, rule: str | None) -> str:
    return str(line.params.get("emits") or _rule(rule))


def _rule(emits: str | None) -> str:
    return {None: "not stated", "lqp": "as predicted"}.get(emits, str(emits))


def _cited(result: PublishedResult) -> str:
    numbered = len(result.table) <= 3
    return f"{result.source.short}, table {result.table}" if numbered else result.source.short


def _letter(notes: list[str], note: str) -> str:
    if note not in notes:
        notes.append(note)
    return chr(ord("a") + notes.index(note))
