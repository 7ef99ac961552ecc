"""Take in an upload as it arrives: straight to disk, hashed on the way, and never more than allowed.

The length a client claims is only used to refuse early; what counts are the bytes that come.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from unmask.media.sniff import Signature, signature
from unmask.report.names import visible
from unmask.web.problems import ProblemError

HEAD = 4096
"""Bytes by which a file's kind is first guessed; decoding tells for certain."""

LONGEST_FIELD = 1024
"""Bytes of a form field that is no file."""

FORM = 65536
"""Bytes of a form beyond its file: fields, boundaries and headers."""

FILE_FIELD = "file"

LOOK_EVERY = 16 << 20
"""Bytes of an upload between two looks at how full the disk is."""

DRAINED, DRAINING = 16 << 20, 3.0
"""Bytes and seconds of an upload that are still read when it is refused."""

STALL = 60.0
"""Seconds without a byte after which an upload is given up: it holds disk and a connection."""


class Upload:
    """What has come in so far: one file at `path`, of `max_bytes` at most and as long as there are
    `keep_free` bytes left on the disk, and the fields beside it."""

    def __init__(self, path: Path, max_bytes: int, keep_free: int = 0) -> None:
        self.path, self.max_bytes, self.keep_free = path, max_bytes, keep_free
        self.fields: dict[str, str] = {}
        self.name = ""
        self.size = 0
        self.head = b""
        self._looked = 0
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of the file, as hexadecimal digits."""
        return self._hash.hexdigest()

    async def receive(self, request: Request) -> None:
        """Read the whole request.

        Raises:
            ProblemError: it is no form, holds no file or several, the file is too large, empty or no medium,
            or the disk is full.
        """
        boundary, claimed = self._check_head(request)
        try:
            await asyncio.to_thread(self._check_room, claimed)
            with self.path.open("wb", buffering=0) as file:
                async for block in self._file_blocks(request.stream(), boundary):
                    self.size += len(block)
                    if self.size > self.max_bytes:
                        raise self._too_large()
                    if len(self.head) < HEAD:
                        self.head += block[: HEAD - len(self.head)]
                    await asyncio.to_thread(self._keep, file, block)
        except MultipartError as error:
            raise ProblemError(422, f"the form cannot be read: {error}", hint="see /api/docs") from error
        except ClientDisconnect:
            raise ProblemError(400, "the upload was broken off") from None
        except OSError as error:
            raise _no_room() from error
        self._check_file()

    def _keep(self, file: object, block: bytes) -> None:
        if self.size - self._looked >= LOOK_EVERY:
            self._looked = self.size
            self._check_room(0)
        self._hash.update(block)
        view = memoryview(block)
        while view:
            view = view[file.write(view) :]  # type: ignore[attr-defined]

    def _check_room(self, coming: int) -> None:
        if shutil.disk_usage(self.path.parent).free - coming < self.keep_free:
            raise _no_room()

    async def _file_blocks(self, stream: AsyncIterator[bytes], boundary: str) -> AsyncIterator[bytes]:
        """The bytes of the file; the fields before and after it are kept on the way."""
        field: MultipartSegment | None = None
        value, total = b"", 0
        # Any bytes are Latin-1: what they mean is told name by name.
        with PushMultipartParser(
            boundary, max_segment_count=16, header_charset="latin-1", strict=True
        ) as parser:
            chunks = aiter(stream)
            while (chunk := await _next(chunks)) is not None:
                total += len(chunk)
                if total > self.max_bytes + FORM:
                    raise self._too_large()
                for event in parser.parse(chunk):
                    if isinstance(event, MultipartSegment):
                        field, value = event, b""
                        self._begin(event)
                    elif event is None:
                        if field is not None and field.name != FILE_FIELD:
                            self.fields[field.name] = value.decode("utf-8", "replace")
                    elif field is not None and field.name == FILE_FIELD:
                        yield bytes(event)
                    else:
                        value += bytes(event)
                        if len(value) > LONGEST_FIELD:
                            raise ProblemError(422, "a field of the form is too long", hint="see /api/docs")

    def _begin(self, part: MultipartSegment) -> None:
        if part.name != FILE_FIELD:
            return
        if self.name:
            raise ProblemError(422, "one file at a time", hint="hand in each file with a request of its own")
        self.name = shown_name(_as_text(part.filename or ""))

    def _check_head(self, request: Request) -> tuple[str, int]:
        """What parts the form's fields, and how many bytes it claims to have, 0 where it does not say."""
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        if kind != "multipart/form-data" or not options.get("boundary"):
            raise ProblemError(415, "an upload is a multipart/form-data form", hint="see /api/docs")
        length = request.headers.get("content-length", "")
        claimed = int(length) if length.isascii() and length.isdigit() else 0
        if claimed > self.max_bytes + FORM:
            raise self._too_large()
        return str(options["boundary"]), claimed

    def _check_file(self) -> None:
        if not self.name:
            raise ProblemError(422, "the form holds no file", hint=f"put it into a field called {FILE_FIELD}")
        if not self.size:
            raise ProblemError(
                422, f"{self.name} is empty", hint="choose the file itself, not a placeholder of it"
            )
        if signature(self.head) is Signature.UNKNOWN:
            raise ProblemError(
                415,
                f"{self.name} is neither an image nor a video that we know",
                hint="convert it to JPEG, PNG or MP4",
            )

    def _too_large(self) -> ProblemError:
        limit = f"{self.max_bytes / (1 << 20):,.0f} MiB"
        return ProblemError(
            413,
            f"the file is larger than {limit}",
            hint="use a smaller copy, or scan it with `unmask scan`",
            # The rest of what is sent will not be read.
            headers={"Connection": "close"},
        )


def _no_room() -> ProblemError:
    return ProblemError(
        507,
        "the server has no room for this file",
        hint="delete older scans",
        headers={"Connection": "close"},
    )


async def drain(request: Request) -> None:
    """Read what a refused client still sends, for a moment and a few megabytes at most, and forget it."""
    left = DRAINED
    with contextlib.suppress(TimeoutError, ClientDisconnect, RuntimeError):
        async with asyncio.timeout(DRAINING):
            async for chunk in request.stream():
                left -= len(chunk)
                if left <= 0:
                    return


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    """The next piece of the request, None at its end.

    Raises:
        ProblemError: none came for `STALL` seconds.
    """
    try:
        async with asyncio.timeout(STALL):
            return await anext(chunks, None)
    except TimeoutError:
        raise ProblemError(408, "the upload stalled", hint="hand it in again") from None


def _as_text(name: str) -> str:
    """A name whose bytes were taken for Latin-1: browsers send UTF-8, old programs do mean Latin-1."""
    try:
        return name.encode("latin-1").decode()
    except UnicodeDecodeError:
        return name


def shown_name(claimed: str) -> str:
    """A file's name as pages show it: without folders, and with nothing in it that hides or reorders text."""
    last = claimed.replace("\\", "/").rsplit("/", 1)[-1].strip()
    return visible(last)[:255] or "unnamed"
