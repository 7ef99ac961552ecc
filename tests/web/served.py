"""A server in a process of its own, as a user starts it."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tests.web.processes import PATIENCE, children, until


@dataclass
class Served:
    """A server as a user starts it."""

    folder: Path
    more: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None
    client: httpx.Client = field(default_factory=httpx.Client)

    def start(self) -> None:
        command = [sys.executable, "-m", "unmask", "serve", "--port", "0", "--data", str(self.folder)]
        self.process = subprocess.Popen(
            [*command, *self.more], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "http://" in line, line
        self.client = httpx.Client(base_url=line.split()[3], timeout=PATIENCE)

    def stop(self, how: int = signal.SIGINT) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.client.close()
        self.process.send_signal(how)
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    def hand_in(self, path: Path, **fields: str) -> str:
        with path.open("rb") as file:
            answer = self.client.post("/api/v1/scans", data=fields, files={"file": (path.name, file)})
        assert answer.status_code == 201, answer.text
        scan_id: str = answer.json()["id"]
        return scan_id

    def scan(self, scan_id: str) -> dict[str, Any]:
        told: dict[str, Any] = self.client.get(f"/api/v1/scans/{scan_id}").json()
        return told

    def wait(self, scan_id: str, *states: str) -> dict[str, Any]:
        return until(lambda: scan if (scan := self.scan(scan_id))["state"] in states else None)

    def dispatcher(self) -> int:
        assert self.process is not None
        pid = self.process.pid
        return until(lambda: next(iter(children(pid, "unmask.web.dispatcher")), None))

    def workers(self) -> list[int]:
        return children(self.dispatcher(), "spawn_main")
