"""``engine teach``: corrections that the next answer knows."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.commands.options import device_option, json_option, tags_named, workspace_option
from engine.commands.wording import counted
from indexing.names import did_you_mean
from indexing.records import printable_path

if TYPE_CHECKING:
    from engine.corrections import Step
    from engine.teaching import TeachReport

__all__ = ["summary", "teach"]


@click.command(short_help="Correct the tags of a picture; the next answer knows it.")
@click.argument("image", required=False, type=click.Path(path_type=Path, readable=False))
@click.option(
    "--add", callback=tags_named, multiple=True, metavar="A,B", help="Tags that the picture has."
)
@click.option(
    "--remove",
    callback=tags_named,
    multiple=True,
    metavar="A,B",
    help="Tags that it does not have.",
)
@click.option("--undo", is_flag=True, help="Take the last correction back.")
@click.option("--list", "is_list", is_flag=True, help="List what was taught, the last one last.")
@device_option
@workspace_option
@json_option
def teach(
    image: Path | None,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    undo: bool,
    is_list: bool,
    device: str,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Correct the tags of IMAGE: the next 'engine tag' knows it, with no training.

    A tag that is added is a fact for the picture and votes for others; one that is removed is
    never answered for it and counts against it for pictures near by. The picture need not be
    indexed, and the tag may be new. The file and its sidecars are not changed. What was taught
    already is not recorded again.

    \b
    Example:
      engine teach image.jpg --add beach,sea --remove carrot
      engine teach --undo
    """  # noqa: D301 - click reads the backspace
    from engine.generations import find_workspace

    _check_usage(image, bool(add or remove), undo=undo, is_list=is_list)
    root = find_workspace(workspace)
    if undo:
        from engine.teaching import undo_teaching

        step, n_steps = undo_teaching(root)
        _say_undone(step, n_steps, as_json=as_json)
    elif image is None:
        from engine.workspace import Workspace

        steps = Workspace(root).corrections()
        if not steps:
            click.echo("nothing was taught", err=True)
        for step in steps:
            click.echo(
                json.dumps(step.to_json(), ensure_ascii=False) if as_json else _described(step)
            )
    else:
        from engine.teaching import teach_workspace

        report = teach_workspace(root, image, add, remove, device)
        if not report.is_recorded:
            click.echo(_stands_already(report), err=True)
        if as_json:
            click.echo(json.dumps(report.to_json(), ensure_ascii=False))
        elif report.is_recorded:
            click.echo(summary(report))


def _check_usage(image: Path | None, has_tags: bool, *, undo: bool, is_list: bool) -> None:
    """Accept one of: a picture with tags, ``--undo`` alone, ``--list`` alone."""
    context = click.get_current_context()
    if undo or is_list:
        if image is not None or has_tags or (undo and is_list):
            raise click.UsageError("--undo and --list stand alone.", context)
    elif image is None:
        raise click.UsageError("Missing argument 'IMAGE' (or --undo, or --list).", context)
    elif not has_tags:
        raise click.UsageError("Nothing to teach: --add TAG or --remove TAG.", context)


def _say_undone(step: "Step", n_steps: int, *, as_json: bool) -> None:
    if as_json:
        undone = {"undone": step.to_json(), "steps": n_steps}
        click.echo(json.dumps(undone, ensure_ascii=False))
    else:
        left = counted(n_steps, "correction")
        click.echo(f"taken back: {_described(step)}\n{left} left")


def _described(step: "Step") -> str:
    signed = [f"+{tag}" for tag in step.added] + [f"-{tag}" for tag in step.removed]
    return f"{printable_path(step.path)}  {', '.join(signed)}"


def _stands_already(report: "TeachReport") -> str:
    return (
        f"{_described(report.step)}: taught already, nothing is recorded; 'engine teach --list' "
        "shows what stands"
    )


def summary(report: "TeachReport") -> str:
    """Return what a correction did, for people."""
    lines = [_described(report.step)]
    if report.new_tags:
        are = "is" if len(report.new_tags) == 1 else "are"
        lines.append(f"{', '.join(report.new_tags)} {are} new here")
    if report.unknown_tags:
        question = f"; {did_you_mean(report.meant)}" if report.meant else ""
        lines.append(f"no picture here is tagged {', '.join(report.unknown_tags)}{question}")
    if not report.is_read:
        lines.append(_hearing(report))
    lines.append(f"correction {report.n_steps:,}; 'engine teach --undo' takes it back")
    return "\n".join(lines)


def _hearing(report: "TeachReport") -> str:
    """Return what pictures near by hear of one that nobody had tagged here."""
    if not report.is_heard:
        return "this picture is not to be learned from: its own answer is corrected, and no other"
    if report.votes:
        return "nobody had tagged this picture here: it votes from now on"
    against = [tag for tag in report.step.removed if tag not in report.unknown_tags]
    speaks = f", but speaks against {', '.join(against)} near it" * bool(against)
    return f"nobody has said what this picture shows: it does not vote{speaks}"
