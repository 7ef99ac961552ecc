"""`unmask tokens`: who may use a server that asks for tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from unmask.errors import UnmaskError

if TYPE_CHECKING:
    from unmask.web.tokens import Tokens


@click.group("tokens")
@click.option("--data", help="Data folder of the server.")
@click.option("--database", help="Database URL of the server, where it has one.")
@click.pass_context
def command(context: click.Context, data: str | None, database: str | None) -> None:
    """Make, renew, list and remove the tokens that `unmask serve --require-token` asks for."""
    context.obj = (data, database)


@command.command("add")
@click.argument("name")
@click.pass_obj
def add(where: tuple[str | None, str | None], name: str) -> None:
    """Make a token for NAME and print it, this once."""
    click.echo(_tokens(where).add(name))


@command.command("renew")
@click.argument("name")
@click.pass_obj
def renew(where: tuple[str | None, str | None], name: str) -> None:
    """Make another token for NAME in place of the one there is, for the same scans, and print it once."""
    click.echo(_tokens(where).renew(name))


@command.command("list")
@click.pass_obj
def names(where: tuple[str | None, str | None]) -> None:
    """Print who has a token, and since when."""
    for name, created in _tokens(where).list():
        click.echo(f"{name}\t{created:%Y-%m-%d}")


@command.command("remove")
@click.argument("name")
@click.pass_obj
def remove(where: tuple[str | None, str | None], name: str) -> None:
    """Take NAME's token back."""
    _tokens(where).remove(name)


def _tokens(where: tuple[str | None, str | None]) -> Tokens:
    try:
        from unmask.web.database import open_database, upgrade
        from unmask.web.options import ServeOptions
        from unmask.web.tokens import Tokens
    except ImportError as error:
        raise UnmaskError(f"tokens need {error.name}", hint="pip install 'unmask[web]'") from error
    engine = open_database(ServeOptions(data=where[0], database=where[1]).url)
    upgrade(engine)
    return Tokens(engine)
