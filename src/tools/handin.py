#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Grade a lab and pack what is the student's into one archive (`make handin LAB=n`)."""

import argparse
import sys
from pathlib import Path

from hatlab import handin, lab
from hatlab.host import HostError
from hatlab.lab import LabError


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="handin.py", description=__doc__,
                                     epilog="Exit code: 0 packed, 1 not packed, and why.")
    parser.add_argument("--lab", default="", metavar="N")
    parser.add_argument("--id", default="", help="instead of the file labs/id")
    parser.add_argument("--folder", default="labs", help="where the student's lab folders are (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=handin.FOLDER, help="where the archive goes (default: build/handin)")
    parser.add_argument("--templates", action="store_true", help="only bring labs/templates up to date (for maintainers)")
    options = parser.parse_args(argv)
    try:
        if options.templates:
            handin.TEMPLATES.write_text(handin.templates_text(), encoding="utf-8")
            return 0
        if not options.lab:
            raise LabError("which lab? make handin LAB=n")
        handin.hand_in(lab.get(options.lab), options.folder, options.id or None, options.out)
    except HostError as e:
        print(f"handin: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nhandin: interrupted; nothing was packed", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
