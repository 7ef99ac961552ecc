"""Open a face detector's network as an onnxruntime session with a fixed share of the machine."""

from __future__ import annotations

from importlib import resources

import onnxruntime as ort

from unmask.errors import ModelError

ERRORS_ONLY = 3
"""onnxruntime's severity that keeps its warnings off the user's terminal."""


def open_session(file_name: str, threads: int) -> ort.InferenceSession:
    """The network in `unmask/faces/weights/<file_name>`, run on the CPU by `threads` threads.

    Raises `ModelError` when the file is not part of the installation or cannot be read.
    """
    try:
        data = (resources.files("unmask.faces") / "weights" / file_name).read_bytes()
        return session_of(data, threads)
    except Exception as error:
        # onnxruntime raises its own classes, derived straight from Exception.
        raise ModelError(
            f"the face detector's network {file_name} cannot be opened: {error}",
            hint="reinstall unmask; the file belongs to the package",
        ) from error


def session_of(data: bytes, threads: int) -> ort.InferenceSession:
    """A session for an ONNX file's bytes, on `threads` threads of the CPU.

    Idle threads sleep rather than spin: a scan decodes video between two calls, and needs the cores for it.
    Raises whatever onnxruntime does when the bytes are no network.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = max(1, threads)
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
