"""``report.md`` and ``report.html`` from a folder of results."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from benchmarks.published import Source, load_published
from benchmarks.report.facts import read_facts
from benchmarks.report.groups import BASELINES, Group, groups_of
from benchmarks.report.page import group_html, page_html
from benchmarks.report.results import read_results
from benchmarks.report.sections import Block, Convention, Section, conventions, section
from benchmarks.report.tables import markdown_text

__all__ = ["write_report"]

_TITLE = "Benchmark report"


def write_report(
    out_dir: Path,
    *,
    images: Mapping[str, Path] | None = None,
    baselines: Collection[str] = BASELINES,
    n_replicates: int = 200,
) -> None:
    """Write the report of what ``results.jsonl`` says; each file appears whole or not at all.

    Parameters
    ----------
    out_dir : Path
        Holds ``results.jsonl`` and the scores that its lines name.
    images : mapping of str to Path, optional
        Files of pictures by id, for the contact sheet. Others are looked for below the
        ``image_root`` of their line; a picture that is not found is left out, its tags stay.
    baselines : collection of str
        Names of the learners with the best of which every method is compared.
    n_replicates : int, default=200
        Resamples for these comparisons.

    Raises
    ------
    ArtifactError
        If there are no results, a line is broken, or scores that it names cannot be read
        (``path:line`` in the message).
    """
    groups = groups_of(read_results(out_dir))
    published, facts = load_published(), read_facts(out_dir)
    sections: list[Section] = []
    bodies: list[tuple[str, str]] = []
    for group in groups:
        scores = group.read_scores()
        one = section(
            group, published, scores, facts=facts, baselines=baselines, n_replicates=n_replicates
        )
        sections.append(one)
        bodies.append((one.heading, group_html(group, one, scores, images)))
    measures = conventions(groups)
    cited = _cited(groups)
    sources = [source for source in published.sources if source.key in cited]
    about = _about(groups)
    notes = published.notes
    _replace(out_dir / "report.md", _markdown(about, sections, measures, sources, notes))
    _replace(out_dir / "report.html", page_html(_TITLE, about, bodies, measures, sources, notes))


def _cited(groups: Sequence[Group]) -> set[str]:
    return {
        row.source.key
        for group in groups
        if not group.few_examples
        for table in load_published().tables(group.dataset)
        for row in table.results
    }


def _about(groups: Sequence[Group]) -> str:
    versions: dict[str, None] = {}
    for group in groups:
        for line in group.lines:
            versions.update(dict.fromkeys(f"{name} {v}" for name, v in line.versions.items()))
    n_lines = sum(len(group.lines) for group in groups)
    measured = f"{n_lines} result{'s' if n_lines > 1 else ''}"
    return f"{measured}; {', '.join(versions)}." if versions else f"{measured}."


def _markdown(
    about: str,
    sections: Sequence[Section],
    measures: Sequence[Convention],
    sources: Sequence[Source],
    notes: Sequence[str],
) -> str:
    parts = [f"# {_TITLE}\n", f"{markdown_text(about)}\n"]
    for one in sections:
        parts += [f"## {markdown_text(one.heading)}\n", f"{markdown_text(one.text)}\n"]
        parts += [_block_markdown(block) for block in one.blocks]
    parts.append("## What the measures mean\n")
    parts.append(
        "\n".join(
            f"- **{markdown_text(one.name)}**: {markdown_text(one.text)}. "
            f"Here n = {markdown_text(one.averaged)}."
            for one in measures
        )
        + "\n"
    )
    if sources:
        parts.append("## Sources of the published numbers\n")
        parts.append(
            "\n".join(f"- {one.short}: {one.title}; {one.where}" for one in sources) + "\n"
        )
        parts.append("### Notes on the transcription\n")
        parts.append("\n".join(f"- {markdown_text(note)}" for note in notes) + "\n")
    return "\n".join(parts)


def _block_markdown(block: Block) -> str:
    parts = [f"### {markdown_text(block.heading)}\n"]
    if block.text:
        parts.append(f"{markdown_text(block.text)}\n")
    parts.append(block.table.markdown())
    if block.notes:
        lettered = (f"- ({chr(ord('a') + i)}) {note}" for i, note in enumerate(block.notes))
        parts.append("\n".join(lettered) + "\n")
    return "\n".join(parts)


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
