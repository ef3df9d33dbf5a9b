# SPDX-License-Identifier: ISC
"""A screenshot made small: sixteen steps of each colour are enough for text and plain areas, and mostly fit a palette."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def size(png: bytes) -> tuple[int, int]:
    if png[:8] != SIGNATURE:
        raise ValueError("not a PNG file")
    return struct.unpack(">II", png[16:24])


def _chunks(png: bytes):
    at = 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        yield kind, png[at + 8:at + 8 + length]
        at += length + 12


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _paeth(a: int, b: int, c: int) -> int:
    p = a + b - c
    return min((a, b, c), key=lambda v: abs(p - v))  # of equals the first, as the format wants


def _unfiltered(png: bytes, channels: int):
    """The lines of an image of 8 bits a channel, not interlaced."""
    width, height = size(png)
    raw, stride = zlib.decompress(b"".join(data for kind, data in _chunks(png) if kind == b"IDAT")), width * channels
    above = bytearray(stride)
    for y in range(height):
        how, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride if how else 0):
            left, corner = (line[i - channels], above[i - channels]) if i >= channels else (0, 0)
            guess = (left, above[i], (left + above[i]) // 2, _paeth(left, above[i], corner))[how - 1]
            line[i] = line[i] + guess & 255
        yield line
        above = line


def small(png: bytes) -> bytes:
    """The same picture with a palette; as it is when it has too many colours for one."""
    width, height = size(png)
    depth, colour = png[24], png[25]
    if depth != 8 or colour not in (2, 6):
        return png
    channels = 3 if colour == 2 else 4
    step = bytes((v + 8) // 17 * 17 for v in range(256))
    colours: dict[bytes, int] = {}
    lines = []
    for line in _unfiltered(png, channels):
        line = bytes(line).translate(step)
        lines.append(b"\0" + bytes(colours.setdefault(line[i:i + 3], len(colours)) & 255 for i in range(0, len(line), channels)))
    if len(colours) > 256:
        return png
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return (SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"PLTE", b"".join(colours)) + _chunk(b"IDAT", zlib.compress(b"".join(lines), 9))
            + _chunk(b"IEND", b""))
