"""A group of commands that says which one was meant."""

import click

from indexing.names import did_you_mean, meant

__all__ = ["NamedCommands"]


class NamedCommands(click.Group):
    """A group that answers a mistyped command with those that are like it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments begin with.

        Raises
        ------
        UsageError
            There is none of that name.
        """
        name = args[0]
        if self.get_command(ctx, name) is None:
            close = meant(name, self.list_commands(ctx))
            if close and not ctx.resilient_parsing:
                raise click.UsageError(f"No such command {name!r}; {did_you_mean(close)}", ctx)
        return super().resolve_command(ctx, args)
