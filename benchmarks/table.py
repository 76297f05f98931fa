"""Results as a table on a terminal: methods by measures, with intervals."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from benchmarks.bounds import largest
from benchmarks.report.folds import mean_interval, without_fold
from learners.metrics import parse_measure

__all__ = ["tables"]

_SHOWN = ("c-p", "c-r", "c-f1", "n+", "map", "miap", "ndcg")
# Where the number of tags is told a picture, as the papers on it print their tables.
_SHOWN_COUNTED = (
    *("c-p", "c-r", "c-f1", "i-p", "i-r", "i-f1", "h-f1"),
    *("lqp-accuracy", "lqp-mse", "map", "miap"),
)


def tables(lines: Sequence[dict[str, Any]]) -> str:
    """Return the tables of some lines of ``results.jsonl``, one a data set and size.

    Percentages, with the ends of the 95 % interval; ``n+`` is a count. Folds are averaged,
    and the interval is Student's of their mean.
    """
    found: dict[tuple[str, Any], dict[str, list[dict[str, Any]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for line in lines:
        dataset = without_fold(line["dataset"])
        found[dataset, line["params"].get("examples")][line["method"]].append(line)
    return "\n\n".join(
        _table(_title(dataset, examples, by_method), by_method)
        for (dataset, examples), by_method in found.items()
    )


def _title(dataset: str, examples: int | None, by_method: dict[str, list[dict[str, Any]]]) -> str:
    lines = next(iter(by_method.values()))
    n_images = sum(line["n_images"] for line in lines)
    title = f"{dataset}: {n_images:,} pictures, {lines[0]['n_labels']:,} labels"
    if examples is not None:
        title += f", {examples} training pictures a label"
    if len(lines) > 1:
        parts = "draws" if "draw" in lines[0]["params"] else "folds"
        title += f", mean of {len(lines)} {parts}"
    return title + "; 95 % intervals"


def _table(title: str, by_method: dict[str, list[dict[str, Any]]]) -> str:
    every = [name for lines in by_method.values() for name in lines[0]["measures"]]
    names = [
        name
        for stem in (_SHOWN_COUNTED if "lqp-mse" in every else _SHOWN)
        for name in dict.fromkeys(every)
        if name.partition("@")[0].partition(">")[0] == stem
    ]
    rows = [["method", *names]]
    for method, lines in by_method.items():
        rows.append([method, *(_cell(name, lines) for name in names)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([title, *text])


def _cell(name: str, lines: list[dict[str, Any]]) -> str:
    entries = [line["measures"][name] for line in lines if name in line["measures"]]
    values = [entry["value"] for entry in entries]
    if not values or None in values:
        return "-"
    if len(values) > 1:
        n = sum(entry["n"] for entry in entries) / len(entries)
        value, *ends = mean_interval(values, largest(parse_measure(name), n))
    else:
        value, ends = values[0], [entries[0]["low"], entries[0]["high"]]
    scale, digits = (1, 0) if name.startswith("n+") else (100, 1)
    if name == "lqp-mse":
        scale, digits = 1, 3
    low, high = (f"{scale * end:.{digits}f}" if end is not None else "?" for end in ends)
    return f"{scale * value:.{digits}f} [{low}, {high}]"
