"""The front stands alone: no torch, and next to nothing loaded before it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import unmask


def modules_after(code: str) -> set[str]:
    """The names of all modules loaded in a fresh interpreter that has run `code`."""
    show = "import sys; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{show}"], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_import_loads_no_library() -> None:
    loaded = modules_after("import unmask")
    assert not loaded & {"numpy", "cv2", "av", "PIL", "onnxruntime", "msgspec", "click", "torch"}


def test_help_loads_no_heavy_library() -> None:
    code = "import unmask.cli\ntry: unmask.cli.main(['--help'])\nexcept SystemExit: pass"
    assert not modules_after(code) & {"numpy", "cv2", "av", "PIL", "onnxruntime", "torch", "rich"}


def test_scan_loads_nothing_of_the_lab(photo_path: Path) -> None:
    code = f"import unmask; unmask.scan({str(photo_path)!r})"
    loaded = modules_after(code)
    assert "onnxruntime" in loaded
    assert not loaded & {"torch", "sklearn", "unmask.training", "unmask.zoo", "unmask.forge", "unmask.data"}


def test_a_scan_leaves_nothing_behind_and_tells_nobody(photo_path: Path, tmp_path: Path) -> None:
    """onnxruntime would keep an identity of the machine and events to send in the user's cache."""
    homes = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    known = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    code = f"""
import socket, sys
sys.addaudithook(lambda event, _: event.startswith("socket.") and sys.exit(f"{{event}} was asked for"))
import unmask
unmask.scan({str(photo_path)!r})
"""
    subprocess.run([sys.executable, "-c", code], env=known | homes, check=True, timeout=60)
    assert not list(tmp_path.rglob("*"))


def test_public_names_are_there() -> None:
    for name in unmask.__all__:
        assert getattr(unmask, name) is not None
