"""``engine train``: train a learner on the tagged pictures of a workspace."""

import json
from collections.abc import Mapping
from dataclasses import fields
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click

from engine.commands.options import device_option, json_option, workspace_option
from engine.commands.wording import TITLES, counted, learners_dropped, percent, settings_lines
from engine.standing import DECISIVE_FOR, doubt, is_on_the_same, lead, tells_enough
from engine.stopping import stoppable
from engine.training_report import TrainingReport
from learners.settings import parse_settings

__all__ = ["summary", "train"]

# Settings that are worth trying; their defaults are those of the learners.
_WORTH_SETTING = {
    "hybrid": {
        "members": "learners that are mixed",
        "shrinkage": "tagged pictures that it takes to give a tag weights of its own",
    },
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
    "multimodal": {
        "form": "votes, or layers: a network of the tags, as Niu et al. train it",
        "tag_weight": "of votes: how much of what given tags say of the others is added",
        "n_units": "of votes: pictures that vote, at most; fewer train faster",
    },
    "words": {
        "class_weight": "how much what the network was trained to tell counts beside your tags",
        "n_units": "radial units, at most; fewer train faster",
        "regularization": "ridge; more is smoother",
    },
    "mscnn": {
        "backbone": "efficientnet-lite0, or timm:NAME@FILE",
        "size": "pixels a side; null = as the backbone was trained",
        "fusion": "false: without the blocks that bring scales together",
        "n_trained_scales": "last scales that are fine-tuned; 0 = none, null = all",
        "plan": "adamw, or niu2017 for the rates of the paper",
        "epochs": "of each stage, at most; null = as the plan says",
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


@click.command(cls=_WithSettings, short_help="Train a learner on the tagged pictures.")
@click.argument("learner", required=False)
@click.option(
    "--for",
    "goal",
    type=click.Choice(list(DECISIVE_FOR)),
    help="What the hybrid is to be good at: f1 (five tags a picture; the default) or miap (the "
    "order of a picture's tags).",
)
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
@click.option(
    "--export",
    "exported",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write its network there, for 'engine build --extractor compiled:FOLDER'.",
)
@device_option
@workspace_option
@json_option
def train(
    learner: str | None,
    goal: str | None,
    settings: tuple[str, ...],
    replace: bool,
    exported: Path | None,
    device: str,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Train LEARNER on the tagged pictures of a workspace; without a name, the hybrid.

    It is measured on pictures that it has not seen, beside knn, and then trained on all of
    them. Where it is no worse than knn, 'engine tag' uses it from then on. An earlier training
    that was better is kept. Nothing else changes: knn, tagvote and search answer as before.

    LEARNER is hybrid, which mixes the others and knows how sure it is (its members are trained
    with it, which takes minutes); tagprop (neighbours, with learned weights); heads (a model a
    tag, in seconds); multimodal (the same, which also reads tags that are given); words (scores
    any word, tagged with or not); or mscnn, a network on the pixels: it reads the pictures again
    and takes longer, and where it was stopped, the same command goes on.

    In a hurry, --set members=knn,heads trains the hybrid of a small library in seconds, that of
    5,000 pictures in a minute or two: it does without tagprop, whose metric takes most of the time.

    \b
    Example:
      engine train
      engine train --for miap
      engine train --set members=knn,heads
      engine train tagprop --set weights=metric
    """  # noqa: D301 - click reads the backspace
    from engine.generations import GenerationFolders, find_workspace
    from engine.progress import ProgressBars
    from engine.training import train_workspace
    from engine.training.trainable import DEFAULT, check_exportable
    from engine.training.unfinished import is_unfinished
    from engine.workspace import Workspace

    learner = learner or DEFAULT
    params = parse_settings(settings)
    if goal is not None:
        if learner != DEFAULT:
            raise click.UsageError(
                f"--for says what the {DEFAULT} is good at; {learner} has no such choice.",
                click.get_current_context(),
            )
        params["goal"] = goal
    root = find_workspace(workspace)
    if exported is not None:
        check_exportable(learner, exported)
    folders = GenerationFolders(root)
    before = folders.number()

    def stopped() -> str:
        if folders.number() != before:
            return f"Stopped when all was done: {learner} is trained."
        if is_unfinished(root, learner):
            return "Stopped: the workspace answers as before, and the same command goes on."
        return "Stopped: the workspace is as it was before."

    with (
        stoppable(stopped),
        ProgressBars() as progress,
        progress.noting("learners.training"),
    ):
        report = train_workspace(
            root, learner, params, replace=replace, device=device, on_progress=progress
        )
    if exported is not None:
        Workspace(root, device=device).export(learner, exported)
    if as_json:
        click.echo(json.dumps(report.to_json(), ensure_ascii=False))
    else:
        click.echo(summary(report))


def summary(report: TrainingReport) -> str:
    """Return what a training did, for people."""
    held_out = report.held_out
    columns = {
        "knn": held_out["before"],
        **{one.name: one.figures for one in report.members if one.name != "knn"},
        report.learner: held_out["after"],
    }
    widths = {name: max(6, len(name)) for name in columns}
    heads = "  ".join(f"{name:>{width}}" for name, width in widths.items())
    lines = [
        _kept_or_not(report),
        *settings_lines(report.params, report.told, "  "),
        f"on {counted(held_out['n_pictures'], 'picture')} held out, in %:",
        f"  {'':<8}{heads}",
    ]
    for name, title in TITLES.items():
        shown = (f"{percent(columns[key][name]):>{width}}" for key, width in widths.items())
        lines.append(f"  {title:<8}{'  '.join(shown)}")
    if report.members:
        weights = {one.name: f"{one.weight:.2f}" for one in report.members}
        shown = (f"{weights.get(key, ''):>{width}}" for key, width in widths.items())
        lines.append(f"  {'weight':<8}{'  '.join(shown)}".rstrip())
    lines += learners_dropped(report.dropped)
    lines.append(_consequence(report))
    return "\n".join(lines)


def _kept_or_not(report: TrainingReport) -> str:
    trained = (
        f"trained on {counted(report.n_pictures, 'picture')}, {counted(report.n_tags, 'tag')}, "
        f"in {report.seconds:.1f} s"
    )
    if not report.is_new:
        return f"{report.learner}, which was {trained}, needs no training for another goal"
    if report.is_written or report.earlier is None:
        return f"{report.learner} is {trained}"
    title = TITLES[report.decisive]
    earlier, now = _beside(report.earlier, report.held_out, report.decisive)
    mixing = report.earlier_brought_by
    as_member = "" if mixing is None else f", as a member of {mixing},"
    return (
        f"{report.learner} was trained before{as_member} with {title} {earlier}, this time with "
        f"{now}: the earlier one is kept (--replace takes the new one all the same)"
    )


def _beside(one: Mapping[str, Any], other: Mapping[str, Any], measure: str) -> tuple[str, str]:
    """Return what was measured of two learners, so that it can be compared."""
    if is_on_the_same(one, other, measure):
        return percent(one["after"][measure]), percent(other["after"][measure])
    first, second = (f"{lead(held_out, measure):+.1f}" for held_out in (one, other))
    return f"{first} beside knn", f"{second} beside knn on other pictures"


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
    held_out, decisive = report.held_out, report.decisive
    of_best = report.answers_held_out or {**held_out, "after": held_out["before"]}
    ahead = round(lead(of_best, decisive) - lead(held_out, decisive), 1)
    theirs, own = _beside(of_best, held_out, decisive)
    figures = f"in {TITLES[decisive]} ({theirs}, {learner} {own})"
    if ahead < 0:
        n_pictures = counted(of_best["n_pictures"], "held-out picture")
        return (
            f"'engine tag' {goes_on}, which knows how sure it is, and is behind {figures} by no "
            f"more than {n_pictures} leave in doubt ({doubt(of_best, decisive)}); {asks}"
        )
    how = "better" if ahead else "no worse"
    return f"'engine tag' {goes_on}, which is {how} {figures}; {asks}"
