# SPDX-License-Identifier: ISC
"""A person at a terminal, or nobody."""

from __future__ import annotations

import sys
from collections.abc import Callable


def say(text: str) -> None:
    print(text, flush=True)


def attended() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def asker() -> Callable[[str], str | None] | None:
    """What reads a line after a prompt (None: the input has ended); None where nobody is there to ask."""
    if not attended():
        return None
    try:
        import readline  # noqa: F401  (line editing)
    except ImportError:
        pass
    return _ask


def _ask(prompt: str) -> str | None:
    while True:
        try:
            return input(prompt)
        except EOFError:
            return None
        except KeyboardInterrupt:
            say("\n(q ends the session)")
