# SPDX-License-Identifier: ISC
"""One HTML page with everything in it, from the parts in src/tools/view and the data of viewdata.py."""

from __future__ import annotations

import html
import json
from pathlib import Path

PARTS = Path(__file__).resolve().parents[1] / "view"
SCRIPTS = ("model.js", "tree.js", "search.js", "around.js")  # in this order


def page(data: dict) -> str:
    """The whole page. The data stands in it as JSON in which nothing can end the element that it stands in."""
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    title = html.escape(f"hatlab: {data['flavor']}, checkpoint {data['checkpoint']}")
    parts = {"TITLE": title, "STYLE": _part("page.css"), "SCRIPT": "\n".join(map(_part, SCRIPTS)), "DATA": text}
    out = []
    for line in _part("page.html").splitlines():
        for name, value in parts.items():
            if f"@{name}@" in line:
                line = line.replace(f"@{name}@", value)
                break
        out.append(line)
    return "\n".join(out) + "\n"


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8").rstrip("\n")
