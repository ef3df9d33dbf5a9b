# SPDX-License-Identifier: ISC
"""How much slower this machine is than the one on which the bounds in seconds were set: for tests that hold somebody to them.

A slower machine gets as much more time as a job of its own takes it longer, one in which nothing of ours takes part; a faster one
gets nothing off.
"""

import os
import subprocess
import time
from pathlib import Path

REFERENCE = 1.35  # seconds that the job took there
FUNCTION = """
struct s%(n)d { struct s%(n)d *next; unsigned long key, value[4]; };
unsigned long f%(n)d(struct s%(n)d *p, unsigned long key)
{
	unsigned long sum = %(n)d;
	for (; p != 0; p = p->next)
		for (int i = 0; i < 4; i++)
			sum = p->key == key ? sum * 31 + p->value[i] : sum ^ (p->value[i] >> i);
	return sum;
}
"""


def job():
    """Seconds for a compiler on each core and an interpreter: what our own tools spend their time with."""
    source = Path(os.environ["TMPDIR"]) / "job.c"
    source.write_text("".join(FUNCTION % {"n": n} for n in range(60)))
    began = time.monotonic()
    for _ in range(4):
        both = [subprocess.Popen(["/usr/bin/gcc", "-O2", "-c", "-o", f"{source}.{n}.o", source]) for n in range(2)]
        assert [process.wait() for process in both] == [0, 0]
    total = 0
    for n in range(3_000_000):
        total += n & 7
    return time.monotonic() - began


def slowness():
    """How much longer this machine needs, at least 1: the best of three."""
    return max(1.0, min(job() for _ in range(3)) / REFERENCE)
