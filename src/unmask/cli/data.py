"""`unmask data`: index, extract, split, check and show media to train on."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from unmask.errors import UnmaskError

VERBS = {
    "index": "list a data set's media in a manifest",
    "extract": "cut the faces out of a manifest's media",
    "split": "divide a manifest into train, val and test",
    "join": "make several manifests one",
    "check": "look for leaks, duplicates and shortcuts",
    "show": "write a contact sheet",
}

PATH = click.Path(path_type=Path)


class DataVerbs(click.Group):
    """The sub-verbs, loaded together with the room's libraries when one is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"unmask.cli.data_{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group("data", cls=DataVerbs)
def command() -> None:
    """Prepare media to train on: from a data set's folder to a checked table of face crops."""


def lab_needed(error: ImportError) -> UnmaskError:
    """The error for a library that is not installed."""
    return UnmaskError(f"this needs {error.name}", hint="pip install 'unmask[lab]'")
