"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from indexing.tags import merge_tags

__all__ = [
    "device_option",
    "json_option",
    "picture_arguments",
    "tags_named",
    "vectors_option",
    "workspace_option",
]

Command = TypeVar("Command", bound=Callable[..., Any])


def tags_named(
    _context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the tags, or words, of an option: parted at commas and cleaned as in a sidecar.

    Parameters
    ----------
    value : tuple of str
        As it was typed, each time that the option was given.

    Raises
    ------
    BadParameter
        A text names none.
    """
    named = [merge_tags(text.split(",")) for text in value]
    for text, tags in zip(value, named, strict=True):
        if not tags:
            raise click.BadParameter(
                f"{text!r} names none; words with commas between them are accepted, such as "
                "beach,sea; name one"
            )
    return merge_tags(tag for tags in named for tag in tags)


def workspace_option(command: Command) -> Command:
    """Add ``-w/--workspace``."""
    return click.option(
        "-w",
        "--workspace",
        type=click.Path(path_type=Path, readable=False),
        help="Workspace folder; else $ENGINE_WORKSPACE, else .engine here or in a parent.",
    )(command)


def json_option(command: Command) -> Command:
    """Add ``--json``."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print JSON, one object a line, instead of a table."
    )(command)


def device_option(command: Command) -> Command:
    """Add ``--device``."""
    return click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Where the network and the index run.",
    )(command)


def vectors_option(command: Command) -> Command:
    """Add ``--vectors``."""
    return click.option(
        "--vectors",
        type=click.Path(path_type=Path, readable=False),
        metavar="PATH",
        help="Word vectors: a GloVe, word2vec or fastText file, or what 'engine words fit' wrote; "
        "else GloVe 6B of 50 dimensions, which comes with the installation.",
    )(command)


def picture_arguments(command: Command) -> Command:
    """Add ``IMAGE ...``; what cannot be read is answered as such, so nothing is checked here."""
    return click.argument(
        "images",
        metavar="IMAGE ...",
        nargs=-1,
        required=True,
        type=click.Path(path_type=Path, readable=False),
    )(command)
