"""The plots of a group of results."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.report.curves import (
    average_precision_by_tag,
    means_by_octave,
    precision_recall,
)
from benchmarks.report.groups import Group
from benchmarks.report.results import ResultLine, Scores
from benchmarks.report.svg import N_COLORS, Axis, Curve, Drawn, legend, plot
from learners.metrics import reliability_curve

__all__ = ["Figure", "figures"]

_N_BINS = 10


@dataclass(frozen=True)
class Figure:
    """A plot with what it is called, its legend and a sentence of how to read it."""

    title: str
    svg: str
    legend: str
    note: str


def figures(group: Group, scores: dict[str, Scores]) -> list[Figure]:
    """Draw what the lines allow; one line a method, the best ones where they are many.

    Parameters
    ----------
    group : Group
    scores : dict of str to Scores
        By case; lines that are missing are not drawn.
    """
    methods = [line.method for line in group.best_of_methods][:N_COLORS]
    shown = [line for line in group.best_of_methods[:N_COLORS] if line.case in scores]
    found = [_learning(group, methods)]
    if shown:
        found += [
            _precision_recall(group, shown, scores),
            _by_frequency(group, shown, scores),
            _reliability(group, shown, scores),
        ]
    return [figure for figure in found if figure is not None]


def _figure(
    title: str, note: str, x: Axis, y: Axis, curves: Sequence[Curve], *, diagonal: bool = False
) -> Figure:
    # The best method is the first of the legend, and is drawn on top.
    svg = plot(title, x, y, list(reversed(curves)), diagonal=diagonal)
    return Figure(title, svg, legend(curves), note)


def _precision_recall(
    group: Group, shown: Sequence[ResultLine], scores: dict[str, Scores]
) -> Figure:
    curves = []
    for color, line in enumerate(shown):
        recall, precision = precision_recall(scores[line.case].judged)
        curves.append(Curve(name=group.label(line), color=color, x=recall, y=precision))
    return _figure(
        "Precision and recall",
        "All decisions together, over all thresholds; equal scores pass together.",
        Axis(label="recall, %", low=0, high=1, percent=True),
        Axis(label="precision, %", low=0, high=1, percent=True),
        curves,
    )


def _by_frequency(
    group: Group, shown: Sequence[ResultLine], scores: dict[str, Scores]
) -> Figure | None:
    curves: list[Curve] = []
    most = 0
    for color, line in enumerate(shown):
        frequencies, values = average_precision_by_tag(scores[line.case].judged)
        most = max(most, int(frequencies.max(initial=0)))
        x, y = means_by_octave(frequencies, values)
        curves.append(Curve(name=group.label(line), color=color, x=x, y=y, drawn=Drawn.BOTH))
    if most < 2:
        return None
    first = scores[shown[0].case]
    frequencies, values = average_precision_by_tag(first.judged)
    told = [
        f"{tag}: {100 * value:.1f} %, {count} pictures"
        for tag, value, count in zip(first.tags.tolist(), values, frequencies, strict=True)
    ]
    dots = Curve(
        name=group.label(shown[0]),
        color=0,
        x=frequencies.astype(np.float64),
        y=values,
        drawn=Drawn.DOTS,
        radius=2.2,
        faint=True,
        titles=told,
    )
    return _figure(
        "Average precision of tags by their frequency",
        f"Lines: mean of the tags of 1, 2–3, 4–7, ... pictures. "  # noqa: RUF001
        f"Dots: the tags of {group.label(shown[0])}.",
        Axis(label="pictures that have the tag, log scale", low=0.9, high=1.15 * most, log=True),
        Axis(label="average precision, %", low=0, high=1, percent=True),
        [*curves, dots],
    )


def _reliability(
    group: Group, shown: Sequence[ResultLine], scores: dict[str, Scores]
) -> Figure | None:
    curves = []
    for color, line in enumerate(shown):
        judged, raw = scores[line.case].judged, scores[line.case].raw
        said = raw[judged.candidates]
        if not said.size or said.min() < 0 or said.max() > 1:
            continue
        bins = reliability_curve(raw, judged.relevant, _N_BINS, equal_mass=False)
        curves.append(
            Curve(
                name=group.label(line),
                color=color,
                x=bins.confidence,
                y=bins.frequency,
                drawn=Drawn.BOTH,
                titles=[f"{group.label(line)}: {count:,} decisions" for count in bins.count],
            )
        )
    if not curves:
        return None
    return _figure(
        "Reliability",
        f"Methods whose scores lie in 0 .. 1, in {_N_BINS} bins of equal width; on the "
        "diagonal, what is said to hold in 70 of 100 cases holds in 70.",
        Axis(label="score, %", low=0, high=1, percent=True),
        Axis(label="share that is true, %", low=0, high=1, percent=True),
        curves,
        diagonal=True,
    )


def _learning(group: Group, methods: Sequence[str]) -> Figure | None:
    """Draw a headline measure over the training pictures a tag; seeds are averaged."""
    sizes = sorted({line.n_examples for line in group.lines if line.n_examples is not None})
    if len(sizes) < 2 or not group.headlines:
        return None
    measure = group.headlines[0]
    curves = []
    for color, method in enumerate(methods):
        rows = []
        for size in sizes:
            found = [
                line.measures[measure]
                for line in group.lines
                if line.method == method and line.n_examples == size and measure in line.measures
            ]
            if found:
                ends = np.array([[one.value, one.low, one.high] for one in found]).mean(axis=0)
                rows.append([size, *ends])
        x, y, low, high = np.array(rows, dtype=np.float64).reshape(-1, 4).T
        # Side by side, so that the bars of different methods do not cover each other.
        x = x * 1.025 ** (color - (len(methods) - 1) / 2)
        known = bool(np.isfinite([low, high]).all())
        curves.append(
            Curve(
                name=method,
                color=color,
                x=x,
                y=y,
                low=low if known else None,
                high=high if known else None,
                drawn=Drawn.BOTH,
            )
        )
    most = max(float(np.max(curve.y, initial=0)) for curve in curves)
    least = min((size for size in sizes if size), default=1)
    zero = None if sizes[0] else least / 2.5
    return _figure(
        f"Learning from few pictures: {measure}",
        "Bars: confidence intervals.",
        Axis(
            label="training pictures a tag, log scale",
            low=(zero or least) / 1.2,
            high=sizes[-1] * 1.2,
            log=True,
            zero=zero,
        ),
        Axis(label=f"{measure}, %", low=0, high=min(1.0, 1.15 * most) or 1.0, percent=True),
        curves,
    )
