"""``engine tag``: the tags of pictures."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.commands.answer_table import cost_of_precision, table
from engine.commands.beyond import Beyond, beyond_options
from engine.commands.opening import open_tagger
from engine.commands.options import (
    device_option,
    json_option,
    picture_arguments,
    tags_named,
    workspace_option,
)
from engine.results import TagAnswer
from engine.sheets import check_writable
from indexing.errors import InputError
from indexing.records import printable_path

if TYPE_CHECKING:
    from engine.emission import Emission
    from engine.tagger import Tagger

__all__ = ["tag"]

_GENERAL_WORDS = (
    "general words answer, from what the network was trained to tell. For your own tags, and who "
    "voted: engine build PICTURES"
)

_ORDER_OF_CHANCES = (
    "In the order of the scores, which help rare tags. Shown is how likely a tag is, which is not "
    "helped, and so may stand in another order."
)

_READS_TAGS = "multimodal"


@click.command(short_help="Tag pictures in your own vocabulary.")
@picture_arguments
@click.option(
    "--top",
    type=click.IntRange(min=1),
    metavar="N",
    help="Exactly N tags, while the vocabulary lasts.",
)
@click.option(
    "--threshold",
    type=float,
    metavar="S",
    help="All tags that score at least S on the learner's own scale; with --top, of those.",
)
@click.option(
    "--precision",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="P",
    help="Only tags at which this share was right on held-out pictures, such as 0.9.",
)
@click.option(
    "--min-voters",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Only tags that at least N voters carry, of those that --explain shows.",
)
@click.option(
    "--learner",
    metavar="NAME",
    help="Who answers: knn, tagvote, or what was trained; else the best.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Show what each source adds to a tag, who voted, and the nearest picture without it.",
)
@click.option(
    "--together",
    is_flag=True,
    help="The pictures are of one event: tag each beside the others, the nearer the more.",
)
@click.option(
    "--given",
    callback=tags_named,
    multiple=True,
    metavar="A,B",
    help="Tags that the pictures have already: what else? They are not answered; multimodal "
    "reads them.",
)
@click.option(
    "--sheet",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a contact sheet (HTML) with the pictures, their tags and who voted.",
)
@beyond_options
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
    together: bool,
    given: tuple[str, ...],
    sheet: Path | None,
    device: str,
    workspace: Path | None,
    as_json: bool,
    beyond: Beyond,
) -> None:
    """Tag pictures in your own vocabulary, with the best learner of the workspace.

    That is the neighbours' vote (knn) until something better is trained ('engine train').
    Where nothing was built, general words answer, from what the network was trained to tell.
    A picture that cannot be read is answered as such and does not stop the others; the exit
    code is then 1.

    \b
    Example:
      engine tag image.jpg
      engine tag --top 3 --explain --json *.jpg
      engine tag --learner multimodal --given beach,sea image.jpg
      engine tag --words pagoda,kitten,wedding image.jpg
    """  # noqa: D301 - click reads the backspace
    from engine.emission import Emission

    if threshold is not None and precision is not None:
        raise click.UsageError(
            "--threshold and --precision both say from where on tags are given; leave one out."
        )
    emission = Emission(top=top, threshold=threshold, precision=precision, min_voters=min_voters)
    if sheet is not None:
        check_writable(sheet)
    wanted: dict[str, object] = {"precision": precision, "min-voters": min_voters}
    wanted |= {"explain": explain, "together": together, "given": given}
    beyond.check({"threshold": threshold is not None, **wanted})
    root, lacking = _built_workspace(workspace)
    if root is None:
        _refuse_without_build({"learner": learner, **wanted}, lacking)
    tagger = None if root is None else open_tagger(root, device, learner)
    if beyond.words:
        answers = beyond.word_answers(images, tagger, learner, device, top)
    else:
        answers = (
            _general_answers(images, emission, device, lacking)
            if tagger is None
            else _answers(
                images,
                tagger,
                learner,
                emission,
                explain=explain or sheet is not None,
                together=together,
                given=given,
            )
        )
        answers = beyond.added(answers, images, tagger, device)
    kept, gone = _say(answers, explain=explain, as_json=as_json, goes_on=sheet is not None)
    if sheet is not None:
        from engine.contact_sheet import write_contact_sheet

        write_contact_sheet(sheet, kept, title="Tagged pictures", note=_note_on_order(kept))
        click.echo(f"{sheet} written", err=True)
    if gone is not None:
        raise gone
    if any(answer.error is not None for answer in kept):
        raise click.exceptions.Exit(1)


def _note_on_order(answers: Sequence[TagAnswer]) -> str:
    """Return why what a sheet shows may stand in another order than the tags."""
    shows_chance = any(
        ranked.probability is not None for answer in answers for ranked in answer.tags
    )
    return _ORDER_OF_CHANCES if shows_chance else ""


def _answers(
    images: Sequence[Path],
    tagger: "Tagger",
    learner: str | None,
    emission: "Emission",
    *,
    explain: bool,
    together: bool,
    given: Sequence[str],
) -> Iterator[TagAnswer]:
    """Ask a workspace, and say first what a wanted precision costs, and what is not heard."""
    precision = emission.precision
    if precision is not None:
        click.echo(cost_of_precision(precision, tagger.precision_cut(precision, learner)), err=True)
    if given and not tagger.served(learner).reads_tags:
        click.echo(_only_left_out(tagger, learner), err=True)
    return tagger.tag(
        images,
        learner=learner,
        emission=emission,
        explain=explain,
        together=together,
        given=given,
    )


def _only_left_out(tagger: "Tagger", learner: str | None) -> str:
    """Return that a learner does not read what is given, and which one does."""
    name, _ = tagger.learner(learner)
    to_train = f"'engine train {_READS_TAGS}', then " * (
        _READS_TAGS not in tagger.manifest["learners"]
    )
    return (
        f"{name} does not read tags: those given are left out, and change nothing else; to ask one "
        f"that reads them: {to_train}--learner {_READS_TAGS}"
    )


def _built_workspace(given: Path | None) -> tuple[Path | None, str]:
    """Return the workspace to ask, or None and what is lacking.

    One that is named is asked whatever it holds; one that is only found, where it was built.
    """
    from engine.generations import GenerationFolders, find_workspace_if_any, named_workspace

    found = find_workspace_if_any(given)
    if found is None:
        return None, "no workspace is here"
    if named_workspace(given) is None and GenerationFolders(found).number() is None:
        return None, f"{printable_path(found)} holds no finished build"
    return found, ""


def _general_answers(
    images: Sequence[Path], emission: "Emission", device: str, lacking: str
) -> Iterator[TagAnswer]:
    """Answer where nothing was built, and say so."""
    from engine.general import GeneralTagger
    from engine.progress import waiting

    click.echo(f"{lacking[:1].upper()}{lacking[1:]}: {_GENERAL_WORDS}", err=True)
    return GeneralTagger(device, waiting).tag(images, emission)


def _refuse_without_build(options: Mapping[str, object], lacking: str) -> None:
    """Refuse what only the tagged pictures of a workspace can answer."""
    for name, value in options.items():
        if value:
            raise InputError(
                f"--{name} was given and {lacking}; it is accepted where tagged pictures were "
                "indexed; build with 'engine build PICTURES', or name a workspace with -w DIR"
            )


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
