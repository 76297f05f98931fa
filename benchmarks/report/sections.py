"""What a report says, before it is written as Markdown or as HTML."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.published import Published
from benchmarks.report.counted import (
    has_counted_rows,
    predicted_less_fixed,
    rankings_less_first,
)
from benchmarks.report.facts import about_data
from benchmarks.report.groups import Group
from benchmarks.report.mixed import less_best_member, less_mixture
from benchmarks.report.numbers import (
    compared_table,
    cost_table,
    measured_table,
    published_table,
)
from benchmarks.report.results import Scores
from benchmarks.report.tables import Table
from benchmarks.suites import SUITES
from learners.metrics import Measure

__all__ = ["Block", "Convention", "Section", "conventions", "section"]

_SPLITS = (
    "Paired, on each split by itself; which member is the best of a measure is known from the "
    "answers. Bold: the 95 % interval excludes 0."
)


@dataclass(frozen=True)
class Block:
    """A table with its heading, a sentence above it and lettered notes below."""

    heading: str
    text: str
    table: Table
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """All tables of a group."""

    heading: str
    text: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Convention:
    """What a measure is, and of how many it is the mean in each group."""

    name: str
    text: str
    averaged: str


def section(
    group: Group,
    published: Published,
    scores: dict[str, Scores],
    *,
    facts: Sequence[Mapping[str, Any]] = (),
    baselines: Collection[str],
    n_replicates: int,
) -> Section:
    """Put a group's tables together; `facts` are those of its data, as they were written."""
    blocks = [
        Block(
            "Methods",
            "Percent, but n+ (a count) and squared errors; best in bold; 95 % intervals from "
            + ("Student's distribution over the folds." if group.folds else "resampled pictures."),
            measured_table(group),
        )
    ]
    if has_counted_rows(group):
        comparisons = {
            "As many tags as predicted, less a fixed number": predicted_less_fixed(
                group, scores, n_replicates
            ),
            "Rankings at a fixed number of tags, less the first": rankings_less_first(
                group, scores, n_replicates
            ),
        }
    else:
        compared = group.comparisons(scores, baselines, n_replicates)
        comparisons = {"Differences to the best baseline": compared}
    blocks += [
        Block(heading, _paired(group), compared_table(group, compared))
        for heading, compared in comparisons.items()
        if compared
    ]
    mixed = less_best_member(group, n_replicates)
    if mixed is not None:
        blocks.append(Block("A mixture less its best member, split by split", _SPLITS, mixed))
    parts = less_mixture(group, n_replicates) if mixed is not None else []
    if parts:
        title = "Members alone, and mixtures without one, less the mixture"
        blocks.append(Block(title, _paired(group), compared_table(group, parts)))
    # Methods that learned from a few pictures a tag are no match of published ones.
    tables = [] if group.few_examples else published.tables(group.dataset)
    beside = SUITES[group.suite].beside if group.suite in SUITES else None
    elsewhere = "" if beside is None else f", on {beside.dataset}"
    if beside is not None:
        tables = tables + published.tables(beside.dataset, beside.source)
    for table in tables:
        shown, notes = published_table(group, table)
        place = elsewhere if table.results[0].dataset != group.dataset else ""
        blocks.append(
            Block(
                f"Beside published numbers{place}: {', '.join(table.columns)}",
                "Published rows as printed, ours marked; the letter says what the protocol is.",
                shown,
                tuple(notes),
            )
        )
    blocks.append(Block("Cost", "", cost_table(group)))
    heading = dict.fromkeys((group.suite, group.dataset))
    about = f"{_about(group)} {about_data(group, facts)}".strip()
    return Section(" on ".join(heading), about, tuple(blocks))


def _paired(group: Group) -> str:
    text = (
        "Paired: both methods are read from the same resamples of the same pictures. "
        "Bold: the 95 % interval excludes 0."
    )
    if not group.folds:
        return text
    return (
        f"{text} The pictures of all folds are put together first, so that a difference is not "
        "that of the means above."
    )


def _about(group: Group) -> str:
    n_methods = len(group.best_of_methods)
    n_images = sorted({line.n_images for line in group.lines})
    n_labels = sorted({line.n_labels for line in group.lines})
    parts = [
        f"{n_methods} method{'s' if n_methods > 1 else ''}",
        f"{_range(n_images)} pictures",
        f"{_range(n_labels)} labels",
    ]
    about = ", ".join(parts) + "."
    protocols = {line.protocol for line in group.lines}
    # Sizes of the training set are told line by line.
    one_protocol = protocols.pop() if len(protocols) == 1 else ""
    return f"{about} Protocol: {one_protocol}." if one_protocol else about


def conventions(groups: Sequence[Group]) -> list[Convention]:
    """Explain every measure of the report."""
    measures: dict[Measure, None] = {}
    for group in groups:
        measures.update(dict.fromkeys(group.measures))
    found = []
    for measure in measures:
        averaged = []
        for group in groups:
            counts = {line.measures[measure].n for line in group.lines if measure in line.measures}
            if counts:
                averaged.append(f"{_range(sorted(counts))} in {group.suite}")
        found.append(Convention(str(measure), measure.convention, ", ".join(averaged)))
    return found


def _range(numbers: Sequence[int]) -> str:
    ends = dict.fromkeys((numbers[0], numbers[-1]))
    return " to ".join(f"{number:,}" for number in ends)
