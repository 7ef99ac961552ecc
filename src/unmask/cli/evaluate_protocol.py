"""`unmask evaluate --protocol`: models on the sets of a protocol."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from unmask.errors import UnmaskError


def measure_by_protocol(
    path: Path,
    models: Sequence[str],
    root: Path | None,
    out: Path | None,
    *,
    role: str,
    sets: Sequence[str],
    despite_seen: bool,
    workers: int | None,
) -> None:
    """Measure, keep everything in `out` where there is one, and print the report."""
    try:
        from unmask.evaluation.follow import follow
        from unmask.evaluation.protocol import read_protocol
    except ImportError as error:
        raise UnmaskError(f"evaluating needs {error.name}", hint="pip install 'unmask[lab]'") from error
    from unmask.cli.bar import steps

    protocol = read_protocol(path)
    folder = protocol.folder(path, root)
    if folder is None:
        raise UnmaskError(
            f"the protocol {protocol.name} does not say where its sets are",
            hint="give the folder that their paths start from with --root",
        )
    with tempfile.TemporaryDirectory() as passing, steps("evaluating") as show:
        text = follow(
            protocol,
            models,
            folder,
            out or Path(passing),
            role=role,  # type: ignore[arg-type]
            sets=sets,
            despite_seen=despite_seen,
            workers=workers,
            progress=lambda done, total: show(done, total, ""),
        )
    click.echo(text, nl=False)
