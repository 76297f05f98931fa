"""Probabilities that were said against what came true: a table, and a plot in text or SVG."""

from collections.abc import Sequence

from engine.commands.wording import counted
from engine.reliability import Reliability, ReliabilityBin

__all__ = ["drawing", "table_and_plot"]

# Characters of the plot, without its axes.
_WIDTH, _HEIGHT = 41, 21
_SIDE, _MARGIN = 360, 48


def table_and_plot(reliability: Reliability) -> str:
    """Return the table of a reliability and its plot, for a terminal."""
    if reliability.expected_error is None:
        return f"{reliability.learner}: no tag was said of a picture that it had not seen"
    n_tags = sum(one.n_tags for one in reliability.bins)
    lines = [
        f"{reliability.learner}: {counted(n_tags, 'tag')}, the five best of pictures that it had "
        f"not seen; what is said and what comes true are {reliability.expected_error:.3f} apart "
        "(ECE)",
        f"  {'said':>6}  {'came true':>9}  {'tags':>6}",
    ]
    lines += [
        f"  {one.said:6.3f}  {one.came_true:9.3f}  {one.n_tags:6,}" for one in reliability.bins
    ]
    return "\n".join([*lines, "", *_plot(reliability.bins)])


def _plot(bins: Sequence[ReliabilityBin]) -> list[str]:
    grid = [[" "] * _WIDTH for _ in range(_HEIGHT)]
    for column in range(_WIDTH):
        grid[_row(column / (_WIDTH - 1))][column] = "."
    for one in bins:
        grid[_row(one.came_true)][round(one.said * (_WIDTH - 1))] = "o"
    labels = {0: "1.0", _row(0.5): "0.5", _HEIGHT - 1: "0.0"}
    lines = [f"  {labels.get(row, ''):>3} |{''.join(line)}" for row, line in enumerate(grid)]
    middle = _WIDTH // 2
    axis = f"{'0.0':<{middle - 1}}{'0.5':<{middle - 1}}1.0"
    return [
        "  came true (o; . is as said)",
        *(line.rstrip() for line in lines),
        f"      +{'-' * _WIDTH}",
        f"       {axis}  said",
    ]


def _row(share: float) -> int:
    return _HEIGHT - 1 - round(share * (_HEIGHT - 1))


def drawing(reliability: Reliability) -> str:
    """Return the plot as SVG, which every browser shows."""
    most = max((one.n_tags for one in reliability.bins), default=1)

    def at(said: float, came_true: float) -> tuple[float, float]:
        return _MARGIN + said * _SIDE, _MARGIN + (1 - came_true) * _SIDE

    points = []
    for one in reliability.bins:
        x, y = at(one.said, one.came_true)
        radius = 3 + 5 * (one.n_tags / most) ** 0.5
        points.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="#1f6feb" '
            f'fill-opacity="0.8"><title>said {one.said:.3f}, came true {one.came_true:.3f}, '
            f"{counted(one.n_tags, 'tag')}</title></circle>"
        )
    ticks = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = at(share, share)
        ticks.append(
            f'<text x="{x:.0f}" y="{_MARGIN + _SIDE + 18}" text-anchor="middle">{share:g}</text>'
            f'<text x="{_MARGIN - 8}" y="{y + 4:.0f}" text-anchor="end">{share:g}</text>'
        )
    whole = _SIDE + 2 * _MARGIN
    error = reliability.expected_error
    title = reliability.learner + ("" if error is None else f", ECE {error:.3f}")
    corner, end = _MARGIN, _MARGIN + _SIDE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {whole}" width="{whole}" '
        f'height="{whole}" font-family="sans-serif" font-size="12">'
        f'<rect width="{whole}" height="{whole}" fill="white"/>'
        f'<rect x="{corner}" y="{corner}" width="{_SIDE}" height="{_SIDE}" fill="none" '
        'stroke="#999"/>'
        f'<line x1="{corner}" y1="{end}" x2="{end}" y2="{corner}" stroke="#999" '
        'stroke-dasharray="4 4"/>'
        f"{''.join(ticks)}{''.join(points)}"
        f'<text x="{whole / 2:.0f}" y="{whole - 8}" text-anchor="middle">said</text>'
        f'<text x="14" y="{whole / 2:.0f}" text-anchor="middle" '
        f'transform="rotate(-90 14 {whole / 2:.0f})">came true</text>'
        f'<text x="{whole / 2:.0f}" y="24" text-anchor="middle" font-size="14">{title}</text>'
        "</svg>\n"
    )
