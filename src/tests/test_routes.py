# SPDX-License-Identifier: ISC
"""The ways to a table, each where it can exist; top tables inside a hat while other CPUs run them; entries loaded whole."""

from common import TOP, boot, checks, compare, image
from test_boot import CHECKPOINTS
from testall import cases, limit

MODES = {"i386": ("pae=1", "pae=0"), "amd64": ("kpm=1", "kpm=0")}
EACH = [f"{flavor} {cpus} {mode}" for flavor, modes in MODES.items() for mode in modes for cpus in (2,)]
NAMES = "routes,routes-vlp,routes-cpu,vlp-running,vlp-ends,vlp-gigabyte,untorn"


@cases(*EACH)
def test_checks(which):
    """windows, the linear map, entries inside a hat: all checks are ok in every mode"""
    flavor, cpus, mode = which.split()
    result = boot(flavor, f"{mode} tour=0 checks={NAMES}", cpus=int(cpus))
    assert result.ok, result.problem
    found = {name: verdict for (name, _, _), (verdict, _) in checks(result).items()}
    assert found == dict.fromkeys(NAMES.split(","), "ok"), found
    route = next(r["text"] for r in result.reader.find("check-note") if r["name"] == "routes")
    assert route == ("route: linear map" if mode == "kpm=1" else "route: page window"), route


@cases("1", "4")
@limit(180)
def test_windows_on_amd64(cpus):
    """kpm=0: the 64-bit kernel reaches its tables through page windows, and the witnesses agree"""
    code, text, data = compare("amd64", "--cpus", cpus, args="kpm=0")
    assert code == 0, text
    assert [c["name"] for c in data["runs"][0]["checkpoints"]] == CHECKPOINTS, text


@cases("kpm=1", "kpm=0")
@limit(180)
def test_32_bit_process(mode):
    """the tour runs an address space with its top table inside the hat: CR3 holds the CPU's own copy"""
    found = []

    def stop(_machine, checkpoint, _reader):
        if checkpoint.name == "two-spaces":
            found.append(checkpoint)

    result = boot("amd64", mode, at_checkpoint=stop)
    assert result.ok, result.problem
    hat = next(h for h in found[0].hats if h.addr == found[0].hat)
    assert hat.vlp and hat.top == 2, hat
    assert found[0].cr3 != hat.root, (found[0].cr3, hat.root)
    assert [r.va0 for r in hat.summary][:2] == [0x00400000, 0xFFFFF000], hat.summary


def test_torn_loads_are_seen():
    """two loads of 4 bytes, in place of one of 8: the check notices"""
    torn = TOP / "build/pte_load-two-loads.c"
    torn.parent.mkdir(exist_ok=True)
    torn.write_text("""#include <hat/x86pte.h>
x86pte_t
pte_load(volatile void *p)
{
	volatile uint32_t *half = p;
	x86pte_t low = half[0];

	return (mmu.pae_hat ? low | (x86pte_t)half[1] << 32 : low);
}
""")
    folder = image("i386", "torn", UNITS=f"pte_load={torn.relative_to(TOP)}")
    for cpus in (2, 4):
        result = boot("i386", "tour=0 checks=untorn", folder=folder, cpus=cpus)
        verdict, text = next(iter(checks(result).values()))
        assert verdict == "wrong" and "half of one" in text, (cpus, verdict, text)
