#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Bochs' bare debugger with a kernel, in this terminal, and nothing of ours in between (`make bochs`)."""

import argparse
import os
import signal
import subprocess
import tempfile
from pathlib import Path

from hatlab import bochs, host, image


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bochs.py", description=__doc__, epilog="Exit code: that of Bochs; 0 after q.")
    parser.add_argument("--flavor", choices=host.FLAVORS, default="amd64")
    parser.add_argument("--cpus", type=int, default=1, metavar="N")
    parser.add_argument("--args", default="", metavar="'k=v ...'", help="the kernel's command line")
    o = parser.parse_args(argv)
    disk = image.with_args(image.load(image.ensure(o.flavor)), o.args)
    program = bochs.find_program()
    # A folder of its own, and no way in from the network: any number may run, and nothing stays behind.
    with tempfile.TemporaryDirectory(prefix="hatlab-") as folder:
        image.write_padded(Path(folder) / bochs.IMAGE, disk)
        (Path(folder) / "bochsrc").write_text(bochs.describe(program, host.ROOT / "bochsrc", o.cpus))
        command, environment = bochs.launch(program)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C stops the kernel, and Bochs asks
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **environment},
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        try:
            return process.wait()
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    host.main(main)
