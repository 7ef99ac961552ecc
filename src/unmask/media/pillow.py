"""Opening pictures with Pillow: only the plugin the content calls for, our own limits, our own errors."""

from __future__ import annotations

import importlib
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from PIL import Image

from unmask.errors import UnmaskError, UnreadableError, UnsupportedError
from unmask.media.sniff import Signature

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_PLUGINS = {
    Signature.JPEG: "PIL.JpegImagePlugin",
    Signature.PNG: "PIL.PngImagePlugin",
    Signature.WEBP: "PIL.WebPImagePlugin",
    Signature.GIF: "PIL.GifImagePlugin",
    Signature.BMP: "PIL.BmpImagePlugin",
    Signature.TIFF: "PIL.TiffImagePlugin",
    Signature.AVIF: "PIL.AvifImagePlugin",
}

_warnings_lock = threading.Lock()


def open_image(file: IO[bytes], kind: Signature, name: str) -> ImageFile:
    """The picture in `file` with its header read and no pixel decoded.

    Pillow's plugin is called directly: `Image.open` would ask every plugin, and refuse by its own idea of
    too many pixels before ours. Raises UnreadableError; UnsupportedError where this Pillow lacks the codec.
    """
    if kind is Signature.HEIF:
        return _open_heif(file, name)
    importlib.import_module(_PLUGINS[kind])
    entry = Image.OPEN.get(kind.value)
    with damage_translated(name):
        image = entry[0](file, "") if entry else None
        if image is None or isinstance(image, str):
            raise UnsupportedError(
                f"{name}: this Pillow cannot read {kind.value}", hint="install a newer Pillow"
            )
        return image


@contextmanager
def damage_translated(name: str) -> Iterator[None]:
    """Raise whatever Pillow raises as UnreadableError, and keep its warnings off the user's terminal.

    On damaged content its plugins raise almost anything: SyntaxError, struct.error, IndexError,
    AttributeError among others, so every Exception is taken for damage here.
    """
    try:
        # Warning filters belong to the whole process: two threads must not change them at the same time.
        with _warnings_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UnmaskError:
        raise
    except Exception as error:
        raise UnreadableError(
            f"{name}: damaged image ({str(error) or type(error).__name__})",
            hint="copy or download it again",
        ) from error


def close_image(image: ImageFile) -> None:
    """Let go of the picture and of its file, which Pillow does not close as it did not open it."""
    file = image.fp
    image.close()
    if file is not None:
        file.close()


def _open_heif(file: IO[bytes], name: str) -> ImageFile:
    try:
        heif = importlib.import_module("pillow_heif")
    except ImportError as error:
        raise UnsupportedError(
            f"{name}: HEIC images need one more package", hint="pip install 'unmask[heic]' (pillow-heif)"
        ) from error
    heif.register_heif_opener()
    entry = Image.OPEN["HEIF"]
    with damage_translated(name):
        return entry[0](file, "")
