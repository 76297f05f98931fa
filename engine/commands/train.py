"""``engine train``: train a learner on the tagged pictures of a workspace."""

import json
from dataclasses import fields
from inspect import cleandoc
from pathlib import Path

import click

from engine.cli import EXIT_INTERRUPTED
from engine.commands.options import device_option, json_option, workspace_option
from engine.commands.wording import TITLES, counted, percent, settings_lines
from engine.results import TrainingReport
from engine.trained import DECISIVE, tells_enough
from learners.settings import parse_settings

__all__ = ["summary", "train"]

# Settings that are worth trying; their defaults are those of the learners.
_WORTH_SETTING = {
    "tagprop": {
        "weights": "rank, distance, distances or metric: what a voter's weight depends on",
        "n_neighbors": "voters a picture, at most",
        "unique_owner": "true: at most one voter an owner",
        "shrinkage": "tagged pictures that it takes to give a tag a sigmoid of its own",
        "n_dims": "of metric: width of the learned space",
        "regularization": "of metric: ridge; null = chosen, which takes longer",
    },
    "heads": {
        "n_units": "radial units, at most; fewer train faster",
        "regularization": "ridge; more is smoother",
        "completion": "0 to 1: how far tags that are missing are taken for forgotten",
        "prior_correction": "how much rare tags are helped",
    },
}
_EXAMPLE = "\b\nExample:"


class _WithSettings(click.Command):
    """A command whose help lists what learners can be told, read from them when it is shown."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        whole = self.help or ""
        text, _, example = cleandoc(whole).partition(_EXAMPLE)
        self.help = f"{text}{_settings_help()}\n\n{_EXAMPLE}{example}"
        try:
            super().format_help_text(ctx, formatter)
        finally:
            self.help = whole


def _settings_help() -> str:
    from learners.table import learner_class

    lines = ["\b", "Settings for --set, with their defaults:"]
    for learner, settings in _WORTH_SETTING.items():
        defaults = {spec.name: spec.default for spec in fields(learner_class(learner))}
        lines.append(f"  {learner}:")
        for name, meaning in settings.items():
            value = defaults[name]
            shown = str(value) if isinstance(value, str) else json.dumps(value)
            lines.append(f"    {name + '=' + shown:<22}  {meaning}")
    return "\n".join(lines)


@click.command(cls=_WithSettings)
@click.argument("learner", required=False)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A hyper-parameter of the learner; may be given several times.",
)
@click.option(
    "--replace", is_flag=True, help="Take the new one even where the earlier one was better."
)
@device_option
@workspace_option
@json_option
def train(
    learner: str | None,
    settings: tuple[str, ...],
    replace: bool,
    device: str,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Train LEARNER (tagprop or heads) on the tagged pictures of a workspace.

    It is measured on pictures that it has not seen, beside knn, and then trained on all of
    them. Where it is no worse than knn, 'engine tag' uses it from then on. An earlier training
    that was better is kept. Nothing else changes: knn, tagvote and search answer as before.

    \b
    Example:
      engine train tagprop
      engine train tagprop --set weights=metric
    """  # noqa: D301 - click reads the backspace
    from engine.generations import find_workspace
    from engine.progress import ProgressBars
    from engine.training import train_workspace
    from engine.training.trainable import TRAINABLE

    if learner is None:
        raise click.UsageError(
            f"Missing argument 'LEARNER'; {', '.join(TRAINABLE)} can be trained.",
            click.get_current_context(),
        )
    params = parse_settings(settings)
    root = find_workspace(workspace)
    try:
        with ProgressBars() as progress:
            report = train_workspace(
                root, learner, params, replace=replace, device=device, on_progress=progress
            )
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
        _kept_or_not(report),
        *settings_lines(report.params, report.told, "  "),
        f"on {counted(report.held_out['n_pictures'], 'picture')} held out, in %:",
        f"  {'':<8}{'knn':>6}  {report.learner:>{width}}",
    ]
    lines += [
        f"  {title:<8}{percent(before[name]):>6}  {percent(after[name]):>{width}}"
        for name, title in TITLES.items()
    ]
    lines.append(_consequence(report))
    return "\n".join(lines)


def _kept_or_not(report: TrainingReport) -> str:
    if report.is_written or report.earlier is None:
        return (
            f"{report.learner} is trained on {counted(report.n_pictures, 'picture')}, "
            f"{counted(report.n_tags, 'tag')}, in {report.seconds:.1f} s"
        )
    earlier, after = report.earlier[DECISIVE], report.held_out["after"][DECISIVE]
    return (
        f"{report.learner} was trained before with {TITLES[DECISIVE]} {percent(earlier)}, this "
        f"time with {percent(after)}: the earlier one is kept (--replace takes the new one all "
        "the same)"
    )


def _consequence(report: TrainingReport) -> str:
    """Return who answers from now on, against who answered before."""
    learner, best, before = report.learner, report.answers_with, report.answered_before
    if not report.is_written:
        return f"'engine tag' goes on with {best}{' as it was' * (best == learner)}"
    if best == learner:
        if before == learner:
            return f"'engine tag' answers with the new {learner} now"
        return f"'engine tag' answers with {learner} now (--learner {before} as before)"
    goes_on = f"goes on with {best}" if best == before else f"answers with {best} now"
    asks = f"--learner {learner} asks this one"
    if not tells_enough(report.held_out):
        few = counted(report.held_out["n_pictures"], "picture")
        are = "is" if report.held_out["n_pictures"] == 1 else "are"
        return (
            f"'engine tag' {goes_on}: {few} held out {are} too few to tell which is better; {asks}"
        )
    theirs = report.answers_figure
    if theirs is None:
        theirs = report.held_out["before"][DECISIVE]
    shown, own = percent(theirs), percent(report.held_out["after"][DECISIVE])
    how = "no worse" if shown == own else "better"
    return (
        f"'engine tag' {goes_on}, which is {how} in {TITLES[DECISIVE]} ({shown}, {learner} {own}); "
        f"{asks}"
    )
