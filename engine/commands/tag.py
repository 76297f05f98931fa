"""``engine tag``: the tags of pictures."""

import json
from collections.abc import Iterable
from pathlib import Path

import click

from engine.commands.answer_table import cost_of_precision, table
from engine.commands.options import (
    device_option,
    json_option,
    picture_arguments,
    workspace_option,
)
from engine.results import TagAnswer
from indexing.errors import InputError

__all__ = ["tag"]


@click.command()
@picture_arguments
@click.option("--top", type=int, metavar="N", help="Exactly N tags, while the vocabulary lasts.")
@click.option(
    "--threshold",
    type=float,
    metavar="S",
    help="All tags that score at least S on the learner's own scale; with --top, of those.",
)
@click.option(
    "--precision",
    type=float,
    metavar="P",
    help="Only tags at which this share was right on held-out pictures, such as 0.9.",
)
@click.option(
    "--min-voters",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Only tags that at least N voters carry.",
)
@click.option(
    "--learner",
    metavar="NAME",
    help="Who answers: knn, tagvote, or what was trained; else the best.",
)
@click.option("--explain", is_flag=True, help="Show which pictures voted for each tag.")
@click.option(
    "--sheet",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a contact sheet (HTML) with the pictures, their tags and who voted.",
)
@device_option
@workspace_option
@json_option
def tag(
    images: tuple[Path, ...],
    top: int | None,
    threshold: float | None,
    precision: float | None,
    min_voters: int,
    learner: str | None,
    explain: bool,
    sheet: Path | None,
    device: str,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Tag pictures by the vote of their nearest tagged neighbours.

    A picture that cannot be read is answered as such and does not stop the others; the exit
    code is then 1.

    \b
    Example:
      engine tag image.jpg
      engine tag --top 3 --explain --json *.jpg
    """  # noqa: D301 - click reads the backspace
    from engine.emission import Emission
    from engine.generations import GenerationFolders, find_workspace
    from engine.progress import waiting
    from engine.tagger import Tagger

    emission = Emission(top=top, threshold=threshold, precision=precision, min_voters=min_voters)
    tagger = Tagger(GenerationFolders(find_workspace(workspace)), device, waiting)
    if precision is not None:
        click.echo(cost_of_precision(precision, tagger.precision_cut(precision, learner)), err=True)
    answers = tagger.tag(
        images, learner=learner, emission=emission, explain=explain or sheet is not None
    )
    if sheet is not None:
        _check_writable(sheet)
    kept, gone = _say(answers, explain=explain, as_json=as_json, goes_on=sheet is not None)
    if sheet is not None:
        from engine.contact_sheet import write_contact_sheet

        write_contact_sheet(sheet, kept, title="Tagged pictures")
        click.echo(f"{sheet} written", err=True)
    if gone is not None:
        raise gone
    if any(answer.error is not None for answer in kept):
        raise click.exceptions.Exit(1)


def _say(
    answers: Iterable[TagAnswer], *, explain: bool, as_json: bool, goes_on: bool
) -> tuple[list[TagAnswer], BrokenPipeError | None]:
    """Print answers as they come; return those for a sheet, or the unreadable ones.

    Also return the fault where nobody reads on.
    """
    kept = []
    gone: BrokenPipeError | None = None
    for answer in answers:
        shown = answer if explain else answer.unexplained()
        try:
            if gone is None:
                text = json.dumps(shown.to_json(), ensure_ascii=False) if as_json else table(shown)
                click.echo(text)
        except BrokenPipeError as error:
            # The reader of the table has gone, as in `| head`; a sheet is still wanted.
            if not goes_on:
                raise
            gone = error
        if goes_on or answer.error is not None:
            kept.append(answer)
    return kept, gone


def _check_writable(sheet: Path) -> None:
    if not sheet.absolute().parent.is_dir():
        raise InputError(
            f"{sheet.parent} is no folder; a contact sheet is written into one that exists; make "
            "it, or name another with --sheet"
        )
