"""``engine tag``: the tags of pictures."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from engine.commands.options import (
    device_option,
    json_option,
    picture_arguments,
    workspace_option,
)
from engine.explain import no_voters
from engine.results import RankedTag, TagAnswer, Voter
from indexing.errors import InputError

__all__ = ["table", "tag"]

_WIDEST_TAG = 40
_MOST_VOTERS = 5


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
    from engine.answering import Emission
    from engine.generations import GenerationFolders, find_workspace
    from engine.progress import waiting
    from engine.tagger import Tagger

    tagger = Tagger(GenerationFolders(find_workspace(workspace)), device, waiting)
    answers = tagger.tag(
        images,
        learner=learner,
        emission=Emission(top=top, threshold=threshold, min_voters=min_voters),
        explain=explain or sheet is not None,
    )
    if sheet is not None and not sheet.absolute().parent.is_dir():
        raise InputError(
            f"{sheet.parent} is no folder; a contact sheet is written into one that exists; make "
            "it, or name another with --sheet"
        )
    on_sheet = []
    failed = False
    gone: BrokenPipeError | None = None
    for answer in answers:
        failed |= answer.error is not None
        shown = answer if explain else answer.unexplained()
        try:
            if gone is None:
                text = json.dumps(shown.to_json(), ensure_ascii=False) if as_json else table(shown)
                click.echo(text)
        except BrokenPipeError as error:
            # The reader of the table has gone, as in `| head`; the sheet is still wanted.
            if sheet is None:
                raise
            gone = error
        if sheet is not None:
            on_sheet.append(answer)
    if sheet is not None:
        from engine.contact_sheet import write_contact_sheet

        write_contact_sheet(sheet, on_sheet, title="Tagged pictures")
        click.echo(f"{sheet} written", err=True)
    if gone is not None:
        raise gone
    if failed:
        raise click.exceptions.Exit(1)


def table(answer: TagAnswer) -> str:
    """Return an answer for people, with the voters where it is explained."""
    if answer.error is not None:
        return f"{answer.image}\n  not tagged: {answer.error}"
    if not answer.tags:
        return f"{answer.image}  ({answer.learner})\n  no tag"
    width = min(_WIDEST_TAG, max(len(ranked.tag) for ranked in answer.tags))
    lines = [f"{answer.image}  ({answer.learner})"]
    for ranked in answer.tags:
        lines.append(f"  {ranked.tag:<{width}}  {ranked.score:6.3f}{_note(ranked)}")
        lines += _voter_lines(ranked.voters or ())
    if not answer.is_voted and answer.tags[0].voters is not None:
        lines.append(f"  {no_voters(answer.learner)}")
    return "\n".join(lines)


def _note(ranked: RankedTag) -> str:
    vote = "" if ranked.vote is None else f"  x {ranked.vote:.3f}"
    return vote + ("  confirmed" if ranked.is_confirmed else "")


def _voter_lines(voters: Sequence[Voter]) -> list[str]:
    """Return the heaviest voters, a line each, and what the others weigh together."""
    heaviest = sorted(voters, key=lambda voter: -voter.weight)
    shown, others = heaviest[:_MOST_VOTERS], heaviest[_MOST_VOTERS:]
    lines = [
        f"      {voter.weight:.3f}  {voter.image_id}  (distance {voter.distance:.3f})"
        for voter in shown
    ]
    if others:
        weight = sum(voter.weight for voter in others)
        lines.append(f"      {weight:.3f}  and {len(others):,} more")
    return lines
