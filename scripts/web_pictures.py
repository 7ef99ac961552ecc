"""Make the pictures of the web application that the README shows.

python scripts/web_pictures.py      # needs unmask[web,dev] and Chromium; writes docs/images/web-*.jpg
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
MEDIA = ROOT / "examples" / "media"
IMAGES = ROOT / "docs" / "images"
QUALITY = 80


def hand_in(client: httpx.Client, path: Path) -> str:
    """Hand in a file and wait for its verdict; the name of its scan."""
    with path.open("rb") as file:
        scan_id: str = client.post("/api/v1/scans", files={"file": (path.name, file)}).json()["id"]
    while client.get(f"/api/v1/scans/{scan_id}").json()["state"] in ("queued", "running"):
        time.sleep(0.2)
    return scan_id


def take(browser: Browser, base: str, pages: dict[str, tuple[str, str, tuple[int, int]]]) -> None:
    """A picture of each page: name → (address, light or dark, size of the window)."""
    for name, (address, scheme, (width, height)) in pages.items():
        page = browser.new_page(
            base_url=base,
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            device_scale_factor=1.5 if width < 500 else 1,
        )
        page.goto(address)
        if page.locator("video").count():
            page.locator("video").first.evaluate("v => { v.currentTime = 0.75 * v.duration; }")
        page.wait_for_timeout(1500)
        page.screenshot(path=IMAGES / f"web-{name}.jpg", type="jpeg", quality=QUALITY)
        page.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "unmask", "serve", "--port", "0", "--data", folder]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        base = server.stdout.readline().split()[3]
        try:
            with httpx.Client(base_url=base, timeout=60) as client, sync_playwright() as playwright:
                photo, video = (
                    hand_in(client, MEDIA / name) for name in ("astronaut.png", "half-forged.mp4")
                )
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                large = (1200, 900)
                take(
                    browser,
                    base,
                    {
                        "home": ("/", "light", large),
                        "result": (f"/scans/{video}", "light", (1200, 1500)),
                        "compare": (f"/compare?a={photo}&b={video}", "light", (1200, 1100)),
                        "phone": (f"/scans/{video}", "dark", (390, 844)),
                    },
                )
                browser.close()
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    main()
