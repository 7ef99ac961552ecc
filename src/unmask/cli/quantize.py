"""`unmask quantize`: a model in 8-bit integers."""

from __future__ import annotations

from pathlib import Path

import click

from unmask.errors import UnmaskError


@click.command("quantize")
@click.argument("model")
@click.option(
    "--on",
    "corpus",
    type=click.Path(path_type=Path),
    required=True,
    help="Manifest, or folder with train.csv: ranges come from train, the calibration from val.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The .onnx file.")
@click.option(
    "--protocol",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Protocol (docs/protocols.md): what it calls test is refused.",
)
@click.option(
    "--root", type=click.Path(path_type=Path), help="Folder of the protocol's sets  [default: the corpus's]"
)
def command(model: str, corpus: Path, out: Path, protocol: Path | None, root: Path | None) -> None:
    """Make MODEL (a shipped name or a .onnx file) smaller and quicker, and measure what that costs."""
    try:
        from unmask.training.quantize import quantize
    except ImportError as error:
        raise UnmaskError(f"quantizing needs {error.name}", hint="pip install 'unmask[lab]'") from error
    from unmask.cli.bar import steps

    with steps("scoring") as show:
        told = quantize(
            model,
            corpus,
            out,
            progress=show,
            say=lambda line: click.echo(line, err=True),
            protocol=protocol,
            root=root,
        )
    gap = told.difference
    for name, text in (
        ("size", "{:.1f} → {:.1f} MB".format(*(size / 1e6 for size in told.size))),
        ("a face, one thread", "{:.1f} → {:.1f} ms".format(*told.ms)),
        ("AUC on val", "{:.4f} → {:.4f}".format(*told.auc)),
        ("AUC on val, degraded", "{:.4f} → {:.4f}".format(*told.degraded_auc)),
        ("difference on val", f"{gap.auc.value:+.4f} [{gap.auc.low:+.4f}, {gap.auc.high:+.4f}]"),
    ):
        click.echo(f"{name:22} {text}", err=True)
    click.echo(out)
