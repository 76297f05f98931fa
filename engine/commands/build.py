"""``engine build``: index a corpus, or bring the index up to date."""

import json
from pathlib import Path

import click

from engine.commands.options import device_option, json_option, workspace_option
from engine.commands.wording import (
    counted,
    learners_dropped,
    listed,
    sidecars_not_read,
    tags_not_answered,
)
from engine.results import BuildReport, refusal_counts, refused_pictures
from engine.standing import renewed_with
from engine.stopping import stoppable
from engine.trained import is_outdated
from indexing.corpora import READERS

__all__ = ["build", "summary"]

_STOPPED = "Stopped: what was finished is kept; run the same command again to go on."


@click.command()
@click.argument("pictures", required=False, type=click.Path(path_type=Path, readable=False))
@click.option("--format", "format_", help=f"One of {', '.join(READERS)}; else detected.")
@click.option("--extractor", help="Feature extractor; else as before, or efficientnet-lite2.")
@click.option("--index", help="FAISS factory string, auto or exact; else as before, or auto.")
@click.option("--replace", is_flag=True, help="Let another corpus take the place of the old one.")
@device_option
@workspace_option
@json_option
def build(
    pictures: Path | None,
    format_: str | None,
    extractor: str | None,
    index: str | None,
    replace: bool,
    device: str,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Index the tagged pictures of a folder, a table or a data set.

    A second build decodes only what is new or changed. A build that was stopped goes on where
    it was. Without PICTURES the corpus of the build before is read again.

    \b
    Example:
      engine build ~/Pictures
      engine build library.csv --format table -w library.engine
    """  # noqa: D301 - click reads the backspace
    from engine.building import BuildSettings, build_workspace
    from engine.generations import workspace_for_build
    from engine.progress import ProgressBars

    settings = BuildSettings(
        format=format_, extractor=extractor, index=index, device=device, replace=replace
    )
    root = workspace_for_build(workspace)
    with stoppable(lambda: _STOPPED), ProgressBars() as progress:
        report = build_workspace(root, pictures, settings, progress)
    if as_json:
        click.echo(json.dumps(report.to_json(), ensure_ascii=False))
    else:
        click.echo(summary(report))


def summary(report: BuildReport) -> str:
    """Return what a build did, for people."""
    lines = [_indexed(report)]
    if report.is_changed:
        lines.append(
            f"{report.n_added:,} new, {report.n_removed:,} gone, {report.n_moved:,} moved, "
            f"{report.n_retagged:,} retagged; {report.n_extracted:,} went through the network"
        )
    else:
        lines.append("nothing has changed")
    voting = (
        f"{report.n_tagged:,} tagged, {report.n_voters:,} vote, {counted(report.n_tags, 'tag')}"
    )
    if report.n_tags:
        n_neighbors = report.learners["knn"]["params"]["n_neighbors"]
        voting += f"; knn asks {counted(n_neighbors, 'neighbour')}"
    lines.append(voting)
    if not report.n_tags:
        lines.append(
            "no tag to vote with: 'engine search' works; to tag, write tags beside some pictures "
            "(photo.jpg.txt, a tag a line) or into them, and build again"
        )
    lines += _trained(report)
    lines.append(f"{_relative(report.workspace)} is ready after {report.seconds:.1f} s")
    return "\n".join(lines)


def _trained(report: BuildReport) -> list[str]:
    """Return what became of the trained learners, as far as somebody should know."""
    lacking: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    outdated: dict[tuple[str, int, int], list[str]] = {}
    for name, entry in report.learners.items():
        train = renewed_with(report.learners, name)
        if tags := tuple(entry.get("new_tags", ())):
            lacking.setdefault((train, tags), []).append(name)
        if is_outdated(entry):
            changed = entry["n_changed"], entry["trained_on"]["pictures"]
            outdated.setdefault((train, *changed), []).append(name)
    lines = learners_dropped(report.dropped)
    lines += [tags_not_answered(names, tags, train) for (train, tags), names in lacking.items()]
    for (train, n_changed, n_pictures), names in outdated.items():
        have = "has" if n_changed == 1 else "have"
        were = "was" if len(names) == 1 else "were"
        lines.append(
            f"{counted(n_changed, 'vote')} {have} changed since {listed(names)} {were} trained on "
            f"{n_pictures:,}: 'engine train {train}' again"
        )
    return lines


def _indexed(report: BuildReport) -> str:
    """Return how many pictures were indexed, and what could not be used."""
    said = f"{report.n_indexed:,} indexed"
    if refused := refused_pictures(report.refusals):
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in refusal_counts(refused))
        said += f", {len(refused):,} refused: {reasons}"
    said += sidecars_not_read(report.n_sidecars_not_read)
    return said + " (engine info --refused lists them)" * bool(report.refusals)


def _relative(path: str) -> str:
    """Return a path as people would type it here."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path
