"""``engine search``: pictures of the corpus that look like a picture, or that words describe."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.commands.opening import open_tagger
from engine.commands.options import device_option, json_option, workspace_option
from engine.commands.wording import counted
from engine.results import SearchAnswer
from indexing.names import did_you_mean

if TYPE_CHECKING:
    from engine.tagger import Tagger
    from engine.text_answer import TextAnswer

__all__ = ["search", "table"]


def _not_blank(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Refuse text that names no word."""
    for text in values:
        if not text.strip():
            raise click.BadParameter(
                f"{text!r} names no word; words are accepted, such as 'sunset on the beach'; name "
                "some, or leave it out"
            )
    return values


@click.command(short_help="Find pictures by a picture, by words, or by both.")
@click.argument(
    "images",
    metavar="[IMAGE ...]",
    nargs=-1,
    type=click.Path(path_type=Path, readable=False),
)
@click.option(
    "--text",
    callback=_not_blank,
    multiple=True,
    metavar="WORDS",
    help="What the pictures shall show, in words; can be given several times.",
)
@click.option(
    "--not",
    "without",
    callback=_not_blank,
    multiple=True,
    metavar="WORD",
    help="What they shall not show; can be given several times.",
)
@click.option(
    "-k",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="How many pictures.",
)
@click.option(
    "--learner",
    metavar="NAME",
    help="Who says which tags a picture would get: knn, tagvote, or what was trained; else the "
    "best.",
)
@device_option
@workspace_option
@json_option
def search(
    images: tuple[Path, ...],
    text: tuple[str, ...],
    without: tuple[str, ...],
    k: int,
    learner: str | None,
    device: str,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Find the indexed pictures that look most like a picture, or that words describe.

    Words that are tags of yours are scored as tags, and pictures that carry them come first; any
    other word is scored by word vectors and by what the network was trained to tell. A picture
    and words together find what is like both.

    \b
    Example:
      engine search image.jpg -k 5
      engine search --text "sunset on the beach" --not people
      engine search image.jpg --text "at night"
    """  # noqa: D301 - click reads the backspace
    from engine.generations import find_workspace

    has_words = bool(text or without)
    if not images and not text:
        raise click.UsageError("Missing argument 'IMAGE ...' or option '--text WORDS'.")
    tagger = open_tagger(find_workspace(workspace), device, learner, opens_network=bool(images))
    if not has_words:
        answers: Iterator[SearchAnswer | TextAnswer] = tagger.search(images, k)
    else:
        answers = _by_words(tagger, images, " ".join(text), without, k, learner)
    failed = False
    for answer in answers:
        if isinstance(answer, SearchAnswer):
            failed |= answer.error is not None
            shown = table(answer)
        else:
            click.echo("\n".join(_taken_for(answer)), err=True)
            shown = _word_table(answer)
        click.echo(json.dumps(answer.to_json(), ensure_ascii=False) if as_json else shown)
    if failed:
        raise click.exceptions.Exit(1)


def _by_words(
    tagger: "Tagger",
    images: tuple[Path, ...],
    text: str,
    without: tuple[str, ...],
    k: int,
    learner: str | None,
) -> "Iterator[SearchAnswer | TextAnswer]":
    """Search by words, with each picture if there are any."""
    from engine.queries import Query, read_queries
    from engine.text_search import TextSearch

    searching = TextSearch(tagger, learner)
    if not images:
        yield searching(text, k=k, without=without)
        return
    for run in read_queries(images, tagger.extractor):
        for asked in run:
            if isinstance(asked, Query):
                yield searching(text, k=k, without=without, like=asked)
            else:
                yield SearchAnswer(asked.image, error=asked.error)


def table(answer: SearchAnswer) -> str:
    """Return an answer for people."""
    if answer.error is not None:
        return f"{answer.query}\n  not searched: {answer.error}"
    lines = [answer.query]
    for found in answer.results:
        lines.append(f"  {_distance(found.distance)}  {found.image_id}  ({_tags(found.tags)})")
    return "\n".join(lines)


def _word_table(answer: "TextAnswer") -> str:
    """Return what was found by words, for people; a tag that people gave is starred."""
    lines = [answer.query]
    for found in answer.results:
        measures = [] if found.distance is None else [_distance(found.distance)]
        measures += [
            f"{word} {'    -' if word in found.unscored else format(score, '.3f')}"
            f"{'*' * (word in found.confirmed)}"
            for word, score in found.scores.items()
        ]
        lines.append(f"  {'  '.join(measures)}  {found.image_id}  ({_tags(found.tags)})")
    if not answer.results:
        lines.append("  no picture")
    return "\n".join(lines)


def _distance(distance: float) -> str:
    """Return a distance as what it is: beside scores it is read the other way round."""
    return f"distance {distance:.3f}"


def _taken_for(answer: "TextAnswer") -> list[str]:
    """Return what each word was taken for, in lines for stderr."""
    unscored = {word for found in answer.results for word in found.unscored}
    lines = [
        f"{word}: your tag {tag!r}, scored by {answer.learner}; * = people gave it"
        f"{', -* = and no other picture speaks for it' * (word in unscored)}"
        for word, tag in answer.tags.items()
    ]
    lines += [
        f"{word}: nobody has tagged with it; scored by what network and word vectors know of it"
        f"{_or_another(answer, word)}"
        for word in answer.unseen
    ]
    lines += [
        f"{word}: nothing is known of it, left out{_or_another(answer, word)}"
        for word in answer.unknown
    ]
    lines += [
        f"{word}: asked for and left out by --not at once, the two cancel out: what is left is not "
        "of it"
        for word in answer.cancelled
    ]
    if answer.excluded:
        lines.append(f"{counted(answer.excluded, 'picture')} left out by --not")
    return lines


def _or_another(answer: "TextAnswer", word: str) -> str:
    tag = answer.meant.get(word)
    return "" if tag is None else f"; {did_you_mean([tag])}"


def _tags(tags: tuple[str, ...] | None) -> str:
    return "not tagged" if tags is None else ", ".join(tags) or "no tag"
