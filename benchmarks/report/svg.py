"""Plots as inline SVG: axes, curves, dots; colours come from the page's style sheet."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["N_COLORS", "Axis", "Curve", "Drawn", "legend", "plot"]

N_COLORS = 8
"""Curves that a plot can tell apart; the page defines colours ``c0`` .. ``c7``."""

WIDTH, HEIGHT = 560, 360
LEFT, RIGHT, TOP, BOTTOM = 58, 544, 14, 312

# Beside its color a curve has a dash pattern, for eyes and printers that know no colors.
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "", "7 3", "2 3", "9 3 2 3")


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What one direction of a plot means.

    Parameters
    ----------
    label : str
    low, high : float
        Values at its ends; above 0 where it is logarithmic.
    log : bool, default=False
    percent : bool, default=False
        Ticks are written as percentages.
    zero : float, optional
        Where nothing stands on a logarithmic scale, below every other value.
    """

    label: str
    low: float
    high: float
    log: bool = False
    percent: bool = False
    zero: float | None = None

    def place(self, values: NDArray[np.float64], start: float, end: float) -> NDArray[np.float64]:
        """Return the coordinates of values, from `start` at `low` to `end` at `high`.

        Examples
        --------
        >>> Axis(label="", low=1, high=100, log=True).place(np.array([1.0, 10.0]), 0, 50)
        array([ 0., 25.])
        """
        ends = np.array([self.low, self.high], dtype=np.float64)
        if self.log:
            values = np.where(values > 0, values, self.zero or self.low)
            values, ends = np.log(values), np.log(ends)
        return np.asarray(start + (values - ends[0]) / (ends[1] - ends[0]) * (end - start))

    @property
    def ticks(self) -> list[float]:
        """Round values between the ends: 1, 2, 5 times a power of ten."""
        if self.log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            # Three a decade where there is room for them.
            steps = (1, 2, 5) if len(powers) <= 5 else (1,)
            rounded = [step * 10.0**power for power in powers for step in steps]
        else:
            rough = (self.high - self.low) / 5
            power = 10.0 ** math.floor(math.log10(rough))
            step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)
            first = math.ceil(self.low / step - 1e-9)
            last = math.floor(self.high / step + 1e-9)
            rounded = [step * i for i in range(first, last + 1)]
        least = self.low if self.zero is None else 2 * self.zero
        shown = [tick for tick in rounded if least * 0.999 <= tick <= self.high * 1.001]
        return shown if self.zero is None else [0.0, *shown]

    def written(self, tick: float) -> str:
        """Return what stands at a tick."""
        return f"{100 * tick:.3g}" if self.percent else f"{tick:,.6g}"


class Drawn(StrEnum):
    """How a curve is drawn."""

    LINE = "line"
    DOTS = "dots"
    BOTH = "both"


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Points that belong together.

    Parameters
    ----------
    name : str
    color : int
        From 0; the dash pattern follows it.
    x, y : ndarray of float, shape (n_points,)
    low, high : ndarray of float, shape (n_points,), optional
        Ends of vertical bars.
    drawn : Drawn, default=Drawn.LINE
    radius : float, default=2.5
        Of the dots, in pixels.
    faint : bool, default=False
        Drawn as background, and not in the legend.
    titles : sequence of str, default=()
        What each dot tells when pointed at.
    """

    name: str
    color: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    drawn: Drawn = Drawn.LINE
    radius: float = 2.5
    faint: bool = False
    titles: Sequence[str] = field(default=())


def plot(title: str, x: Axis, y: Axis, curves: Sequence[Curve], *, diagonal: bool = False) -> str:
    """Draw curves over a grid; the result is one ``<svg>`` element.

    Parameters
    ----------
    title : str
        What a screen reader says of it.
    x, y : Axis
    curves : sequence of Curve
        Later ones lie above earlier ones. What lies outside the axes is cut off.
    diagonal : bool, default=False
        Draw the line from corner to corner.
    """
    across = f"M{LEFT} {BOTTOM}L{RIGHT} {TOP}"
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{html.escape(title, quote=True)}">',
        _grid(x, y),
        f'<path class="diagonal" d="{across}"/>' if diagonal else "",
        *(_curve(x, y, curve) for curve in curves),
        f'<path class="frame" d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}"/></svg>',
    ]
    return "\n".join(part for part in parts if part)


def legend(curves: Sequence[Curve]) -> str:
    """Return an HTML list of the names, each with its stroke."""
    items = "".join(
        f'<li class="c{curve.color % N_COLORS}"><svg viewBox="0 0 28 8" aria-hidden="true">'
        f'<path d="M1 4H27"{_dash(curve)}/></svg>{html.escape(curve.name)}</li>'
        for curve in curves
        if not curve.faint
    )
    return f'<ul class="legend">{items}</ul>'


def _grid(x: Axis, y: Axis) -> str:
    parts = ['<g class="grid">']
    for tick, at in zip(x.ticks, x.place(np.array(x.ticks), LEFT, RIGHT), strict=True):
        parts.append(
            f'<path d="M{at:.4g} {TOP}V{BOTTOM}"/>'
            f'<text x="{at:.4g}" y="{BOTTOM + 17}">{x.written(tick)}</text>'
        )
    for tick, at in zip(y.ticks, y.place(np.array(y.ticks), BOTTOM, TOP), strict=True):
        parts.append(
            f'<path d="M{LEFT} {at:.4g}H{RIGHT}"/>'
            f'<text class="y" x="{LEFT - 8}" y="{at + 4:.4g}">{y.written(tick)}</text>'
        )
    middle = (TOP + BOTTOM) / 2
    parts.append(
        f'<text class="label" x="{(LEFT + RIGHT) / 2:g}" y="{HEIGHT - 8}">'
        f'{html.escape(x.label)}</text><text class="label" '
        f'transform="translate(14 {middle:g}) rotate(-90)">{html.escape(y.label)}</text></g>'
    )
    return "".join(parts)


def _curve(x: Axis, y: Axis, curve: Curve) -> str:
    inside = np.isfinite(curve.x) & np.isfinite(curve.y)
    inside &= ((curve.x >= x.low) | (curve.x == 0) & (x.zero is not None)) & (curve.x <= x.high)
    inside &= (curve.y >= y.low) & (curve.y <= y.high)
    across = x.place(curve.x[inside], LEFT, RIGHT)
    up = y.place(curve.y[inside], BOTTOM, TOP)
    parts = []
    if curve.low is not None and curve.high is not None:
        ends = [
            y.place(np.clip(end[inside], y.low, y.high), BOTTOM, TOP)
            for end in (curve.low, curve.high)
        ]
        bars = "".join(
            f"M{a:.1f} {low:.1f}V{high:.1f}" for a, low, high in zip(across, *ends, strict=True)
        )
        parts.append(f'<path class="bars" d="{bars}"/>')
    if curve.drawn is not Drawn.DOTS and len(across):
        points = "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(across, up, strict=True))
        parts.append(f'<path d="M{points}"{_dash(curve)}/>')
    if curve.drawn is not Drawn.LINE:
        titles = [curve.titles[i] for i in np.flatnonzero(inside).tolist()] if curve.titles else []
        for i, (a, b) in enumerate(zip(across, up, strict=True)):
            told = f"<title>{html.escape(titles[i])}</title>" if titles else ""
            parts.append(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{curve.radius:g}">{told}</circle>')
    kind = f"c{curve.color % N_COLORS}{' faint' if curve.faint else ''}"
    name = "" if curve.faint else f"<title>{html.escape(curve.name)}</title>"
    return f'<g class="{kind}">{name}{"".join(parts)}</g>'


def _dash(curve: Curve) -> str:
    dash = _DASHES[curve.color % N_COLORS]
    return f' stroke-dasharray="{dash}"' if dash else ""
