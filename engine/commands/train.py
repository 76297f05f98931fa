"""``engine train``: train a learner on the tagged pictures of a workspace."""

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from engine.cli import EXIT_INTERRUPTED
from engine.commands.options import device_option, json_option, workspace_option
from engine.results import TrainingReport
from learners.settings import parse_setting

__all__ = ["TITLES", "percent", "settings_lines", "summary", "train"]

TITLES = {"map": "MAP", "miap": "MiAP", "c-f1@5": "C-F1@5"}
"""Measures of held-out pictures, as people read them."""
_WIDEST_LINE = 100


@click.command()
@click.argument("learner", required=False)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A hyper-parameter of the learner; may be given several times.",
)
@device_option
@workspace_option
@json_option
def train(
    learner: str | None,
    settings: tuple[str, ...],
    device: str,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Train LEARNER (tagprop or heads) on the tagged pictures of a workspace.

    It is measured on a tenth of the pictures that it has not seen, beside knn, and then
    trained on all of them. Where it is no worse than knn, 'engine tag' uses it from then on.
    Nothing else changes: knn, tagvote and search answer as before.

    \b
    Example:
      engine train tagprop
      engine train tagprop --set weights=metric
    """  # noqa: D301 - click reads the backspace
    from engine.generations import find_workspace
    from engine.progress import ProgressBars
    from engine.training import TRAINABLE, train_workspace

    if learner is None:
        raise click.UsageError(
            f"Missing argument 'LEARNER'; {', '.join(TRAINABLE)} can be trained.",
            click.get_current_context(),
        )
    params = dict(map(parse_setting, settings))
    root = find_workspace(workspace)
    try:
        with ProgressBars() as progress:
            report = train_workspace(root, learner, params, device=device, on_progress=progress)
    except KeyboardInterrupt:
        click.echo("Stopped: the workspace is as it was before.", err=True)
        raise click.exceptions.Exit(EXIT_INTERRUPTED) from None
    if as_json:
        click.echo(json.dumps(report.to_json(), ensure_ascii=False))
    else:
        click.echo(summary(report))


def summary(report: TrainingReport) -> str:
    """Return what a training did, for people."""
    before, after = report.held_out["before"], report.held_out["after"]
    width = max(6, len(report.learner))
    lines = [
        f"{report.learner} is trained on {report.n_pictures:,} pictures, {report.n_tags:,} tags, "
        f"in {report.seconds:.1f} s",
        *settings_lines(report.params, "  "),
        f"on {report.held_out['n_pictures']:,} pictures held out, in %:",
        f"  {'':<8}{'knn':>6}  {report.learner:>{width}}",
    ]
    lines += [
        f"  {title:<8}{percent(before[name]):>6}  {percent(after[name]):>{width}}"
        for name, title in TITLES.items()
    ]
    lines.append(_consequence(report))
    return "\n".join(lines)


def settings_lines(params: Mapping[str, Any], indent: str) -> list[str]:
    """Return hyper-parameters as ``--set`` takes them, in lines that a terminal holds."""
    texts = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in params.items()
    }
    return textwrap.wrap(
        ", ".join(f"{key}={text}" for key, text in texts.items()),
        width=_WIDEST_LINE,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _consequence(report: TrainingReport) -> str:
    if report.answers_with == report.learner:
        return f"'engine tag' answers with {report.learner} now (--learner knn as before)"
    return (
        f"'engine tag' goes on with {report.answers_with}, which is better in C-F1@5; "
        f"--learner {report.learner} asks this one"
    )


def percent(share: float | None) -> str:
    """Return a share in percent, a dash where nothing could be measured."""
    return "-" if share is None else f"{100 * share:.1f}"
