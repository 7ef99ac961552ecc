"""What a file is, told from its first bytes; its name and extension are not asked."""

from __future__ import annotations

import enum


class Signature(enum.Enum):
    """What the first bytes look like. The value of a picture format is Pillow's name for it."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WEBP"
    GIF = "GIF"
    BMP = "BMP"
    TIFF = "TIFF"
    AVIF = "AVIF"
    HEIF = "HEIF"
    VIDEO = "video"
    UNKNOWN = "unknown"

    @property
    def is_picture(self) -> bool:
        """True for the formats read with Pillow."""
        return self not in (Signature.VIDEO, Signature.UNKNOWN)


_PICTURES = (
    (b"\xff\xd8\xff", Signature.JPEG),
    (b"\x89PNG\r\n\x1a\n", Signature.PNG),
    (b"GIF87a", Signature.GIF),
    (b"GIF89a", Signature.GIF),
    (b"II*\0", Signature.TIFF),
    (b"MM\0*", Signature.TIFF),
    (b"II+\0", Signature.TIFF),
    (b"MM\0+", Signature.TIFF),
)
_VIDEOS = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"OggS",
    b"FLV\x01",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF, WMV
    b"\0\0\x01\xba",  # MPEG program stream
    b"\0\0\x01\xb3",  # MPEG-1/2 elementary stream
)
_MOV_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_BMP_HEADER_SIZES = (12, 40, 52, 56, 64, 108, 124)
TS_PACKET = 188


def signature(head: bytes) -> Signature:
    """Tell what the file that begins with `head` claims to be."""
    for magic, found in _PICTURES:
        if head.startswith(magic):
            return found
    if head[:4] == b"RIFF":
        return _riff(head)
    if head[4:8] == b"ftyp":
        return _ftyp(head)
    if _is_bmp(head):
        return Signature.BMP
    if head.startswith(_VIDEOS) or head[4:8] in _MOV_BOXES or _is_transport_stream(head):
        return Signature.VIDEO
    return Signature.UNKNOWN


def _riff(head: bytes) -> Signature:
    if head[8:12] == b"WEBP":
        return Signature.WEBP
    return Signature.VIDEO if head[8:11] == b"AVI" else Signature.UNKNOWN


def _ftyp(head: bytes) -> Signature:
    """ISO/IEC 23008-12: the major brand decides; `mif1` alone leaves the codec to the compatible brands."""
    size = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    brands = {head[i : i + 4] for i in range(16, size - 3, 4)} | {major}
    if major in _AVIF_BRANDS or (major in (b"mif1", b"msf1") and brands & _AVIF_BRANDS):
        return Signature.AVIF
    return Signature.HEIF if major in _HEIF_BRANDS else Signature.VIDEO


def _is_bmp(head: bytes) -> bool:
    return head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES


def _is_transport_stream(head: bytes) -> bool:
    # Camcorders (M2TS) put four bytes of clock before each packet.
    return any(
        len(head) > start + 2 * step and all(head[start + k * step] == 0x47 for k in range(3))
        for start, step in ((0, TS_PACKET), (4, TS_PACKET + 4))
    )
