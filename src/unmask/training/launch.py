"""Run a training on one device, or on several at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from accelerate import notebook_launcher

from unmask.errors import DataError


def launch(function: Callable[..., Any], arguments: tuple[Any, ...], devices: int) -> None:
    """Call `function(*arguments)` here, or in one process per GPU; batches are then shared between them.

    Raises:
        DataError: there are fewer GPUs than asked for.
    """
    if devices <= 1:
        function(*arguments)
        return
    if torch.cuda.device_count() < devices:
        raise DataError(
            f"{devices} GPUs were asked for, and {torch.cuda.device_count()} are there",
            hint="leave --devices out to use what there is",
        )
    notebook_launcher(function, arguments, num_processes=devices)
