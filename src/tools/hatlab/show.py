# SPDX-License-Identifier: ISC
"""Show what compare found: as text for people, in at most 100 columns, and as plain data for JSON."""

from __future__ import annotations

from .compare import Difference, HatReport, Report, Row
from .run import Result

WIDTH = 100
NAMES = {"bochs": "Bochs", "qemu": "QEMU"}
DIFFERENCES_SHOWN = 3  # of one address space


def row_text(row: Row, digits: int) -> str:
    """One range, without the marks."""
    return (
        f"  {row.va0:0{digits}x}-{row.va1:0{digits}x} {row.pa0:012x}-{row.pa1:012x} {row.size} {row.rights()} "
        f"{row.bits()}"
    )


def marks_text(row: Row) -> str:
    """What each witness says about it; with the range, 98 columns in long mode."""
    return f"{row.marks['kernel']:<6} {row.marks['bochs']:<5} {row.marks['raw']}"


def heading(digits: int, emulator: str = "bochs") -> str:
    virtual, physical = "virtual", "physical"
    return f"  {virtual:<{digits * 2 + 1}} {physical:<25} pg rwxu g ad c. s. kernel {emulator:<5} raw"


class Printer:
    """Prints reports; remembers which ranges were shown, so that only what changed is shown again."""

    def __init__(self, say, everything: bool = False) -> None:
        self._say = say
        self._everything = everything
        self._shown: dict[tuple[str, int], set[str]] = {}

    def report(self, flavor: str, report: Report, t: int = 0) -> None:
        cp = report.checkpoint
        bad = "" if report.ok else "   DISAGREE"
        self._say(f"{flavor} checkpoint {cp.n} {cp.name}: cpu {cp.cpu}, {len(report.hats)} address spaces{bad}")
        for problem in report.problems:
            self._say(f"  PROBLEM {problem}")
        for hat in report.hats:
            self._hat(flavor, report, hat)

    def _hat(self, flavor: str, report: Report, out: HatReport) -> None:
        digits = 16 if report.mode == "long" else 8
        lines = [(row, row_text(row, digits)) for row in out.rows]
        known = self._shown.setdefault((flavor, out.hat.addr), set())
        kernel = self._kernels(report, digits) if out.hat.name == "user" else set()
        fresh = [(row, text) for row, text in lines if self._everything or not row.agreed or text not in known | kernel]
        self._shown[flavor, out.hat.addr] = {text for row, text in lines if row.agreed}
        self._say(f" {_hat_line(out, NAMES[report.emulator])}")
        if fresh:
            self._say(heading(digits, report.emulator))
        for row, text in fresh:
            self._say(f"{text} {marks_text(row)}")
        as_kernel = sum(row.agreed and text in kernel for row, text in lines)
        if fresh and not self._everything:
            self._fold(len(lines) - len(fresh) - as_kernel, as_kernel)
        for problem in out.problems:
            self._say(f"  PROBLEM {problem}")
        self._differences(out.differences)

    def _kernels(self, report: Report, digits: int) -> set[str]:
        """The ranges of the kernel's own hat, which every other one repeats."""
        return {row_text(r, digits) for h in report.hats if h.hat.name == "kernel" for r in h.rows if r.agreed}

    def _fold(self, before: int, as_kernel: int) -> None:
        parts = [f"{before} as before"] if before else []
        parts += [f"{as_kernel} as in the kernel's hat"] if as_kernel else []
        if parts:
            self._say(f"  and {', '.join(parts)}")

    def _differences(self, differences: list[Difference]) -> None:
        for d in differences[:DIFFERENCES_SHOWN]:
            first, *rest = d.text
            self._say(f"  DIFFERENCE {first}")
            for line in rest:
                self._say(f"  {line}")
        if len(differences) > DIFFERENCES_SHOWN:
            self._say(f"  and {len(differences) - DIFFERENCES_SHOWN} more entries differ (--json has them all)")


def _hat_line(out: HatReport, name: str) -> str:
    seen = f"{out.pages_asked} pages asked" if out.current else f"{name} is blind"
    agreed = sum(row.agreed for row in out.rows)
    verdict = f"{len(out.rows)} ranges agree" if out.ok else f"{agreed} of {len(out.rows)} ranges agree"
    return f"{out.hat}: {verdict}; {out.entries} entries, {out.tables} tables; {seen}"


# --------------------------------------------------------------------------------------------------------------- JSON


def row_data(row: Row) -> dict:
    return {
        "va0": f"0x{row.va0:x}", "va1": f"0x{row.va1:x}", "pa0": f"0x{row.pa0:x}", "pa1": f"0x{row.pa1:x}",
        "size": row.size, "u": row.u, "w": row.w, "x": row.x, "g": row.g, "a": row.a, "d": row.d,
        "cache": row.cache, "soft": row.soft, **row.marks,
    }


def difference_data(d: Difference) -> dict:
    return {
        "va": f"0x{d.va:x}", "level": d.level, "index": d.index, "base": f"0x{d.base:x}", "frame": f"0x{d.frame:x}",
        **{name: None if entry is None else f"0x{entry:x}" for name, entry in d.entries.items()},
        "blind": sorted(d.blind), "alone": d.alone, "text": d.text,
    }


def hat_data(out: HatReport) -> dict:
    hat = out.hat
    return {
        "hat": f"0x{hat.addr:x}", "name": hat.name, "flags": sorted(hat.flags), "root": f"0x{hat.root:x}",
        "current": out.current, "ok": out.ok, "tables": out.tables, "entries": out.entries,
        "rows": [row_data(row) for row in out.rows],
        "differences": [difference_data(d) for d in out.differences],
        "problems": out.problems,
    }


def report_data(report: Report) -> dict:
    cp = report.checkpoint
    return _named(report.emulator, {
        "name": cp.name, "n": cp.n, "cpu": cp.cpu, "cr3": f"0x{cp.cr3:x}", "hat": f"0x{cp.hat:x}", "mode": report.mode,
        "ok": report.ok, "problems": report.problems, "hats": [hat_data(out) for out in report.hats],
    })


def _named(emulator: str, data):
    """The witness called "bochs" under the name of the emulator that it is."""
    if isinstance(data, dict):
        return {emulator if key == "bochs" else key: _named(emulator, value) for key, value in data.items()}
    if isinstance(data, list):
        return [_named(emulator, value) for value in data]
    return emulator if data == "bochs" else data


def run_data(result: Result, reports: list[Report]) -> dict:
    return {
        "flavor": result.flavor, "args": result.args, "cpus": result.cpus,
        "ok": result.ok and all(r.ok for r in reports), "exit": result.exit, "problem": result.problem,
        "details": result.details, "instructions": result.instructions, "seconds": round(result.seconds, 3),
        "records": [{"kind": r.kind, **r.values} for r in result.records],
        "errors": [str(e) for e in result.reader.errors],
        "checkpoints": [report_data(r) for r in reports],
    }
