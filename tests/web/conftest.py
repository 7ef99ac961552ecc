"""A database, a folder and scans in them; a client of the application without its dispatcher."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import Engine, text
from tests.web.databases import postgresql

from unmask.options import ScanOptions
from unmask.report.document import to_json
from unmask.scanner import Scanner
from unmask.types import Report
from unmask.web.app import make_app
from unmask.web.database import open_database, upgrade
from unmask.web.options import ServeOptions
from unmask.web.queue import Outcome, Queue
from unmask.web.scans import LOCAL, Received, ScanInfo, Scans
from unmask.web.store import Store

HandIn = Callable[..., ScanInfo]
"""Hands in a few bytes as a file: `hand_in(scans, name, content, owner, again=…, stride=…)`."""


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgresql(tmp_path_factory.mktemp("postgresql")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'unmask.sqlite'}"
    address: str = request.getfixturevalue("postgresql_url")
    engine = open_database(address)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return address


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_database(url)
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "data")


@pytest.fixture
def scans(engine: Engine, store: Store) -> Scans:
    return Scans(engine, store, fingerprint="models")


@pytest.fixture
def hand_in() -> HandIn:
    """Hands in a few bytes as a file."""

    def do(
        scans: Scans, name: str = "a.png", content: bytes = b"one", owner: str = LOCAL, **more: object
    ) -> ScanInfo:
        with scans.store.receiving() as path:
            path.write_bytes(content)
            again = bool(more.pop("again", False))
            upload = Received(path, name, hashlib.sha256(content).hexdigest(), len(content), more)
            return scans.create(owner, upload, again=again)[0]

    return do


@pytest.fixture(scope="session")
def photo_report(photo_path: Path) -> Report:
    """What is found in the example photo."""
    return Scanner(ScanOptions()).scan(photo_path)


@pytest.fixture(scope="session")
def long_video(tmp_path_factory: pytest.TempPathFactory, photo_path: Path) -> Path:
    """A minute of a face: with every frame looked at, it takes far longer than any step of a test."""
    path = tmp_path_factory.mktemp("media") / "long.mp4"
    picture = av.VideoFrame.from_image(Image.open(photo_path).convert("RGB").resize((384, 384)))
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width = stream.height = 384
        stream.pix_fmt = "yuv420p"
        for n in range(25 * 60):
            picture.pts, picture.time_base = n, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def options(tmp_path: Path) -> ServeOptions:
    return ServeOptions(data=str(tmp_path / "data"), max_upload=1, max_waiting=6, max_waiting_each=4)


@pytest.fixture
def app_engine(options: ServeOptions, tmp_path: Path) -> Iterator[Engine]:
    (tmp_path / "data").mkdir(exist_ok=True)
    engine = open_database(options.url)
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def client(app_engine: Engine, options: ServeOptions) -> Iterator[TestClient]:
    """The application without tokens and without anyone who works its queue."""
    app = make_app(app_engine, options, ScanOptions())
    with TestClient(app, base_url="http://localhost") as client:
        yield client


@pytest.fixture
def finish(app_engine: Engine, options: ServeOptions, photo_report: Report) -> Callable[[str], None]:
    """Ends the scan of this name as a worker would, with the example photo's report."""

    def do(scan_id: str) -> None:
        queue, store = Queue(app_engine), Store(options.folder)
        while (work := queue.take()) is not None:
            store.folder(work.scan).report.write_bytes(to_json(photo_report, evidence=True))
            queue.done(
                work,
                Outcome(photo_report.verdict, photo_report.probability, photo_report.message, "image", None),
            )
            if work.scan == scan_id:
                return

    return do
