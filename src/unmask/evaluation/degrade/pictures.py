"""Degradations of single pictures: compression, resolution, focus, sensor noise, light.

Lengths are shares of the picture and not pixels, so that a severity means the same for a thumbnail and for a
photo of twelve megapixels.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.errors import UnsupportedError
from unmask.evaluation.degrade.registry import DEGRADATIONS, Image, PictureDegradation, Size
from unmask.types import Frame

Shades = NDArray[np.floating[Any]]

LONGEST_SIDE = {".jpg": 65_500, ".webp": 16_383}
"""File ending → pixels that libjpeg and libwebp can encode in a row or column."""


@DEGRADATIONS.register("jpeg")
class Jpeg(PictureDegradation):
    """Compression as JPEG, colours at half resolution.

    Quality of libjpeg (0 to 100): 80, 50, 30, 15, 8. Platforms use 70 to 85, messengers and thumbnails less;
    below 8 skin falls into flat squares.
    """

    unit = "JPEG quality"
    levels = (80, 50, 30, 15, 8)

    def picture(self, frame: Frame) -> Image:
        """See `PictureDegradation`."""
        return jpeg(frame.image, self.levels[self.at])


@DEGRADATIONS.register("webp")
class Webp(PictureDegradation):
    """Compression as lossy WebP, which smooths where JPEG makes squares.

    Quality of libwebp (0 to 100): 75, 45, 20, 8, 1. 75 is the library's own choice; even its worst leaves
    more of a face than JPEG does.
    """

    unit = "WebP quality"
    levels = (75, 45, 20, 8, 1)

    def picture(self, frame: Frame) -> Image:
        """See `PictureDegradation`."""
        return _through(frame.image, ".webp", cv2.IMWRITE_WEBP_QUALITY, self.levels[self.at])


@DEGRADATIONS.register("resize")
class Resize(PictureDegradation):
    """Shrunk by area averaging and enlarged back by cubic interpolation.

    Factor by which both sides shrink: 1.5, 2, 3, 4, 6. From 1080p that is 720p, 540p, 360p, 270p, 180p; a
    face that fills a quarter of a 480p picture is left with 20 pixels at the end.
    """

    unit = "times smaller"
    levels = (1.5, 2.0, 3.0, 4.0, 6.0)

    def picture(self, frame: Frame) -> Image:
        """See `PictureDegradation`."""
        size = size_of(frame.image)
        return enlarged(shrunk(frame.image, divided(size, self.levels[self.at])), size)


@DEGRADATIONS.register("blur")
class Blur(PictureDegradation):
    """Out of focus: a Gaussian.

    σ in thousandths of the shorter side: 1, 2, 3.5, 5, 7. In a 480p picture that is 0.5 to 3.4 pixels, on a
    face that fills a quarter of it 0.4 to 2.8 % of the face.
    """

    unit = "σ, ‰ of the shorter side"
    levels = (1.0, 2.0, 3.5, 5.0, 7.0)

    def picture(self, frame: Frame) -> Image:
        """See `PictureDegradation`."""
        sigma = self.levels[self.at] / 1000 * min(frame.image.shape[:2])
        blurred = cv2.GaussianBlur(frame.image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
        return np.asarray(blurred, np.uint8)


FINEST_SIDE = 480
"""About how many cells of noise the shorter side has at most; up to it each pixel has its own. Larger ones
are treated as a camera in the dark does it: square blocks of sensor cells are read as one. Else the noise of
large photos would be averaged away in the crop of a face."""

READ_NOISE = 2.0
"""Electrons: usual for CMOS sensors of phones."""

STRIP = 1 << 20
"""Pixels worked on at once: bounds the memory for large stills."""

SHADES = 1 << 14
"""Steps of linear light, fine enough that the darkest 8-bit shades stay apart."""


@DEGRADATIONS.register("noise")
class Noise(PictureDegradation):
    """Sensor noise in linear light: shot noise (Poisson, by its Gaussian limit) and read noise.

    Electrons that white makes in a cell: 2000, 500, 150, 50, 20. In mid grey that is noise of about 3, 6, 12,
    25 and 49 of 255 shades: a phone by day, indoors, in the evening, at night, and beyond its highest ISO.
    """

    unit = "electrons at white"
    levels = (2000, 500, 150, 50, 20)

    def __init__(self, severity: int, seed: int) -> None:
        super().__init__(severity, seed)
        electrons = self.levels[self.at]
        self.linear = _linear(np.arange(256) / 255)
        self.spread = np.sqrt(self.linear * electrons + READ_NOISE**2) / np.float32(electrons)
        shades = _display(np.arange(SHADES) / (SHADES - 1))
        self.shown = np.rint(255 * shades).astype(np.uint8)

    def picture(self, frame: Frame) -> Image:
        """See `PictureDegradation`."""
        image = frame.image
        random = np.random.default_rng((self.seed, frame.index))
        height, width = image.shape[:2]
        cell = max(1, round(min(height, width) / FINEST_SIDE))
        rows = max(1, STRIP // (width * cell)) * cell
        noisy = np.empty_like(image)
        for top in range(0, height, rows):
            strip = image[top : top + rows]
            cells = (-(-len(strip) // cell), -(-width // cell), 3)
            grain = random.standard_normal(cells, dtype=np.float32)
            if cell > 1:
                grain = grain.repeat(cell, axis=0).repeat(cell, axis=1)[: len(strip), :width]
            light = self.linear[strip] + self.spread[strip] * grain
            noisy[top : top + rows] = self.shown[(np.clip(light, 0, 1) * (SHADES - 1)).astype(np.int16)]
        return noisy


@DEGRADATIONS.register("gamma")
class Gamma(PictureDegradation):
    """Too little light: shades in [0, 1] are raised to a power and rounded to 8 bits again.

    Exponent: 1.25, 1.6, 2.1, 2.8, 3.8. Mid grey (0.5) falls to 0.42, 0.33, 0.23, 0.14, 0.07; what merges in
    the dark is lost.
    """

    unit = "exponent"
    levels = (1.25, 1.6, 2.1, 2.8, 3.8)

    def picture(self, frame: Frame) -> Image:
        """See `PictureDegradation`."""
        shades = (np.arange(256) / 255) ** self.levels[self.at]
        return np.asarray(cv2.LUT(frame.image, np.rint(255 * shades).astype(np.uint8)), np.uint8)


def jpeg(image: Image, quality: int) -> Image:
    """The picture as a JPEG file of this quality shows it."""
    return _through(image, ".jpg", cv2.IMWRITE_JPEG_QUALITY, quality)


def size_of(image: Image) -> Size:
    """(width, height) in pixels."""
    height, width = image.shape[:2]
    return width, height


def divided(size: Size, factor: float, multiple: int = 1) -> Size:
    """The size with both sides divided by the factor, as the nearest multiple of a number of pixels."""
    width, height = (multiple * max(1, round(side / factor / multiple)) for side in size)
    return width, height


def shrunk(image: Image, size: Size) -> Image:
    """Shrunk to this size by area averaging."""
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def enlarged(image: Image, size: Size) -> Image:
    """Enlarged to this size by cubic interpolation."""
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _through(image: Image, ending: str, flag: int, quality: int) -> Image:
    width, height = size_of(image)
    if max(width, height) > LONGEST_SIDE[ending]:
        raise UnsupportedError(
            f"{width}x{height} pixels are more than a {ending} file can hold", hint="leave this file out"
        )
    packed = cv2.imencode(ending, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), (flag, quality))[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB), np.uint8)


def _linear(shades: Shades) -> Shades:
    """Light of sRGB shades (IEC 61966-2-1), both in [0, 1]."""
    low, high = shades / 12.92, ((shades + 0.055) / 1.055) ** 2.4
    return np.asarray(np.where(shades <= 0.04045, low, high), np.float32)


def _display(light: Shades) -> Shades:
    """sRGB shades of light, both in [0, 1]."""
    low, high = light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055
    return np.asarray(np.where(light <= 0.0031308, low, high), np.float32)
