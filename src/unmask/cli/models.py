"""`unmask models`: what can judge, and what it says of itself."""

from __future__ import annotations

import click


@click.command("models")
@click.argument("name", required=False)
@click.option("--fetch", is_flag=True, help="Fetch what the model stands on, once, by its SHA-256.")
def command(name: str | None, fetch: bool) -> None:
    """List the shipped models, or print the card of a model (by name or path) as JSON."""
    import msgspec

    from unmask.detector.model import SHIPPED, load_model, plan_of
    from unmask.errors import ModelError

    if fetch and name is None:
        raise click.UsageError("--fetch needs the name of a model")
    if name is not None:
        card = msgspec.json.encode(load_model(name, fetch=fetch).card)
        click.echo(msgspec.json.format(card, indent=2))
        return
    for shipped in SHIPPED:
        try:
            card_ = load_model(shipped).card
            fetched = "fetched  " if plan_of(shipped) else ""
            click.echo(f"{shipped}  {card_.version}  {fetched}{card_.description}")
        except ModelError as error:
            state = f"not fetched: unmask models --fetch {shipped}" if plan_of(shipped) else error.hint
            click.echo(f"{shipped}  {state}")
