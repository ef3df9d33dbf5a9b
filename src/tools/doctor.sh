#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Look at this machine and say what hatlab finds, and what is wrong with it
# (`make doctor`). Changes nothing, needs nothing but a shell, takes about a second.
# Exit 0 when everything needed is fine, else 1; then every "BAD" line is one problem.
#
# Environment: HATLAB_BOCHS and CC name another emulator or compiler, as for the rest.

set -u

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
bad=0

# A scratch directory of our own; tools that are tried out may leave files in it only.
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP PIPE

# One line: state, what, version, where, remark.
line() { printf '%-4s  %-20s %-15s %s%s\n' "$1" "$2" "${3:--}" "${4:--}" "${5:+  ($5)}"; }
good() { line ok "$@"; }
note() { line note "$@"; }
wrong() { bad=$((bad + 1)); line BAD "$@"; }

# A program that hangs must not hang the doctor with it.
limited() {
    if command -v timeout >/dev/null; then timeout -k 1 5 "$@"; else "$@"; fi
}

# The first word that looks like a version in what a tool says about itself. What
# stands in brackets is the packager's.
version() {
    case ${1##*/} in
    xorriso) flag=-version ;;
    dot) flag=-V ;;
    *) flag=--version ;;
    esac
    limited "$1" "$flag" 2>&1 </dev/null |
        sed -n '/[0-9]\.[0-9]/{s/([^)]*)//g;s/^/ /;s/^[^0-9]*[^0-9.]\([0-9][0-9]*\.[0-9][^ ,]*\).*/\1/p;q;}'
}

# ------------------------------------------------------------------- one tool each

# A tool without special wishes: it must run.
check_plain() {
    release=$(version "$2")
    if [ -n "$release" ]; then good "$1" "$release" "$2"
    else wrong "$1" - "$2" "does not run: $(limited "$2" --version 2>&1 </dev/null | head -n 1)"
    fi
}

# GRUB's own list says which modules each module needs; all of them must be there.
check_grub_modules() {
    dir=${1%/*}
    absent=$(awk -v dir="$dir" '
        { name = $1; sub(/:$/, "", name); $1 = ""; needs[name] = $0 }
        function want(m,   list, n, i, file, line) {
            if (m in seen) return
            seen[m] = 1
            file = dir "/" m ".mod"
            if ((getline line < file) < 0) printf " %s", m
            close(file)
            n = split(needs[m], list, " ")
            for (i = 1; i <= n; i++) want(list[i])
        }
        END { n = split("biosdisk iso9660 loadenv multiboot multiboot2", top, " ")
              for (k = 1; k <= n; k++) want(top[k]) }' "$dir/moddep.lst" 2>&1)
    if [ -n "$absent" ]; then
        wrong "GRUB modules" - "$dir" "missing:$absent; reinstall $2"
    else
        good "GRUB modules" - "$dir"
    fi
}

# Bochs is asked to read a configuration that ends in a mistake: it gets as far as the
# line before it, then stops, before any machine, screen or network port exists. So what
# the message is about tells what is compiled in.
probe_bochs() {
    printf '%s\n' 'display_library: rfb' 'cpu: count=2' \
        'display_library: hatlab_probe' >"$scratch/bochsrc"
    limited "$1" -q -f "$scratch/bochsrc" </dev/null 2>&1 |
        sed -n 's/^\[ *[A-Za-z]* *\] *//p' | head -n 1
}

check_bochs() {
    help=$(limited "$1" --help </dev/null 2>&1)
    release=$(printf '%s\n' "$help" | sed -n 's/.*Bochs x86 Emulator \([^ ]*\).*/\1/p' | head -n 1)
    case $release in
    '') wrong Bochs - "$1" "does not run: $(printf '%s\n' "$help" | grep . | head -n 1)"; return ;;
    esac
    faults=
    case $help in
    *-rc\ *) ;;
    *) faults="built without the debugger (needs configure --enable-debugger)" ;;
    esac
    case $release in
    0.* | 1.* | 2.[0-6] | 2.[0-6].*) faults="${faults:+$faults; }too old, 2.7 or later is needed" ;;
    esac
    answer=$(probe_bochs "$1")
    case $answer in
    *hatlab_probe*) ;;
    *n_processors* | *SMP* | *cpu*)
        faults="${faults:+$faults; }built for one CPU only (needs configure --enable-smp)" ;;
    *rfb*) faults="${faults:+$faults; }no 'rfb' display library (needs configure --with-rfb)" ;;
    *) faults="${faults:+$faults; }does not read a configuration: ${answer:-it says nothing}" ;;
    esac
    if [ -n "$faults" ]; then wrong Bochs "$release" "$1" "$faults"
    else good Bochs "$release" "$1" "debugger, several CPUs, rfb display"
    fi
}

# Only the panes of make debug and the tests need it, so nothing is wrong without.
check_tmux() {
    release=$(limited "$1" -V 2>&1 </dev/null | sed -n 's/^tmux \([0-9][^ ]*\)$/\1/p')
    case $release in
    '') note tmux - "$1" "does not run: $(limited "$1" -V 2>&1 </dev/null | head -n 1)" ;;
    0.* | 1.* | 2.[0-5] | 2.[0-5][a-z]) note tmux "$release" "$1" "too old for the panes of 'make debug', 2.6 or later is needed" ;;
    *) good tmux "$release" "$1" ;;
    esac
}

check_python() {
    if limited "$1" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
        good python3 "$(version "$1")" "$1"
    else
        wrong python3 "$(version "$1")" "$1" "3.9 or later is needed"
    fi
}

# Both kernels are compiled by one compiler: it must know both widths, and its assembler
# and linker too.
check_compiler() {
    faults=
    printf '%s\n' '#include <stdint.h>' 'uint64_t f(uint64_t a) { return a + 1; }' >"$scratch/t.c"
    for width in 32 64; do
        if ! limited "$1" -m$width -ffreestanding -c -o "$scratch/t.o" "$scratch/t.c" 2>"$scratch/err"; then
            faults="${faults:+$faults; }-m$width fails: $(head -n 1 "$scratch/err")"
        elif ! limited "$1" -m$width -nostdlib -static -no-pie -Wl,-e,f \
            -o "$scratch/t" "$scratch/t.o" 2>"$scratch/err"; then
            faults="${faults:+$faults; }linking -m$width fails: $(head -n 1 "$scratch/err")"
        fi
    done
    if [ -n "$faults" ]; then wrong compiler "$(version "$1")" "$1" "$faults"
    else good compiler "$(version "$1")" "$1" "-m32 and -m64"
    fi
}

# ------------------------------------------------------------- the table, row by row

# Its columns: need, look for, where it is, packages, what for.
check_row() {
    name=${2%% *}; name=${name##*/}
    case $2 in
    '! python3 '*) name="python modules" ;;
    '! '*) name=${4%% *} ;;
    esac
    if [ -z "$3" ]; then
        if [ "$1" = tests ]; then note "$name" - - "missing, needed by some tests: $5; packages: $4; 'make test' brings them"
        elif [ "$1" = optional ]; then note "$name" - - "missing, optional: $5; packages: $4"
        else wrong "$name" - - "missing: $5; packages: $4; 'make setup' brings them"
        fi
        return
    fi
    case $2 in '! '*) good "$name" - "$5"; return ;; esac
    case $name in
    bochs) check_bochs "${HATLAB_BOCHS:-$3}" ;;
    python3) check_python "$3" ;;
    tmux) check_tmux "$3" ;;
    gcc) check_compiler "$(command -v "${CC:-$3}" || echo "${CC:-$3}")" ;;
    multiboot2.mod) check_grub_modules "$3" "$4" ;;
    *.h | *IOS-*) if [ -s "$3" ]; then good "$name" - "$3"; else wrong "$name" - "$3" "empty file"; fi ;;
    *) check_plain "$name" "$3" ;;
    esac
}

check_tools() {
    # A file and not a pipe: the count of what is wrong must survive the loop.
    sh "$here/setup.sh" --list >"$scratch/rows" || wrong "list of tools" - "$here/packages" unreadable
    while IFS='|' read -r need look where packages what; do
        check_row "$need" "$look" "$where" "$packages" "$what"
    done <"$scratch/rows"
}

# ----------------------------------------------------------------------- the machine

# Bochs' display library without a screen listens on every interface; in a network
# namespace of its own nothing can reach it.
check_network() {
    if ! command -v unshare >/dev/null; then
        note network - - "no unshare: Bochs runs without a network namespace of its own"
    elif unshare -n true 2>/dev/null; then
        good network - "$(command -v unshare)" "Bochs gets a network of its own"
    elif unshare -r -n true 2>/dev/null; then
        good network - "$(command -v unshare)" "Bochs gets a network of its own, by a user namespace"
    else
        note network - "$(command -v unshare)" "namespaces are not allowed here: Bochs is bent to 127.0.0.1, where this machine's users can reach it"
    fi
}

# A run takes about 150 MB of memory, and a tree with all its images some 50 MB of disk.
check_room() {
    free=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo 2>/dev/null)
    if [ -z "$free" ]; then note memory - - "cannot tell how much is free"
    elif [ "$free" -lt 200 ]; then wrong memory "$free MB" free "a run needs 200 MB"
    else good memory "$free MB" free
    fi
    space=$(df -Pk "$here" | awk 'NR == 2 { print int($4 / 1024) }')
    if [ "${space:-0}" -lt 100 ]; then wrong disk "$space MB" "free in $here" "100 MB are needed"
    else good disk "$space MB" "free here"
    fi
}

check_tools
check_network
check_room
if [ $bad -gt 0 ]; then
    echo "doctor: $bad thing(s) to put right, see the lines marked BAD"
    exit 1
fi
echo "doctor: everything needed is fine"
