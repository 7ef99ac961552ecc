"""A public address for a server on this machine, through ngrok's own library."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from unmask.errors import UnmaskError

TOKEN_VARIABLE = "NGROK_AUTHTOKEN"
"""Where the user's ngrok token is looked for; it is never stored or printed."""


class Tunnel(Protocol):
    """A public address that leads here until it is closed."""

    @property
    def url(self) -> str:
        """The address, beginning with https://."""
        ...

    def close(self) -> None:
        """Take the address down."""
        ...


Opener = Callable[[str], Tunnel]
"""Opens a tunnel to an address on this machine."""


class NgrokTunnel:
    """A tunnel by ngrok; the connection leaves this machine, nothing listens on the outside.

    Raises:
        UnmaskError: the library or the user's token is missing, or ngrok refuses.
    """

    def __init__(self, local: str) -> None:
        try:
            import ngrok
        except ImportError:
            raise UnmaskError("sharing needs ngrok", hint="pip install 'unmask[share]'") from None
        if not os.environ.get(TOKEN_VARIABLE):
            raise UnmaskError(
                f"sharing needs your ngrok token in {TOKEN_VARIABLE}",
                hint="get one at dashboard.ngrok.com, then export it",
            )
        try:
            self._listener = ngrok.forward(local, authtoken_from_env=True)
        except Exception as error:
            raise UnmaskError(
                f"ngrok opened no tunnel: {error}", hint="check the token and the network"
            ) from error

    @property
    def url(self) -> str:
        """The address, beginning with https://."""
        return str(self._listener.url())

    def close(self) -> None:
        """Take the address down."""
        import ngrok

        ngrok.disconnect(self.url)


def host_of(url: str) -> str:
    """The name in a public address, by which the server will be called."""
    return (urlsplit(url).hostname or "").lower()
