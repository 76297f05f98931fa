"""The command line: thin commands over the library, each imported only when it is called."""

import importlib
import sys

import click

from indexing.errors import EngineError

__all__ = ["cli", "main"]

_COMMANDS = {
    "build": "engine.commands.build:build",
    "info": "engine.commands.info:info",
    "search": "engine.commands.search:search",
    "tag": "engine.commands.tag:tag",
}
# Commands of packages above this one, and of other people's, register here.
_ENTRY_POINTS = "engine.commands"
_EXIT_INTERRUPTED = 130


class _LazyGroup(click.Group):
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
            command = entry.load()
            return command
        return None


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tag-engine", prog_name="engine")
def cli() -> None:
    r"""Tag pictures from the pictures people have already tagged.

    \b
    Example:
      engine build ~/Pictures
      engine tag image.jpg
      engine search image.jpg
    """


def main() -> None:
    """Run the command line; a known error is one line on stderr and exit code 1."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Exit as ending:
        sys.exit(ending.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        sys.exit(_EXIT_INTERRUPTED)
    except EngineError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output has gone, as in `engine info | head`.
        sys.stderr.close()
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
