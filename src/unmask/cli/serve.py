"""`unmask serve`: the web application."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from unmask.cli.fields import from_options, options_of
from unmask.errors import UnmaskError

try:
    from unmask.web.options import ServeOptions
except ImportError as error:  # pragma: no cover
    raise UnmaskError(f"serving needs {error.name}", hint="pip install 'unmask[web]'") from error


@click.command("serve")
@options_of(ServeOptions)
@click.option("--model", multiple=True, help="Model by name or path; several make an ensemble.")
@click.option("--detector", help="Face detector by name.")
@click.option("--require-token", is_flag=True, help="Ask everyone for a token; see `unmask tokens`.")
@click.option(
    "--without-token",
    is_flag=True,
    help="Let everyone in who reaches this machine, to see and delete all scans; else --host needs tokens.",
)
@click.option(
    "--share",
    is_flag=True,
    help="Open a public address with ngrok; needs NGROK_AUTHTOKEN and --require-token.",
)
def command(
    require_token: bool,
    without_token: bool,
    share: bool,
    model: tuple[str, ...],
    detector: str | None,
    **values: Any,
) -> None:
    """Open the web application; by default for this machine alone. Ctrl-C stops it.

    What is handed in stays in the data folder, at most --keep-days days.
    """
    from unmask.options import ScanOptions

    try:
        from unmask.web.serve import run
        from unmask.web.share import NgrokTunnel
    except ImportError as error:
        raise UnmaskError(f"serving needs {error.name}", hint="pip install 'unmask[web]'") from error
    serve: ServeOptions = from_options(ServeOptions, values)
    scan = ScanOptions(max_bytes=serve.max_bytes)
    if model:
        scan = replace(scan, model=model)
    if detector:
        scan = replace(scan, detector=detector)
    run(
        serve,
        scan,
        require_token=require_token,
        without_token=without_token,
        share=NgrokTunnel if share else None,
        ready=lambda url: click.echo(f"unmask is at {url}  (Ctrl-C stops it)"),
    )
