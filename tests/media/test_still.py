"""Pictures: every mode becomes upright RGB, and what is left of a damaged one is used."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from tests.media.clips import picture

from unmask.errors import UnreadableError, UnsupportedError
from unmask.media import Counts, Limits, Sampling, open_media

FORMATS = ["jpg", "png", "webp", "bmp", "tiff", "avif", "gif"]


def only_frame(path: Path) -> NDArray[np.uint8]:
    with open_media(path) as media:
        (frame,) = media.frames(Sampling(stride=10, frames=5))
        assert (frame.index, frame.time) == (0, 0.0)
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous
        assert frame.image.shape == (media.facts.height, media.facts.width, 3)
        assert media.facts.kind == "image"
        return frame.image


@pytest.mark.parametrize("extension", FORMATS)
def test_formats(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture.{extension}"
    smooth = np.add.outer(np.arange(64), np.arange(96))[..., None] + np.array([0, 40, 80])
    Image.fromarray(smooth.astype(np.uint8)).save(path)
    assert np.abs(only_frame(path).astype(int) - smooth).mean() < 6


@pytest.mark.parametrize("extension", FORMATS)
def test_type_is_told_by_content_and_not_by_name(extension: str, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    Image.fromarray(picture(0)).save(path, format={"jpg": "jpeg"}.get(extension, extension))
    assert only_frame(path).shape == (64, 96, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "tiff"])
def test_exif_orientation_is_applied(orientation: int, extension: str, tmp_path: Path) -> None:
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:20, :30], upright[:20, 30:], upright[20:, :30], upright[20:, 30:] = 40, 90, 140, 190
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{extension}"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    assert np.abs(only_frame(path).astype(int) - upright).max() <= 12
    assert open_media(path).facts.rotation_degrees == [0, 0, 0, 180, 180, 90, 90, 270, 270][orientation]


GREY = np.linspace(0, 255, 96 * 64).reshape(64, 96)


@pytest.mark.parametrize(
    ("image", "extension"),
    [
        (Image.fromarray(GREY.astype(np.uint8)), "png"),
        (Image.fromarray((GREY * 257).astype(np.uint16)), "png"),
        (Image.fromarray((GREY * 257).astype(np.uint16)), "tiff"),
        (Image.fromarray((GREY * 257).astype(np.int32)), "tiff"),
        (Image.fromarray((GREY / 255).astype(np.float32)), "tiff"),
        (Image.fromarray(GREY.astype(np.float32)), "tiff"),
        (Image.fromarray((GREY * 257).astype(np.float32)), "tiff"),
        (Image.fromarray(GREY.astype(np.uint8)).convert("LA"), "png"),
        (Image.fromarray(GREY.astype(np.uint8)).convert("RGB").convert("CMYK"), "jpg"),
        (Image.fromarray(GREY.astype(np.uint8)).convert("RGB").convert("CMYK"), "tiff"),
        (Image.fromarray(GREY.astype(np.uint8)).convert("P"), "gif"),
    ],
    ids=lambda value: getattr(value, "mode", value),
)
def test_grey_of_every_depth(image: Image.Image, extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"grey.{extension}"
    image.save(path)
    assert np.abs(only_frame(path).astype(int) - GREY[..., None]).max() <= 4


def test_black_and_white(tmp_path: Path) -> None:
    path = tmp_path / "fax.png"
    Image.fromarray(GREY > 128).save(path)
    assert set(np.unique(only_frame(path))) == {0, 255}
    assert open_media(path).facts.bit_depth == 1


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L"])
def test_transparency_is_laid_on_white(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "clear.png"
    if mode == "P":
        image = Image.new("P", (8, 8), 1)
        image.putpalette([0, 0, 0, 10, 10, 10])
        image.save(path, transparency=1)
    elif mode in ("RGB", "L"):
        colour = (10, 10, 10) if mode == "RGB" else 10
        Image.new(mode, (8, 8), colour).save(path, transparency=colour)
    else:
        Image.new(mode, (8, 8), (10, 10, 10, 0) if mode == "RGBA" else (10, 0)).save(path)
    assert (only_frame(path) == 255).all()


def test_smallest_picture(tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    Image.new("RGB", (1, 1), (1, 2, 3)).save(path)
    assert only_frame(path).tolist() == [[[1, 2, 3]]]


def test_tags_are_printable_short_and_without_place(tmp_path: Path) -> None:
    path = tmp_path / "made.png"
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "Gen\x1b[31merator\n 1")
    info.add_text("parameters", "a face " * 1000)
    info.add_text("Author", "somebody")
    exif = Image.Exif()
    exif[0x010F] = "Camera\0"
    exif[0x8825] = {1: "N"}
    Image.new("RGB", (4, 4)).save(path, pnginfo=info, exif=exif)
    tags = dict(open_media(path).facts.tags)
    assert tags["software"] == "Gen [31merator 1"
    assert len(tags["parameters"]) == 200
    assert tags["make"] == "Camera"
    assert tags.keys() == {"software", "parameters", "make"}


def test_further_pages_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "pages.tiff"
    Image.new("L", (8, 8)).save(path, save_all=True, append_images=[Image.new("L", (8, 8))])
    media = open_media(path)
    list(media.frames(Sampling()))
    assert any("2 pictures" in note for note in media.counts.notes)


@pytest.mark.parametrize("extension", ["jpg", "progressive.jpg", "png", "bmp", "tiff", "gif"])
def test_truncated_picture_gives_what_is_left_of_it(extension: str, tmp_path: Path) -> None:
    whole = io.BytesIO()
    kind = extension.split(".")[-1].replace("jpg", "jpeg")
    Image.fromarray(picture(0, (400, 300))).save(whole, kind, progressive="progressive" in extension)
    path = tmp_path / f"cut.{extension}"
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    media = open_media(path)
    (frame,) = media.frames(Sampling())
    assert media.counts == Counts(1, 1, 0, True, media.counts.notes)
    assert len(media.counts.notes) == 1
    rows = slice(0, 100) if kind != "bmp" else slice(200, 300)
    assert frame.image[rows].std() > 40


@pytest.mark.parametrize("extension", FORMATS)
@pytest.mark.parametrize("kept", [4, 12, 30])
def test_picture_cut_in_its_header_is_unreadable(extension: str, kept: int, tmp_path: Path) -> None:
    path = tmp_path / f"cut.{extension}"
    Image.fromarray(picture(0)).save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises((UnreadableError, UnsupportedError)):
        list(open_media(path).frames(Sampling()))


def huge_png(side: int) -> bytes:
    whole = io.BytesIO()
    Image.new("RGB", (1, 1)).save(whole, "png")
    data = bytearray(whole.getvalue())
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return bytes(data)


def huge_jpeg(side: int) -> bytes:
    whole = io.BytesIO()
    Image.new("RGB", (8, 8)).save(whole, "jpeg")
    data = bytearray(whole.getvalue())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = side.to_bytes(2, "big") * 2
    return bytes(data)


@pytest.mark.parametrize("content", [huge_png(20000), huge_jpeg(20000)], ids=["png", "jpeg"])
def test_huge_picture_is_refused_before_it_is_decoded(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.write_bytes(content)
    with pytest.raises(UnsupportedError, match="--max-pixels"):
        open_media(path)


def test_limit_on_pixels_can_be_raised_above_pillows_own(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(huge_png(20000))
    assert open_media(path, Limits(max_pixels=400_000_000)).facts.width == 20000
