"""Whether this processor's sums of 8-bit products overflow.

x86 processors without VNNI instructions add two products of an unsigned and a signed byte in 16 bits, which
do not hold them all; a network in integers then says something else than on other machines. ONNX Runtime can
use slower sums that hold, but would use them on some processors that do not overflow, too. So it is tried.
"""

from __future__ import annotations

import functools
from importlib import resources

import numpy as np
import onnxruntime as ort

MOST = (255, 127)
"""The largest unsigned and signed byte; the file holds a matrix of the latter."""


@functools.cache
def overflows() -> bool:
    """Whether sums of products of bytes come out wrong here."""
    data = (resources.files("unmask.detector") / "models" / "sums.onnx").read_bytes()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    ones = np.full((8, entry.shape[1]), MOST[0], np.uint8)
    (sums,) = session.run(None, {entry.name: ones})
    return bool((sums != entry.shape[1] * MOST[0] * MOST[1]).any())
