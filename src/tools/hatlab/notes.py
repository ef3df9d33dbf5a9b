# SPDX-License-Identifier: ISC
"""What a lab's handout says, for a person who is stopped in the debugger: the section about a function, or all of it."""

from __future__ import annotations

import re
import textwrap

from .lab import Lab


def _sections(text: str) -> list[str]:
    return re.split(r"^(?=## )", text, flags=re.M)


def of_function(lab: Lab, function: str) -> str | None:
    """The section that introduces one of the lab's functions: the first one behind "The idea" that names it."""
    names = {name.removesuffix("__mine") for _, functions in lab.units for name in functions}
    function = function.removesuffix("__mine")
    if function not in names:
        return None
    # Before the units' own sections come the title, what you will see, and the idea.
    return next((s for s in _sections(_handout(lab))[3:] if f"`{function}()`" in s), None)


def whole(lab: Lab) -> str:
    return _handout(lab)


def _handout(lab: Lab) -> str:
    return (lab.folder() / "handout.md").read_text(encoding="utf-8")


def fitted(text: str, width: int) -> str:
    """For a narrow pane: prose is filled, what stands between fences is left as it is, fences and the targets of links are left out."""
    out, prose = [], True
    for paragraph in re.split(r"(^```[^\n]*\n*|\n\n)", text, flags=re.M):
        if paragraph.startswith("```"):
            prose, paragraph = not prose, "" if prose else "\n"
        elif prose and not re.match(r"[#|\s-]", paragraph):
            paragraph = textwrap.fill(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", paragraph), width, break_long_words=False)
        out.append(paragraph)
    return "".join(out)
