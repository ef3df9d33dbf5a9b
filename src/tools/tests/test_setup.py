# SPDX-License-Identifier: ISC
"""setup.sh and doctor.sh on machines that lack something: played by fake commands."""

import os
import shutil
import subprocess
import tempfile

from testall import cases

TOOLS = os.path.join("src", "tools")    # the current directory is the top of the project

# Passes --list's look at the machine, whatever is installed here.
TABLE = """
need | hatlab-no-such-tool | tool-package other | tool-f | tool-a | tool-b | does the work
need | sh | shell | - | - | - | is there anyway
"""
# What set-up and doctor call; the fakes come first in PATH.
FAKE_APT = """
echo "$@" >>"$FAKES/apt-calls"
case "$*" in
*" update"*) cat "$FAKES/update-output" 2>/dev/null ;;
*" install "*)
    cat "$FAKES/install-output" 2>/dev/null && exit 100
    printf '#!/bin/sh\\n' >"$FAKES/hatlab-no-such-tool"
    chmod +x "$FAKES/hatlab-no-such-tool" ;;
esac
"""


class Machine:
    """A PATH with fakes in front, and a table of its own."""

    def __init__(self, **fakes):
        self.folder = tempfile.mkdtemp()
        self.stamp = os.path.join(self.folder, "build", "stamp")
        self.env = dict(os.environ, FAKES=self.folder, HATLAB_SYSTEM="debian",
                        PATH=self.folder + os.pathsep + os.environ["PATH"],
                        HATLAB_PACKAGES=self.write("packages", TABLE))
        self.fake("apt-get", FAKE_APT)
        self.fake("id", "echo 0")
        for name, text in fakes.items():
            self.fake(name, text)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as out:
            out.write(text)
        return path

    def fake(self, name, text):
        os.chmod(self.write(name, "#!/bin/sh\n" + text + "\n"), 0o755)

    def run(self, script, *args):
        done = subprocess.run(["sh", os.path.join(TOOLS, script)] + list(args), env=self.env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, universal_newlines=True, timeout=60)
        print(done.stdout)
        return done.returncode, done.stdout

    def setup(self, *args):
        return self.run("setup.sh", "--stamp", self.stamp, *args)

    def apt_calls(self):
        try:
            with open(os.path.join(self.folder, "apt-calls")) as stream:
                return stream.read()
        except OSError:
            return ""


def test_root_installs():
    """Root: what is missing is named with its reason, installed, and the stamp is left."""
    machine = Machine()
    code, output = machine.setup()
    assert code == 0 and "tool-package" in output and "does the work" in output
    calls = machine.apt_calls()
    assert "update" in calls and "--no-install-recommends tool-package other" in calls
    assert "shell" not in calls
    assert os.path.exists(machine.stamp)


def test_what_only_tests_need():
    """A row that only tests need is installed when set-up is asked for it, and not before."""
    machine = Machine()
    machine.write("packages", "need | sh | shell | - | - | - | is there\ntests | hatlab-no-such-tool | browser | - | - | - | looks at pages\n")
    assert machine.setup() == (0, "") and machine.apt_calls() == ""
    code, output = machine.run("setup.sh", "--tests", "--stamp", machine.stamp)
    assert code == 0 and "looks at pages" in output and "--no-install-recommends browser" in machine.apt_calls()


def test_second_time_is_free():
    """Nothing missing: apt-get is not called, nothing is printed."""
    machine = Machine(**{"hatlab-no-such-tool": "true"})
    assert machine.setup() == (0, "")
    assert machine.apt_calls() == "" and os.path.exists(machine.stamp)


def test_without_rights():
    """Neither root nor sudo: the exact line to type, exit 1, nothing called."""
    machine = Machine(id="echo 1000", sudo="exit 1")
    code, output = machine.setup()
    assert code == 1 and machine.apt_calls() == ""
    assert "apt-get install -y --no-install-recommends tool-package other" in output
    assert not os.path.exists(machine.stamp)


def test_sudo_without_password():
    """sudo that needs no password is used."""
    machine = Machine(id="echo 1000", sudo='test "$1" = -n && shift; "$@"')
    code, _ = machine.setup()
    assert code == 0 and "tool-package" in machine.apt_calls()


def test_no_network():
    """The lists do not arrive: one line with the packages and the reason."""
    machine = Machine()
    machine.write("update-output", "W: Failed to fetch http://x/InRelease  Could not resolve 'x'\n")
    machine.write("install-output", "E: Unable to locate package tool-package\n")
    code, output = machine.setup()
    assert code == 1 and not os.path.exists(machine.stamp)
    assert "could not install tool-package other: Failed to fetch http://x" in output


def test_unknown_package():
    """A package that does not exist is named."""
    machine = Machine()
    machine.write("install-output", "E: Unable to locate package other\n")
    code, output = machine.setup()
    assert code == 1 and "Unable to locate package other" in output


def test_installed_but_absent():
    """apt-get content, the tool still not there: said, and no stamp."""
    machine = Machine(**{"apt-get": "true"})
    code, output = machine.setup()
    assert code == 1 and "still missing: tool-package" in output
    assert not os.path.exists(machine.stamp)


@cases(("fedora", "dnf", "tool-f"), ("arch", "pacman", "tool-a"), ("brew", "brew", "tool-b"))
def test_other_systems(case):
    """Fedora, Arch, macOS: the names of their packages, exit 1."""
    system, manager, package = case
    machine = Machine()
    machine.env["HATLAB_SYSTEM"] = system
    code, output = machine.setup()
    assert code == 1 and machine.apt_calls() == ""
    assert manager in output and package in output and "debugger" in output


def test_other_system_complete():
    """Another system that has everything is as good as Debian."""
    machine = Machine(**{"hatlab-no-such-tool": "true"})
    machine.env["HATLAB_SYSTEM"] = "other"
    assert machine.setup()[0] == 0


# ---------------------------------------------------------------------- the doctor

def doctor(**env):
    machine = Machine()
    del machine.env["HATLAB_PACKAGES"]      # the real table
    machine.env.update(env)
    return machine.run("doctor.sh")


def test_doctor_here():
    """This machine runs the tests, so the doctor must like it."""
    code, output = doctor()
    assert code == 0 and "BAD" not in output


def fake_bochs(help_text, message, release="9.9"):
    """A Bochs that has this help text and reports this about a configuration."""
    machine = Machine(bochs="""
case "$*" in
*--help*) printf '%%s\\n' '%s' ' Bochs x86 Emulator %s' ;;
*) printf '%%s\\n' '[      ] %s'; exit 1 ;;
esac""" % (help_text, release, message))
    del machine.env["HATLAB_PACKAGES"]
    return machine.run("doctor.sh")


GOOD_HELP = "  -rc filename     execute debugger commands"
GOOD_MESSAGE = "x:3: display library hatlab_probe not available"


def test_doctor_likes_complete_bochs():
    """The fakes below differ from this one only in what they lack."""
    assert fake_bochs(GOOD_HELP, GOOD_MESSAGE)[0] == 0


@cases(("debugger", "", GOOD_MESSAGE),
       ("--enable-smp", GOOD_HELP, "numerical parameter n_processors was set to 2,"
        " which is out of range 1 to 1"),
       ("--with-rfb", GOOD_HELP, "x:1: display library rfb not available"))
def test_doctor_wrong_bochs(case):
    """Bochs without debugger, without SMP, without rfb: named, exit 1."""
    word, help_text, message = case
    code, output = fake_bochs(help_text, message)
    row = [line for line in output.splitlines() if "Bochs" in line][0]
    assert code == 1 and row.startswith("BAD") and word in row


@cases("2.6.11", "2.6", "1.4")
def test_doctor_old_bochs(release):
    """A Bochs older than all that was tried: named with what is needed, exit 1."""
    code, output = fake_bochs(GOOD_HELP, GOOD_MESSAGE, release)
    row = [line for line in output.splitlines() if "Bochs" in line][0]
    assert code == 1 and row.startswith("BAD") and release in row and "2.7 or later" in row


@cases(("too old", "tmux 2.5", "too old"), ("too old, with a letter", "tmux 1.9a", "too old"), ("broken", "tmux: no library", "does not run"))
def test_doctor_wrong_tmux(case):
    """Nobody needs tmux: a note, and no complaint."""
    _, said, word = case
    machine = Machine(tmux="echo '%s'" % said)
    del machine.env["HATLAB_PACKAGES"]
    code, output = machine.run("doctor.sh")
    row = [line for line in output.splitlines() if " tmux " in line][0]
    assert code == 0 and row.startswith("note") and word in row


def test_doctor_missing_tool():
    """A tool that was removed after set-up is found missing."""
    machine = Machine()
    code, output = machine.run("doctor.sh")
    row = [line for line in output.splitlines() if "hatlab-no-such-tool" in line][0]
    assert code == 1 and row.startswith("BAD") and "tool-package" in row


def test_doctor_grub_module_gone():
    """A GRUB module that another one needs is gone: named."""
    machine = Machine()
    modules = os.path.join(machine.folder, "i386-pc")
    os.mkdir(modules)
    machine.write("i386-pc/moddep.lst",
                  "multiboot2: relocator\nmultiboot:\nloadenv:\nbiosdisk:\niso9660: fshelp\n")
    for name in ("multiboot2", "multiboot", "loadenv", "biosdisk", "iso9660", "fshelp"):
        machine.write("i386-pc/%s.mod" % name, "")
    machine.write("packages", "need | %s/multiboot2.mod | grub-p | g | g | g | modules\n" % modules)
    code, output = machine.run("doctor.sh")
    assert code == 1 and "missing: relocator" in output
    machine.write("i386-pc/relocator.mod", "")
    assert machine.run("doctor.sh")[0] == 0


def test_doctor_wrong_compiler():
    """A compiler that cannot do 32 bits is named."""
    machine = Machine(gcc='case "$*" in *-m32*) echo no 32 bits >&2; exit 1;; esac\n'
                          'exec %s "$@"' % shutil.which("gcc"))
    del machine.env["HATLAB_PACKAGES"]
    code, output = machine.run("doctor.sh")
    assert code == 1 and "-m32 fails: no 32 bits" in output
