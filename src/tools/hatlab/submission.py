# SPDX-License-Identifier: ISC
"""A submission: one archive with exactly what is the student's of one lab (docs/handin.md).

pack() writes one, the same bytes for the same files: names sorted, no times, no owners. unpack() reads one that a stranger
has made: every member must be a plain file that the lab names. Anything else, and the whole archive is refused with one line
(LabError) before anything has been written.

The format is a plain tar inside gzip, read by hand: a general reader of tar follows links and renames, and believes sizes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import shutil
import stat
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from . import lab as labs
from .lab import Lab, LabError

BLOCK = 512
MAX_ARCHIVE = 1 << 20       # bytes of the archive
MAX_CONTENT = 4 << 20       # bytes that it may unpack to
MAX_FILE = 256 << 10        # bytes of one file
MAX_MEMBERS = 64
FOLDER = labs.TOP / "build/submission"
KINDS = {b"1": "a hard link", b"2": "a link", b"3": "a device", b"4": "a device", b"5": "a folder", b"6": "a pipe",
         b"g": "an extended header", b"x": "an extended header", b"K": "a long name", b"L": "a long name", b"S": "a sparse file"}


@dataclass(frozen=True)
class Submission:
    lab: Lab
    student: str
    files: dict[str, bytes]     # "id" and "lab1-entries/x86pte_set.c", ...
    digest: str                 # of the archive

    @property
    def folder(self) -> Path:
        """Where extract() puts it: what a grader takes for labs/."""
        return FOLDER / self.digest[:16] / "labs"


# ---------------------------------------------------------------------------- writing

def header(name: str, size: int) -> bytes:
    raw = bytearray(BLOCK)
    def put(at: int, text: bytes) -> None:
        raw[at:at + len(text)] = text
    put(0, name.encode("ascii"))
    put(100, b"0000644\0" b"0000000\0" b"0000000\0" + b"%011o\0" % size + b"00000000000\0" + b" " * 8 + b"0")
    put(257, b"ustar\0" b"00")
    put(148, b"%06o\0 " % sum(raw))
    return bytes(raw)


def archive(files: dict[str, bytes]) -> bytes:
    """The archive of these files: nothing but names and contents goes into it."""
    tar = b"".join(header(name, len(files[name])) + files[name] + bytes(-len(files[name]) % BLOCK) for name in sorted(files))
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=out, mtime=0) as stream:
        stream.write(tar + bytes(2 * BLOCK))
    data = bytearray(out.getvalue())
    data[9] = 255               # which system has made it: of no interest
    return bytes(data)


def read_student_file(path: Path, shown: str) -> bytes:
    try:
        info = os.lstat(path)
    except OSError:
        raise LabError(f"{shown} is missing: it belongs to what is handed in") from None
    if not stat.S_ISREG(info.st_mode):
        raise LabError(f"{shown} is not a plain file")
    if info.st_size > MAX_FILE:
        raise LabError(f"{shown} is {info.st_size} bytes long: at most {MAX_FILE} are taken")
    return path.read_bytes()


def collect(lab: Lab, student: str, folder: Path | str = "labs") -> dict[str, bytes]:
    """What is the student's of this lab."""
    where = lab.folder(folder)
    files = {f"{lab.name}/{name}": read_student_file(where / name, f"{lab.name}/{name}") for name in lab.student_files()}
    return {"id": f"{student}\n".encode("ascii"), **files}


# ---------------------------------------------------------------------------- reading

def inflate(data: bytes, shown: str) -> bytes:
    """Unpack one gzip stream; never more than MAX_CONTENT bytes."""
    stream = zlib.decompressobj(wbits=31)
    try:
        out = stream.decompress(data, MAX_CONTENT + 1)
    except zlib.error as e:
        what = "not a gzip archive" if data[:2] != b"\x1f\x8b" else f"damaged ({str(e).split(': ')[-1]})"
        raise LabError(f"{shown}: {what}: hand in what `make handin` has written") from None
    if len(out) > MAX_CONTENT:
        raise LabError(f"{shown}: unpacks to more than {MAX_CONTENT} bytes: refused")
    if not stream.eof:
        raise LabError(f"{shown}: ends too early: it has been cut off on its way")
    if stream.unused_data:
        raise LabError(f"{shown}: {len(stream.unused_data)} bytes follow the end of the archive: refused")
    return out


def octal(field: bytes) -> int | None:
    text = field.rstrip(b"\0 ").lstrip(b" ")
    return int(text, 8) if re.fullmatch(rb"[0-7]+", text) else None


def members(tar: bytes, shown: str) -> dict[str, bytes]:
    """{name: content} of a tar in which there are plain files only."""
    found: dict[str, bytes] = {}
    at = 0
    while at + BLOCK <= len(tar) and any(tar[at:at + BLOCK]):
        head = tar[at:at + BLOCK]
        size, check = octal(head[124:136]), octal(head[148:156])
        if head[257:262] != b"ustar" or size is None or check != sum(head[:148] + b" " * 8 + head[156:]):
            raise LabError(f"{shown}: damaged: there is no header at byte {at} of its tar")
        name = member_name(head, shown)
        kind = head[156:157]
        if kind not in (b"0", b"\0"):
            raise LabError(f"{shown}: {name!r} is {KINDS.get(kind, 'of an unknown kind')}: only plain files are taken")
        if name in found:
            raise LabError(f"{shown}: {name!r} is in it twice")
        if len(found) >= MAX_MEMBERS:
            raise LabError(f"{shown}: more than {MAX_MEMBERS} files are in it")
        if size > MAX_FILE:
            raise LabError(f"{shown}: {name!r} is {size} bytes long: at most {MAX_FILE} are taken")
        if at + BLOCK + size > len(tar):
            raise LabError(f"{shown}: damaged: {name!r} ends too early")
        found[name] = tar[at + BLOCK:at + BLOCK + size]
        at += BLOCK + (size + BLOCK - 1) // BLOCK * BLOCK
    if len(tar) - at < 2 * BLOCK or any(tar[at:]):
        raise LabError(f"{shown}: damaged: its tar does not end as one should")
    return found


def member_name(head: bytes, shown: str) -> str:
    raw, prefix = head[:100].split(b"\0")[0], head[345:500].split(b"\0")[0] if head[257:263] == b"ustar\0" else b""
    raw = prefix + b"/" + raw if prefix else raw
    name = raw.decode("ascii", "backslashreplace")
    if name.startswith("/"):
        raise LabError(f"{shown}: {name!r} is an absolute path: refused")
    if ".." in re.split(r"[/\\]", name):
        raise LabError(f"{shown}: {name!r} climbs out of the archive: refused")
    if not re.fullmatch(r"[A-Za-z0-9._@/-]+", name):
        raise LabError(f"{shown}: {name!r} is no name for a file of a lab")
    return name


def which_lab(names: list[str], shown: str) -> Lab:
    numbers = {m[1] for name in names if (m := re.match(r"lab(\d{1,3})-", name))}
    if not numbers:
        raise LabError(f"{shown}: there are no files of a lab in it")
    if len(numbers) > 1:
        raise LabError(f"{shown}: files of several labs are in it (" + ", ".join(sorted(numbers)) + "): one lab, one archive")
    try:
        return labs.get(numbers.pop())
    except LabError as e:
        raise LabError(f"{shown}: {e}") from None


def check_files(lab: Lab, files: dict[str, bytes], shown: str) -> str:
    """Every file is one that the lab names; whose they are."""
    mine = {"id", *(f"{lab.name}/{name}" for name in lab.student_files())}
    for name in files:
        if name not in mine:
            raise LabError(f"{shown}: {name!r} is not a file that you write for lab {lab.number}: refused")
    for name in sorted(mine - set(files)):
        if name != "id":
            raise LabError(f"{shown}: {name!r} is not in it: hand in what `make handin` has written")
    if "id" not in files:
        raise LabError(f"{shown}: there is no id in it: whose is it?")
    try:
        text = files["id"].decode("ascii").strip()
    except UnicodeDecodeError:
        text = ascii(files["id"])
    return labs.check_id(text, f"{shown}: id")


def read(path: Path | str, number: int | str | None = None) -> Submission:
    """What is in an archive; `number`: the lab that it must be of. Writes nothing."""
    path, shown = Path(path), Path(path).name[:80]
    try:
        info = os.stat(path)
        if not stat.S_ISREG(info.st_mode):
            raise LabError(f"{shown} is not a plain file")
        if info.st_size > MAX_ARCHIVE:
            raise LabError(f"{shown} is {info.st_size} bytes long: a submission has at most {MAX_ARCHIVE}")
        data = path.read_bytes()
    except OSError as e:
        raise LabError(f"{shown} cannot be read: {e.strerror}") from None
    files = members(inflate(data, shown), shown)
    lab = which_lab(list(files), shown)
    if number is not None and lab != labs.get(number):
        raise LabError(f"{shown}: it is of lab {lab.number}, and lab {number} was asked for")
    return Submission(lab, check_files(lab, files, shown), files, hashlib.sha256(data).hexdigest())


def extract(submission: Submission) -> Path:
    """Put its files where a grader takes them from, and nothing else; the folder that stands for labs/."""
    final = submission.folder.parent
    FOLDER.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=FOLDER, prefix="new-"))
    for name, data in submission.files.items():
        path = fresh / "labs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    if tree(final) == tree(fresh):          # nothing to build again
        shutil.rmtree(fresh)
    else:
        shutil.rmtree(final, ignore_errors=True)
        os.rename(fresh, final)
    return submission.folder


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() and not p.is_symlink() else b"?"
            for p in folder.rglob("*") if not p.is_dir()}
