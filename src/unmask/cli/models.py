"""`unmask models`: what can judge, and what it says of itself."""

from __future__ import annotations

import click


@click.command("models")
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the shipped models, or print the card of a model (by name or path) as JSON."""
    import msgspec

    from unmask.detector.model import SHIPPED, load_model

    if name is not None:
        card = msgspec.json.encode(load_model(name).card)
        click.echo(msgspec.json.format(card, indent=2))
        return
    for shipped in SHIPPED:
        card_ = load_model(shipped).card
        click.echo(f"{shipped}  {card_.version}  {card_.description}")
