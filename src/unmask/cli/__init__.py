"""The command line: one short file per verb, loaded when it is called."""

from __future__ import annotations

import contextlib
import importlib
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from unmask.cli.streams import NO_ROOM, ReaderGoneError, broken_pipes_told, flush, give_up
from unmask.errors import UnmaskError
from unmask.version import __version__

VERBS = {
    "scan": "tell whether the faces in images and videos are real or fake",
    "serve": "open the web application on this machine (needs unmask[web])",
    "tokens": "make, list and remove tokens for `serve --require-token` (needs unmask[web])",
    "models": "list the models, or show one model's card",
    "schema": "print the JSON schema of a report",
    "data": "index, extract, split, check and show media to train on (needs unmask[lab])",
    "train": "make a model from a recipe (needs unmask[lab])",
    "tune": "search for better settings of a recipe (needs unmask[lab])",
    "ensemble": "combine models into one (needs unmask[lab])",
    "quantize": "make a model smaller and quicker in 8-bit integers (needs unmask[lab])",
    "compare": "put training runs side by side in one table (needs unmask[lab])",
    "explain": "show what in a face moves a model's score, and whether its heatmap can be believed",
    "evaluate": "measure a model on labelled media (needs unmask[lab])",
    "table": "put measured models and sets into one table, train by test (needs unmask[lab])",
}
"""Verb → its line in the help. The help is made from this alone: no verb is imported for it."""

INTERRUPTED = 130
USAGE = 2
FAULT = 70
BROKEN_PIPE = 141
"""As a shell counts a program that SIGPIPE ended."""


class Verbs(click.Group):
    """The verbs, each imported from `unmask.cli.<verb>` when it is called."""

    def make_context(self, *arguments: Any, **values: Any) -> click.Context:
        with broken_pipes_told():
            return super().make_context(*arguments, **values)

    def invoke(self, ctx: click.Context) -> Any:
        with broken_pipes_told():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"unmask.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="unmask")
def cli() -> None:
    """Tell whether the faces in an image or a video are real or deepfakes, how sure that is, and why."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 2 on errors of use or where the output cannot be written, 130 on Ctrl-C,
    141 where the reader of the output went away, 70 on a fault of ours, else as the verb says."""
    # File names need not be valid in the terminal's encoding; printing them must not fail.
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")
    try:
        code = _run(arguments)
        flush()
    except (ReaderGoneError, BrokenPipeError):
        # The reader has seen enough.
        code = BROKEN_PIPE
        give_up()
    except OSError as error:
        what = f" {error.filename}" if error.filename else ""
        with contextlib.suppress(OSError):
            click.echo(f"error: cannot write{what}: {error.strerror}", err=True)
            click.echo("hint: make room there, or write elsewhere", err=True)
        code = USAGE
        give_up()
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    """The exit code.

    Raises:
        ReaderGoneError, OSError: the output cannot be written.
    """
    try:
        code = cli.main(arguments, standalone_mode=False)
    except click.exceptions.Exit as exit_:
        code = exit_.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        code = INTERRUPTED
    except UnmaskError as error:
        click.echo(f"error: {error}", err=True)
        code = USAGE
    except Exception as error:
        if isinstance(error, ReaderGoneError) or (isinstance(error, OSError) and error.errno in NO_ROOM):
            raise
        # Any other code would be taken for a verdict.
        traceback.print_exc()
        click.echo("error: this is a fault in unmask, not in your files: please report it", err=True)
        code = FAULT
    return code if isinstance(code, int) else 0
