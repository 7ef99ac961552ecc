"""`unmask schema`: the JSON schema of a report."""

from __future__ import annotations

import click


@click.command("schema")
def command() -> None:
    """Print the JSON schema (draft 2020-12) that `unmask scan --json` follows."""
    import msgspec

    from unmask.report import schema

    click.echo(msgspec.json.format(msgspec.json.encode(schema()), indent=2))
