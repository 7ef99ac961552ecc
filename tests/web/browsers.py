"""A browser to test with, which never keeps a test waiting for ever."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
from collections.abc import Iterator

from playwright.sync_api import Browser, Playwright
from tests.web.processes import children

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

FLAGS = (
    "--no-sandbox",
    # Small machines: a container's /dev/shm may be too small, and there is no graphics card.
    "--disable-dev-shm-usage",
    "--disable-gpu",
    # Closed networks: nobody is asked for anything but what the pages ask for.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


class Chromium:
    """One browser for many tests; another one once it is gone."""

    def __init__(self, playwright: Playwright) -> None:
        self._playwright = playwright
        self._browser: Browser | None = None

    def browser(self) -> Browser:
        """The browser, running."""
        if self._browser is None or not self._browser.is_connected():
            self._browser = self._playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        return self._browser

    @contextlib.contextmanager
    def at_most(self, seconds: float) -> Iterator[Browser]:
        """The browser, killed where the block lasts longer: what waits for it fails then. Several of
        Playwright's calls (`evaluate`, `new_context`, `close`) know no limit of their own, and a test's limit
        does not hold for what comes after it has been exceeded."""
        timer = threading.Timer(seconds, _kill)
        timer.daemon = True
        timer.start()
        try:
            yield self.browser()
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the browser."""
        if self._browser is not None and self._browser.is_connected():
            self._browser.close()


def _kill() -> None:
    for driver in children(os.getpid(), "run-driver"):
        for browser in children(driver, "chromium"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(browser, signal.SIGKILL)
