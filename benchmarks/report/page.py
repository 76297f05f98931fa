"""The page that is shown: everything inside one file, in light and in dark."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.published import Source
from benchmarks.report.groups import Group
from benchmarks.report.plots import figures
from benchmarks.report.results import Scores
from benchmarks.report.sections import Block, Convention, Section
from benchmarks.report.sheet import cards, sheet_html
from benchmarks.report.style import STYLE

__all__ = ["group_html", "page_html"]


def page_html(
    title: str,
    about: str,
    bodies: Sequence[tuple[str, str]],
    conventions: Sequence[Convention],
    sources: Sequence[Source],
    notes: Sequence[str],
) -> str:
    """Return the whole page.

    Parameters
    ----------
    title, about : str
        Plain text.
    bodies : sequence of (str, str)
        Heading and HTML of each group.
    conventions, sources, notes
        What stands at the end.
    """
    links = "".join(
        f'<a href="#group-{i}">{html.escape(heading)}</a>' for i, (heading, _) in enumerate(bodies)
    )
    groups = "\n".join(
        f'<section id="group-{i}"><h2>{html.escape(heading)}</h2>\n{body}</section>'
        for i, (heading, body) in enumerate(bodies)
    )
    measures = "".join(
        f"<dt>{html.escape(one.name)}</dt><dd>{html.escape(one.text)} "
        f"<small>Here n = {html.escape(one.averaged)}.</small></dd>"
        for one in conventions
    )
    cited = "".join(
        f"<li><b>{html.escape(one.short)}</b> {html.escape(one.title)}; {html.escape(one.where)}"
        "</li>"
        for one in sources
    )
    remarks = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style></head>\n"
        f'<body><header><h1>{html.escape(title)}</h1><p class="soft">{html.escape(about)}</p>'
        f'<nav>{links}<a href="#measures">measures</a><a href="#sources">sources</a></nav>'
        f"</header>\n<main>{groups}\n"
        f'<section id="measures"><h2>What the measures mean</h2><dl>{measures}</dl></section>\n'
        f'<section id="sources"><h2>Sources of the published numbers</h2><ul>{cited}</ul>'
        f"<h3>Notes on the transcription</h3><ul>{remarks}</ul></section>\n"
        "</main></body></html>\n"
    )


def group_html(
    group: Group,
    section: Section,
    scores: dict[str, Scores],
    images: Mapping[str, Path] | None,
) -> str:
    """Return tables, plots and contact sheet of a group."""
    first, *others = (_block_html(block) for block in section.blocks)
    parts = [f'<p class="soft">{html.escape(section.text)}</p>', first]
    drawn = "\n".join(
        f"<figure><h3>{html.escape(one.title)}</h3>{one.svg}{one.legend}"
        f"<figcaption>{html.escape(one.note)}</figcaption></figure>"
        for one in figures(group, scores)
    )
    if drawn:
        parts.append(f'<div class="figures">{drawn}</div>')
    parts += others
    shown = next((line for line in group.ranked if line.case in scores), None)
    if shown is not None:
        sheet = sheet_html(cards(group, scores[shown.case]), shown.image_root, images)
        parts.append(
            f"<h3>Pictures tagged by {html.escape(group.label(shown))}</h3>"
            '<p class="soft">Drawn evenly from the best tagged to the worst, by the average '
            'precision (AP) of the picture. <span class="key"><span class="right">right</span> '
            '<span class="wrong">wrong</span> <span class="lost">missing</span></span></p>'
            f'<div class="sheet">{sheet}</div>'
        )
    return "\n".join(parts)


def _block_html(block: Block) -> str:
    text = f'<p class="soft">{html.escape(block.text)}</p>' if block.text else ""
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in block.notes)
    notes = f'<ol class="notes" type="a">{notes}</ol>' if notes else ""
    return f"<h3>{html.escape(block.heading)}</h3>{text}{block.table.html()}{notes}"
