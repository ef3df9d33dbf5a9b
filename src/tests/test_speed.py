# SPDX-License-Identifier: ISC
"""Where a person waits: the seconds that are promised (src/tools/bench.py has them all), on every change, with nothing beside it."""

from common import FLAVORS, image
from slowness import slowness
from testall import alone, cases, limit

import bench  # src/tools; common has put it on the path

ROWS = ("make-run", "touch-one-file-and-compare-i386", "touch-one-file-and-compare-amd64", "grade-edit-i386", "grade-edit-amd64",
        "grade-edit-both", "grade-all")


@cases(*ROWS)
@alone
@limit(400)
def test_seconds(name):
    """what a person waits for is within its bound: median of 3, grade-all once"""
    for flavor in FLAVORS:
        image(flavor)
    slower = slowness()
    row = next(row for row in bench.table(3, bench.some_source()) if row.name == name)
    row.fill()
    assert not row.trouble, row.trouble
    print(f"{row.name}: {row.value:.2f} s ({row.detail}), bound {row.bound} s, this machine takes {slower:.2f} times as long; {row.command}")
    assert row.value <= row.bound * slower, f"{row.value:.2f} s, at most {row.bound * slower:.2f}"
