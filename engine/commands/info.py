"""``engine info``: what a workspace holds."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.commands.options import json_option, workspace_option
from engine.commands.wording import (
    TITLES,
    counted,
    percent,
    settings_lines,
    sidecars_not_read,
    tags_not_answered,
)
from engine.sheets import check_writable, write_whole
from engine.standing import renewed_with, tells_enough
from engine.trained import is_outdated, is_trained

if TYPE_CHECKING:
    from engine.reliability import Reliability

__all__ = ["info"]


@click.command()
@click.option("--refused", is_flag=True, help="List the files that were refused, and why.")
@click.option(
    "--reliability",
    is_flag=True,
    help="Show how far the probabilities of the calibrated learner can be trusted.",
)
@click.option(
    "--sheet",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With --reliability: write its plot (SVG).",
)
@workspace_option
@json_option
def info(
    refused: bool, reliability: bool, sheet: Path | None, workspace: Path | None, as_json: bool
) -> None:
    """Show counts, extractor, index and learners of a workspace.

    \b
    Example:
      engine info
      engine info --refused
      engine info --reliability --sheet reliability.svg
    """  # noqa: D301 - click reads the backspace
    from engine.generations import find_workspace
    from engine.workspace import Workspace

    if sheet is not None and not reliability:
        raise click.UsageError("--sheet draws the plot of --reliability; give both.")
    if sheet is not None:
        check_writable(sheet)
    opened = Workspace(find_workspace(workspace))
    if reliability:
        _show_reliability(opened.reliability(), sheet, as_json=as_json)
        return
    facts = opened.info()
    refusals = opened.refusals() if refused else ()
    if as_json:
        if refused:
            facts["refused"] = [
                {"path": refusal.path, "reason": refusal.reason, "detail": refusal.detail}
                for refusal in refusals
            ]
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    if refused:
        if not refusals:
            click.echo("no file was refused", err=True)
        for refusal in refusals:
            click.echo(f"{refusal.path}  {refusal.reason}: {refusal.detail}")
        return
    click.echo("\n".join(_lines(facts)))


def _show_reliability(found: "Reliability", sheet: Path | None, *, as_json: bool) -> None:
    from engine.commands.reliability_plot import drawing, table_and_plot

    text = json.dumps(found.to_json(), ensure_ascii=False) if as_json else table_and_plot(found)
    click.echo(text)
    if sheet is not None:
        write_whole(sheet, drawing(found))
        click.echo(f"{sheet} written", err=True)


def _lines(facts: dict[str, Any]) -> list[str]:
    counts, extractor, index = facts["counts"], facts["extractor"], facts["index"]
    recall = f"{index['recall']:.3f}" if index["recall_queries"] else "exact"
    lines = [
        f"workspace  {facts['workspace']} (generation {facts['generation']})",
        f"source     {facts['source']} ({facts['format']})",
        f"pictures   {counts['indexed']:,} indexed, {counts['tagged']:,} tagged, "
        f"{counts['voters']:,} vote, {counts['refused']:,} refused"
        f"{sidecars_not_read(counts['sidecars_not_read'])}",
        f"tags       {counts['tags']:,}",
        *_correction_lines(facts["corrections"]),
        f"extractor  {extractor['name']}, {extractor['n_dims']:,} dims, {extractor['runtime']}",
        f"index      {index['form']}, {index['metric']}, {index['bytes_per_image']:,.0f} bytes a "
        f"picture, recall@100 {recall}",
    ]
    if facts["answers_with"] is None:
        return [*lines, "learners   none answers: no picture has a tag"]
    for name, learner in facts["learners"].items():
        lines += _learner_lines(
            name,
            learner,
            renewed_with(facts["learners"], name),
            is_best=name == facts["answers_with"],
        )
    return lines


def _correction_lines(corrections: dict[str, int]) -> list[str]:
    """Return what is to be said of what people taught, if they did."""
    if not corrections["steps"]:
        return []
    unseen = corrections["unseen"]
    asleep = f"; {unseen:,} not seen by this network: teach them again" * bool(unseen)
    return [
        f"taught     {counted(corrections['steps'], 'correction')} of "
        f"{counted(corrections['pictures'], 'picture')}: {corrections['added']:,} added, "
        f"{corrections['removed']:,} removed{asleep}"
    ]


def _learner_lines(name: str, learner: dict[str, Any], train: str, *, is_best: bool) -> list[str]:
    """Return what is to be said of one learner, the lines after the first indented.

    `train` is the learner whose training brings in what is new.
    """
    answers = "; answers unless another is named" * is_best
    if not is_trained(learner):
        params = ", ".join(f"{key} {value}" for key, value in learner["params"].items())
        return [f"{name:<10} {params}, chosen by {learner['chosen_by']}{answers}"]
    trained_on, held_out = learner["trained_on"], learner["held_out"]
    before, after = held_out["before"], held_out["after"]
    figures = ", ".join(
        f"{title} {percent(after[measure])} (knn {percent(before[measure])})"
        for measure, title in TITLES.items()
    )
    few = " (too few to tell)" * (not tells_enough(held_out))
    lines = [
        f"{name:<10} trained on {counted(trained_on['pictures'], 'picture')}, "
        f"{counted(trained_on['tags'], 'tag')}, in {learner['seconds']:.1f} s{answers}",
        *settings_lines(learner["params"], learner.get("told", learner["params"]), 11 * " "),
        f"{'':<10} on {counted(held_out['n_pictures'], 'picture')} held out{few}, in %: {figures}",
    ]
    if learner["index"] is not None:
        lines.append(
            f"{'':<10} index of its own: {learner['index']['form']}, "
            f"{learner['index']['n_dims']:,} dims, {learner['index']['bytes_per_image']:,.0f} "
            "bytes a picture"
        )
    if learner["n_changed"]:
        again = f": 'engine train {train}' again" * is_outdated(learner)
        have = "has" if learner["n_changed"] == 1 else "have"
        votes = counted(learner["n_changed"], "vote")
        lines.append(f"{'':<10} {votes} {have} changed since{again}")
    if tags := learner.get("new_tags"):
        lines.append(f"{'':<10} {tags_not_answered([name], tags, train)}")
    lines += [
        f"{'':<10} {line}"
        for member, entry in learner.get("members", {}).items()
        for line in _member_lines(member, entry, name)
    ]
    return lines


def _member_lines(name: str, member: dict[str, Any], mixing: str) -> list[str]:
    """Return what is to be said of a learner that another one mixes."""
    after = member["held_out"]["after"]
    figures = ", ".join(f"{title} {percent(after[key])}" for key, title in TITLES.items())
    lines = [
        f"mixes {name}, weight {member['weight']:.2f}: alone {figures}",
        *(f"  {line}" for line in settings_lines(member["params"], member["told"], "")),
    ]
    if tags := member.get("new_tags"):
        lines.append(f"  {tags_not_answered([name], tags, mixing)}")
    return lines
