# SPDX-License-Identifier: ISC
"""The site (`make docs`): it is built without a complaint, every link leads somewhere, and it says what the sources say."""

import html
import re
import tempfile
from dataclasses import replace
from pathlib import Path

from common import FLAVORS, TOP, image, run
from testall import cases, limit, needs

from hatlab import contracts, sitecode, sitelinks, sitemaps, sitepages
from hatlab.elf import Elf
from hatlab.host import HostError
from hatlab.sitemd import Markdown
from hatlab.taken import Sources

OUT = TOP / "build/docs"
TAGS = TOP / "build/docs-out/tags.xml"
DOCUMENTS = sorted([TOP / "README.md", *(TOP / "docs").rglob("*.md"), *(TOP / "labs").glob("*/handout.md")])
GOOD = {"index.html": '<a href="a.html#x">a</a> <a href="https://example.org/">elsewhere</a><img src="b.svg">',
        "a.html": '<h1 id="x">x</h1><a href="#x">here</a>', "b.svg": "<svg/>", "c.css": "p { background: url(b.svg) }"}
# What is changed in that site, and what must be said.
FAULTS = [
    ("file", "index.html", "a.html#x", "d.html", "index.html: links to d.html: no such file"),
    ("anchor", "index.html", "#x", "#y", "index.html: links to a.html#y: no such anchor"),
    ("own-anchor", "a.html", "#x", "#y", "a.html: links to #y: no such anchor"),
    ("picture", "index.html", "b.svg", "e.svg", "index.html: loads e.svg: no such file"),
    ("net", "index.html", 'src="b.svg"', 'src="https://example.org/b.svg"', "not a file of the site"),
    ("outside", "index.html", "a.html#x", "../../../etc/hostname", "no such file"),
    ("script", "a.html", "<h1", '<script src="http://example.org/x.js"></script><h1', "not a file of the site"),
    ("style", "c.css", "b.svg", "https://example.org/x.css", "c.css: loads https://example.org/x.css"),
    ("orphan", "index.html", '<a href="a.html#x">', "<a>", "a.html: nobody leads there"),
]

# A contract from which something is left out, and what must be said of it.
CONTRACT = """/**
 * Make it so.
 * @param ht,entry  of a held table
 * @return          yes
 * @panics          no
 * @locks           none
 * @inv{N1}
 */
bool {name}(htable_t *ht, uint_t entry);
"""
OMISSIONS = [("nothing", "made", "", ""), ("sentence", "made", " * Make it so.\n", "a first sentence"), ("parameter", "made", ",entry", "@param entry"),
             ("return", "made", " * @return          yes\n", "@return"), ("locks", "made", " * @locks           none\n", "@locks"),
             ("invariant", "made", " * @inv{N1}\n", "@inv"), ("panics", "link_ptp", " * @panics          no\n", "@panics"),
             ("no-panics", "made", " * @panics          no\n", "")]


def site():
    """Build it, unless it is there as the sources are now."""
    return run("python3", "src/tools/mksite.py", timeout=600).stdout


@needs("doxygen", "dot")
@limit(600)
def test_links():
    """no complaint of doxygen's, every link and anchor, nothing from the net, every page reached from the start page"""
    site()
    wrong = sitelinks.check(OUT)
    assert not wrong, "\n".join(wrong[:20])
    assert not [path.name for path in OUT.rglob("*.html") if str(TOP) in path.read_text()], "names this machine's folders"
    assert len(list(OUT.glob("*.html"))) > 150 and len(list(OUT.glob("*graph*.svg"))) > 30


@cases(*FAULTS)
def test_faults(case):
    """a link that leads nowhere is told, with its page"""
    _, name, old, new, said = case
    with tempfile.TemporaryDirectory() as folder:
        for file, text in GOOD.items():
            (Path(folder) / file).write_text(text)
        assert sitelinks.check(Path(folder)) == []
        assert old in GOOD[name]
        (Path(folder) / name).write_text(GOOD[name].replace(old, new))
        found = sitelinks.check(Path(folder))
        assert any(said in line for line in found), found


@needs("doxygen", "dot")
@limit(600)
def test_unchanged():
    """the second time nothing is built; a change of a header is noticed"""
    site()
    before = (OUT / "index.html").stat().st_mtime_ns
    site()
    assert (OUT / "index.html").stat().st_mtime_ns == before, "built again without cause"
    import mksite

    now, read = mksite.state(), mksite.CODE
    mksite.CODE = [name for name in read if name != "src/hat"]
    try:
        assert mksite.state() != now, "does not depend on src/hat"
    finally:
        mksite.CODE = read


@needs("doxygen", "dot")
@limit(600)
def test_functions():
    """every function of a unit has its contract, which names its lab, and stands on the page of that lab"""
    site()
    where = sitelinks.addresses(TAGS)
    for name, unit in sitecode.units_of_functions().items():
        number = re.match(r"lab(\d+)", unit)[1]
        page, anchor = where[name].split("#")
        text = (OUT / page).read_text()
        item = re.split('class="memtitle"', text[text.index(f'<a id="{anchor}"'):])[1]
        assert f'href="lab-{number}.html' in item, f"{name}(): its contract in {page} does not say @lab{{{number}}}"
        assert where[name] in (OUT / f"lab-{number}.html").read_text(), f"{name}() is not on the page of lab {number}"


def read_contracts(headers, folder):
    """{function: its contract} of these headers."""
    inputs = " ".join(str(path) for path in headers)
    return sitecode.functions(f"INPUT={inputs}\nOUTPUT_DIRECTORY={folder}\nFILE_PATTERNS=*.h\nLAYOUT_FILE=", Path(folder) / "xml")


def of_the_hat():
    with tempfile.TemporaryDirectory(dir=TOP / "build") as folder:
        found = read_contracts([TOP / "src/vm/hat.h", *(TOP / "src/hat").glob("*.h")], folder)
    assert len(found) > 200 and all(map(contracts.is_public, found.values())), sorted(found)
    return found


@needs("doxygen")
def test_contracts():
    """every public function of the HAT says what it is for, its parameters, result, locks, panics and invariants"""
    found = of_the_hat()
    wrong = [f"{one.file}: {one.name}() lacks {', '.join(missing)}" for one in found.values() if (missing := contracts.lacks(one))]
    assert not wrong, "\n".join(sorted(wrong))
    for name in " ".join(contracts.NO_TABLES).split():
        assert contracts.has_tables(found[name]) and not found[name].invariants, f"contracts.NO_TABLES: {name} needs no exception"


@needs("doxygen")
@cases(*OMISSIONS)
def test_omission(case):
    """a contract that lacks something is told, with what it lacks"""
    _, name, omitted, said = case
    assert omitted in CONTRACT
    with tempfile.TemporaryDirectory(dir=TOP / "build") as folder:
        header = Path(folder) / "made.h"
        header.write_text("/** @file\n * @brief b */\n" + CONTRACT.replace(omitted, "").replace("{name}", name))
        found = read_contracts([header], folder)
    assert contracts.lacks(found[name]) == ([said] if said else []), found[name]


@needs("doxygen")
def test_locks_are_said():
    """no contract keeps a lock to itself that the function takes, or whose holder it asserts to be"""
    found, sources = of_the_hat(), Sources()
    written = [one for one in found.values() if one.name in sources.homes and not contracts.is_accessor(one)]
    assert len(written) > 180, f"the sources of {len(written)} functions only are understood"
    wrong = [f"{one.file}: {one.name}() {', '.join(lies)}, and its @locks does not say so" for one in written if (lies := sources.unsaid(one, found))]
    assert not wrong, "\n".join(sorted(wrong))
    for name, locks, lie in (("htable_scan", "none", "takes the window"), ("htable_lookup", "none held", "takes the table lock"),
                             ("hment_prepare", "takes hash's and lists", "asserts that a lock is held")):
        assert sources.unsaid(replace(found[name], said={"Locks": [locks]}), found) == [lie], name


@needs("doxygen")
def test_invariants_have_keepers():
    """each invariant and each property is named by the contract of a function that keeps it or relies on it"""
    named = {number for one in of_the_hat().values() for number in one.invariants}
    text = "".join((TOP / f"docs/{name}.md").read_text() for name in ("invariants", "properties"))
    known = set(re.findall(r"^\| ([SLNFEPD]\d+) \|", text, flags=re.M))
    assert len(known) > 60 and known <= named, f"named by no contract: {', '.join(sorted(known - named))}"


@needs("doxygen", "dot")
@limit(600)
def test_documents():
    """every handout with its figures, every document and every invariant is there"""
    site()
    for path in sorted((TOP / "labs").glob("*/handout.md")):
        number = re.match(r"lab(\d+)", path.parent.name)[1]
        text = (OUT / f"handout-{number}.html").read_text()
        for heading in re.findall(r"^## (.*)$", re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S), flags=re.M):
            assert f">{html.escape(re.sub('[`*]', '', heading), quote=False)}<" in text, f"{path.parent.name}: no {heading}"
        for figure in path.parent.glob("*.svg"):
            assert f'<img src="lab{number}-{figure.name}"' in text, f"{path.parent.name}: {figure.name} is not shown"
    for path in (TOP / "docs").glob("*.md"):
        assert (OUT / f"doc-{path.stem}.html").is_file(), path.name
    relies = (OUT / "relies.html").read_text()
    for name in re.findall(r"^\| ([SLNFEPD]\d+) \|", (TOP / "docs/invariants.md").read_text(), flags=re.M):
        assert f'id="inv-{name}"' in relies, f"{name} is missing among the invariants"
    locks = (OUT / "locks.html").read_text()
    assert [rank for rank, _ in sitepages.lock_ranks()] == re.findall(r"<code>(RANK_\w+)</code>", locks)


@needs("doxygen")
def test_complaints():
    """a reference that doxygen cannot resolve is a complaint, and so is a function of a unit without a contract"""
    with tempfile.TemporaryDirectory(dir=TOP / "build") as folder:
        header = Path(folder) / "wrong.h"
        header.write_text("/** @file\n * @brief b */\n/** Text. @ref nowhere_at_all @inv{S99} */\nint wrong(void);\n")
        said = sitecode.run_doxygen(f"INPUT={header}\nOUTPUT_DIRECTORY={folder}\nGENERATE_TAGFILE=\nHAVE_DOT=NO\nLAYOUT_FILE=\nFILE_PATTERNS=*.h")
    assert "nowhere_at_all" in said and "inv-S99" in said, said
    made = sitepages.Site(Path(folder), {})
    try:
        made.contract("htable_create")
    except HostError as error:
        assert "htable_create() has no contract" in str(error)
    else:
        raise AssertionError("accepted")


@limit(400)
@cases(*FLAVORS)
def test_maps(flavor):
    """the memory map has no gap, and the kernel that was linked lies in it where it says"""
    found = sitemaps.regions(flavor)
    assert found[0].start == 0 and found[-1].end == (2**32 if flavor == "i386" else 2**64) - 1
    assert all(a.end + 1 == b.start for a, b in zip(found, found[1:]))
    elf = Elf(image(flavor) / "kernel.elf")
    for symbol, words in (("text_start", "text and constants"), ("data_start", "data, then boot memory")):
        region = next(r for r in found if r.what.startswith(words))
        assert region.start == elf.address(symbol), f"{words}: {region.start:#x}, linked at {elf.address(symbol):#x}"
    picture = sitemaps.picture(flavor)
    assert all(html.escape(r.what) in picture for r in found)


def targets(text):
    """Words after `make` in commands: spans, indented blocks, lines behind a prompt."""
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    commands = [*spans, *re.findall(r"(?m)^(?:    |\$ )(.*)$", text)]
    return {m for line in commands for m in re.findall(r"(?:^|&& |; |\()make +([a-z][a-z-]*)(?![\w=/-])", line)}


def test_commands():
    """every `make ...` that a document shows is a target"""
    there = set(re.findall(r"^([a-z-]+):", (TOP / "Makefile").read_text(), flags=re.M)) | {"tree"}
    for path in DOCUMENTS:
        wrong = targets(path.read_text()) - there
        assert not wrong, f"{path.relative_to(TOP)}: no such target: {', '.join(sorted(wrong))}"
    assert targets("`make run` x\n\n    make grade LAB=3\n\n```console\n$ cd x && make dcos\nmake it\n```\nmake sure") == {"run", "grade", "dcos"}


@cases(("shield", "a `@x \\ref *` b", "<p>a <code>&#64;x &#92;ref &#42;</code> b</p>"),
       ("emphasis", "*a* **b** x*y*z hat_*", "<p><em>a</em> <b>b</b> x&#42;y&#42;z hat_&#42;</p>"),
       ("table", "| a | b |\n|---|---|\n| `x \\| y` | N1 |\n| N2 | < |",
        '<table class="doc"><tr><th>a</th><th>b</th></tr>\n<tr><td><code>x | y</code></td><td>N1</td></tr>\n'
        '<tr id="N2"><td>N2</td><td>&lt;</td></tr></table>'),
       ("list", "* one\n  - two\n  three\n* four", "<ul><li><p>one</p>\n<ul><li><p>two</p></li></ul>\n<p>three</p></li>\n<li><p>four</p></li></ul>"),
       ("fence", "```bochs at=x\n<bochs> page 1\n# no heading\n```", '<pre class="code bochs"><b>&lt;bochs&gt; page 1</b>\n# no heading</pre>'),
       ("comment", "<!-- a\n b -->\nc", "<p>c</p>"),
       ("link", "[a `b`](x.md#y)", '<p><a href="to:x.md#y">a <a href="maybe:b"><code>b</code></a></a></p>'))
def test_markdown(case):
    """documents look as they do elsewhere, and nothing in them is a command for doxygen"""
    _, text, want = case
    have = Markdown(lambda target: f"to:{target}").document(text)
    assert have == want, have
