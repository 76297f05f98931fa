"""The command line: thin commands over the library, each imported only when it is called."""

import contextlib
import importlib
import sys

import click

from engine.commands.group import NamedCommands
from engine.stopping import EXIT_INTERRUPTED, last_of_the_process, stoppable
from indexing.errors import ArtifactError, EngineError

__all__ = ["cli", "main"]

_COMMANDS = {
    "build": "engine.commands.build:build",
    "info": "engine.commands.info:info",
    "search": "engine.commands.search:search",
    "tag": "engine.commands.tag:tag",
    "teach": "engine.commands.teach:teach",
    "train": "engine.commands.train:train",
    "words": "engine.commands.words:words",
}
# Commands of packages above this one, and of other people's, register here.
_ENTRY_POINTS = "engine.commands"


class _LazyGroup(NamedCommands):
    """A group whose commands are imported by path, one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from importlib.metadata import entry_points

        return sorted({*_COMMANDS, *entry_points(group=_ENTRY_POINTS).names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command: click.Command
        if cmd_name in _COMMANDS:
            module, attribute = _COMMANDS[cmd_name].split(":")
            command = getattr(importlib.import_module(module), attribute)
            return command
        from importlib.metadata import entry_points

        for entry in entry_points(group=_ENTRY_POINTS, name=cmd_name):
            try:
                command = entry.load()
            except ImportError as error:
                return _unloadable(cmd_name, str(error))
            return command
        return None


def _unloadable(name: str, fault: str) -> click.Command:
    """Return a command that stands for one whose package is broken, and says so when called."""

    def fail(arguments: tuple[str, ...]) -> None:
        raise ArtifactError(
            f"the command {name!r} cannot be loaded ({fault}); an installed command is accepted; "
            "install its package again"
        )

    return click.Command(
        name,
        callback=fail,
        params=[click.Argument(["arguments"], nargs=-1)],
        short_help=f"cannot be loaded ({fault})",
        context_settings={"ignore_unknown_options": True},
    )


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tag-engine", prog_name="engine")
def cli() -> None:
    """Tag pictures from the pictures people have already tagged.

    \b
    Example:
      engine build ~/Pictures
      engine tag image.jpg
      engine search image.jpg
    """  # noqa: D301 - click reads the backspace


def main() -> None:
    """Run the command line; a known error is one line on stderr and exit code 1."""
    try:
        with last_of_the_process(), stoppable():
            code = cli.main(standalone_mode=False)
    except click.exceptions.Exit as ending:
        sys.exit(ending.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except EngineError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output has gone, as in `engine info | head`.
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        click.echo(f"Error: {error}; see whether the disk is full or may be written", err=True)
        with contextlib.suppress(OSError):
            sys.stdout.close()  # what could not be written is not tried again at exit
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
