"""A public address leads here, asks for a token, and is taken down at the end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from unmask.errors import UnmaskError
from unmask.options import ScanOptions
from unmask.web.database import open_database, upgrade
from unmask.web.options import ServeOptions
from unmask.web.serve import run
from unmask.web.share import TOKEN_VARIABLE, NgrokTunnel
from unmask.web.tokens import Tokens

PUBLIC = "https://some-name.tunnel.example"


class StandIn:
    """What a tunnel does as far as the server can see: it has a name, and requests come in under it."""

    def __init__(self, local: str) -> None:
        self.local, self.closed = local, False

    @property
    def url(self) -> str:
        return PUBLIC

    def close(self) -> None:
        self.closed = True


def test_what_comes_through_a_tunnel_is_answered_to_holders_of_tokens(tmp_path: Path) -> None:
    options = ServeOptions(port=0, data=str(tmp_path / "data"))
    engine = open_database(options.url)
    upgrade(engine)
    token = Tokens(engine).add("her")
    engine.dispose()
    tunnels: list[StandIn] = []
    addresses: list[str] = []
    codes: list[int] = []

    def share(local: str) -> StandIn:
        tunnels.append(StandIn(local))
        return tunnels[-1]

    def visit() -> None:
        with httpx.Client(base_url=tunnels[0].local, headers={"host": PUBLIC.split("//")[1]}) as client:
            codes.append(client.get("/api/v1/scans").status_code)
            codes.append(
                client.get("/api/v1/scans", headers={"authorization": f"Bearer {token}"}).status_code
            )
            secure = client.post("/login", data={"token": token}, headers={"x-forwarded-proto": "https"})
            codes.append("Secure" in secure.headers["set-cookie"])
        os.kill(os.getpid(), signal.SIGINT)

    def ready(url: str) -> None:
        addresses.append(url)
        if url == PUBLIC:
            threading.Thread(target=visit).start()

    # Whether an interrupt that the server has obeyed is raised once more hangs on the moment it came in.
    with contextlib.suppress(KeyboardInterrupt):
        run(options, ScanOptions(), require_token=True, share=share, ready=ready)
    assert codes == [401, 200, True]
    assert addresses == [tunnels[0].local, PUBLIC]
    assert tunnels[0].closed


def test_without_the_library_or_the_users_token_it_is_said_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "ngrok", ModuleType("ngrok"))
    with pytest.raises(UnmaskError, match=TOKEN_VARIABLE):
        NgrokTunnel("http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "ngrok", None)
    with pytest.raises(UnmaskError) as caught:
        NgrokTunnel("http://127.0.0.1:1")
    assert "unmask[share]" in caught.value.hint


def test_ngroks_library_is_called_with_the_address_and_taken_down_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[str, object]] = []

    class Listener:
        def url(self) -> str:
            return PUBLIC

    library = ModuleType("ngrok")

    def forward(address: str, **options: object) -> Listener:
        calls.append((address, options))
        return Listener()

    library.forward = forward  # type: ignore[attr-defined]
    library.disconnect = lambda url: calls.append(("disconnect", url))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ngrok", library)
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    tunnel = NgrokTunnel("http://127.0.0.1:1")
    assert tunnel.url == PUBLIC
    tunnel.close()
    assert calls == [("http://127.0.0.1:1", {"authtoken_from_env": True}), ("disconnect", PUBLIC)]
