#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Build the site, build/docs/index.html: pages are generated from documents and code, Doxygen makes HTML of them, and every link is
followed. Does nothing when nothing that it reads has changed; --force builds it all the same. See docs/site/README.
"""

import argparse
import hashlib
import html
import re
import shutil
import sys
from pathlib import Path

from hatlab import sitelinks
from hatlab.host import BUILD, ROOT, HostError, held
from hatlab.sitecode import functions, run_doxygen
from hatlab.sitepages import Site

SOURCE, MADE, OUT = BUILD / "docs-src", BUILD / "docs-out", BUILD / "docs"
CODE = ["src/hat", "src/vm/hat.h", "src/vm/page.h", "src/sys", "src/x86", "src/amd64/memmap.h", "src/i386/memmap.h"]
# What the pages are made from, besides CODE: patterns of files.
READ = ["README.md", "docs/**/*", "labs/*/*", "solutions/*/*.c", "src/check/*.[ch]", "src/host/lock.c", "src/kern/*.c", "src/*/start.S",
        "src/boot/kernel.lds.S", "src/tools/mksite.py", "src/tools/hatlab/*.py"]


def inputs() -> str:
    """Doxygen's INPUT. Answers are parsed for who calls whom, and not shown."""
    files = [ROOT / name for name in CODE] + [SOURCE]
    parsed = sorted((ROOT / "solutions").glob("lab*/*.c"))
    return "INPUT=" + " ".join(f'"{path.relative_to(ROOT)}"' for path in files + parsed)


def state() -> str:
    """A hash of everything that is read."""
    digest = hashlib.sha256()
    paths = [path for pattern in [*READ, *(f"{name}/*" if (ROOT / name).is_dir() else name for name in CODE)] for path in ROOT.glob(pattern)]
    for path in sorted(set(paths)):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def listing(path: Path) -> str:
    """A source file with numbered lines, to be linked to."""
    title = path.relative_to(ROOT).as_posix()
    lines = path.read_text(encoding="utf-8").splitlines()
    body = "\n".join(f'<span id="L{i}"><a class="no" href="#L{i}">{i:4}</a> {html.escape(line.expandtabs(8), quote=False)}</span>'
                     for i, line in enumerate(lines, 1))
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>' + title + '</title><link rel="stylesheet" href="site.css">'
            f'</head><body class="listing"><p><a href="index.html">hatlab</a> &middot; <code>{title}</code></p><pre>{body}</pre></body></html>\n')


def finish(site: Site) -> None:
    """What Doxygen does not do: pictures, listings, addresses of functions."""
    made = MADE / "html"
    (made / "doxygen.svg").unlink(missing_ok=True)
    for name, text in site.pictures.items():
        (made / name).write_text(text, encoding="utf-8")
    for name, path in site.photographs.items():
        shutil.copyfile(path, made / name)
    where = sitelinks.addresses(MADE / "tags.xml")
    for page in made.glob("dir_*.html"):  # of answers: nothing in them has a page
        if "<title>solutions" in page.read_text(encoding="utf-8"):
            page.unlink()
    wanted: set[str] = set()
    pages = {page.name for page in made.glob("*.html")}
    for graph in made.glob("*.svg"):
        text = graph.read_text(encoding="utf-8")
        graph.write_text(sitelinks.declared(text, where, pages), encoding="utf-8")
    for page in sorted(made.glob("*.html")):
        text = sitelinks.declared(page.read_text(encoding="utf-8"), where, pages)
        text, missing = sitelinks.resolve(text, where)
        if missing:
            raise HostError(f"{page.name}: no such function, or not documented: {', '.join(missing)}")
        page.write_text(text, encoding="utf-8")
        wanted |= set(re.findall(r'href="(file-[^"#]+)', text))
    for name in sorted(wanted):
        (made / name).write_text(listing(site.listings[name]), encoding="utf-8")


def build() -> None:
    fresh(SOURCE)
    fresh(MADE)
    settings = inputs()
    site = Site(SOURCE, functions(settings, MADE / "xml"))
    site.write()
    said = run_doxygen(settings)
    if said.strip():
        raise HostError("doxygen is not content:\n" + said.strip())
    finish(site)
    wrong = sitelinks.check(MADE / "html")
    if wrong:
        raise HostError("\n".join(["links of the site:", *wrong]))
    shutil.rmtree(OUT, ignore_errors=True)
    (MADE / "html").rename(OUT)


def refresh(force: bool) -> None:
    """Build it if something has changed; what is left of a build that failed does not count."""
    now, stamp = state(), BUILD / "docs.state"
    if force or not (OUT / sitelinks.START).is_file() or not stamp.is_file() or stamp.read_text() != now:
        stamp.unlink(missing_ok=True)
        build()
        stamp.write_text(now)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--force", action="store_true", help="build it, even if nothing has changed")
    options = parser.parse_args()
    try:
        with held(BUILD / "docs.lock"):
            refresh(options.force)
    except HostError as error:
        print(f"mksite.py: {error}", file=sys.stderr)
        return 1
    print(f"the site: {OUT.relative_to(ROOT)}/index.html ({len(list(OUT.glob('*.html')))} pages)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
