# SPDX-License-Identifier: ISC
"""The host side of hatlab: everything that runs beside Bochs, none of it inside the kernel.

Read in this order:

    bochs_out   what Bochs' debugger prints, taken apart
    protocol    what the kernel prints, taken apart (docs/protocol.md)
    walk        page tables, from raw bytes
    symbols     addresses to names
    image       a bootable CD from a kernel
    bochs       one run of Bochs and its debugger
    run         boot a kernel to its end
    compare     the three witnesses, side by side
    lab         what a lab consists of
    unit        which of a student's files may be linked
    submission  what is handed in, packed and unpacked
    handin      judged, graded, packed
    debug       a lab in the debugger, with its script
"""

import sys

if sys.version_info < (3, 9):
    sys.exit("hatlab: python3 is version %d.%d, 3.9 or later is needed (PYTHON=... names another one; make doctor)" % sys.version_info[:2])
