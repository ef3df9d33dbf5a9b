# SPDX-License-Identifier: ISC
"""Text that went wrong on its way: what parsers of other programs' output must bear."""

from __future__ import annotations

import random

SPECIAL = ("", "0x", "-1", "0xffffffffffffffffffff", "\0", "\x1b[K", "%end", "é", "1" * 400, "=", "\r")


def _line(rng: random.Random, lines: list[str]) -> int:
    return rng.randrange(len(lines))


def _once(rng: random.Random, lines: list[str]) -> None:
    """One change of one line."""
    at, how = _line(rng, lines), rng.randrange(8)
    line = lines[at]
    if how == 0:
        del lines[at]
    elif how == 1:
        lines.insert(at, lines[_line(rng, lines)])
    elif how == 2:
        lines[at] = line[: rng.randrange(len(line) + 1)]
    elif how == 3 and line:
        cut = rng.randrange(len(line))
        lines[at] = line[:cut] + chr(rng.randrange(32, 127)) + line[cut + 1 :]
    elif how == 4:
        words = line.split(" ")
        words[rng.randrange(len(words))] = rng.choice(SPECIAL)
        lines[at] = " ".join(words)
    elif how == 5:
        other = _line(rng, lines)
        lines[at], lines[other] = lines[other], lines[at]
    elif how == 6:
        del lines[at:]
    else:
        lines[at] = line + lines[_line(rng, lines)]


def mangled(text: str, rng: random.Random) -> str:
    """A few changes."""
    lines = text.split("\n")
    for _ in range(1 + rng.randrange(4)):
        if lines:
            _once(rng, lines)
    return "\n".join(lines)
