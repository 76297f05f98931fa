"""``engine search``: the pictures of the corpus that are nearest to a picture."""

import json
from pathlib import Path

import click

from engine.commands.options import (
    device_option,
    json_option,
    picture_arguments,
    workspace_option,
)
from engine.results import SearchAnswer

__all__ = ["search", "table"]


@click.command()
@picture_arguments
@click.option("-k", default=10, show_default=True, metavar="N", help="How many pictures.")
@device_option
@workspace_option
@json_option
def search(
    images: tuple[Path, ...], k: int, device: str, workspace: Path | None, as_json: bool
) -> None:
    """Find the indexed pictures that look most like a picture.

    \b
    Example:
      engine search image.jpg -k 5
    """  # noqa: D301 - click reads the backspace
    from engine.generations import GenerationFolders, find_workspace
    from engine.progress import waiting
    from engine.tagger import Tagger

    tagger = Tagger(GenerationFolders(find_workspace(workspace)), device, waiting)
    failed = False
    for answer in tagger.search(images, k):
        failed |= answer.error is not None
        click.echo(json.dumps(answer.to_json(), ensure_ascii=False) if as_json else table(answer))
    if failed:
        raise click.exceptions.Exit(1)


def table(answer: SearchAnswer) -> str:
    """Return an answer for people."""
    if answer.error is not None:
        return f"{answer.query}\n  not searched: {answer.error}"
    lines = [answer.query]
    for found in answer.results:
        tags = "not tagged" if found.tags is None else ", ".join(found.tags) or "no tag"
        lines.append(f"  {found.distance:.3f}  {found.image_id}  ({tags})")
    return "\n".join(lines)
