#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Install what hatlab needs and this machine lacks (`make setup`).
#
#   setup.sh [--tests | --all] [--dry-run] [--stamp FILE]
#       Look for everything in the table src/tools/packages and install what is
#       missing. --tests: also what only tests need. --all: the optional things too. --dry-run: only say what would be
#       done. On success FILE (build/.setup-ok) is touched, so that make need not call
#       this again; `make doctor` looks at the machine itself and is not fooled by it.
#   setup.sh --list
#       Print the table as it looks on this machine, for doctor.sh:
#       need|look for|where it is (empty: missing)|packages|what for
#
# Written for a machine that has only a shell and make. Never asks a question, except
# that sudo may ask for a password at a terminal.
#
# Environment: CI (never ask anything), HATLAB_SYSTEM (debian, fedora, arch, brew or
# other: pretend to be on that system).

set -u

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd) || exit 1
table=${HATLAB_PACKAGES:-$root/src/tools/packages}
stamp=$root/build/.setup-ok
which_rows=need
dry_run=

say() { printf 'hatlab set-up: %s\n' "$*"; }
die() { printf 'hatlab set-up: %s\n' "$*" >&2; exit 1; }

# ---------------------------------------------------------------- the table

# Which column of the table is this machine's.
system() {
    if [ -n "${HATLAB_SYSTEM:-}" ]; then echo "$HATLAB_SYSTEM"; return; fi
    # Not by name: any relative of Debian has these two and Debian's package names.
    if command -v apt-get >/dev/null && command -v dpkg >/dev/null; then echo debian; return; fi
    case $(uname -s) in Darwin) echo brew; return ;; esac
    # In a subshell: the file sets variables with common names.
    ids=$( (. /etc/os-release && echo "${ID:-} ${ID_LIKE:-}") 2>/dev/null )
    case " $ids " in
    *" fedora "* | *" rhel "*) echo fedora ;;
    *" arch "*) echo arch ;;
    *) echo other ;;
    esac
}

# Where one thing of the "look for" column is; fails when it is nowhere.
find_one() {
    case $1 in
    '! '*)
        sh -c "${1#! }" >/dev/null 2>&1 && echo yes
        return ;;
    esac
    # Unquoted on purpose: the alternatives are separated by blanks.
    for candidate in $1; do
        case $candidate in
        /*) if [ -e "$candidate" ]; then echo "$candidate"; return 0; fi ;;
        *) if command -v "$candidate"; then return 0; fi ;;
        esac
    done
    return 1
}

# Blanks around a field are there for the reader of the table only.
trim() {
    trimmed=$1
    trimmed=${trimmed#"${trimmed%%[! ]*}"}
    trimmed=${trimmed%"${trimmed##*[! ]}"}
}

# The whole table as seen from this machine: see --list above.
list_rows() {
    os=$(system)
    while IFS='|' read -r need look debian fedora arch brew what; do
        case $need in '' | '#'*) continue ;; esac
        case $os in
        fedora) packages=$fedora ;;
        arch) packages=$arch ;;
        brew) packages=$brew ;;
        *) packages=$debian ;;
        esac
        trim "$packages"; packages=$trimmed
        if [ "$packages" = - ]; then continue; fi
        trim "$need"; need=$trimmed
        trim "$look"; look=$trimmed
        trim "$what"; what=$trimmed
        where=$(find_one "$look")
        printf '%s|%s|%s|%s|%s\n' "$need" "$look" "$where" "$packages" "$what"
    done <"$table"
}

# "packages|what for" of everything that set-up should bring and is not there.
missing_rows() {
    list_rows | while IFS='|' read -r need look where packages what; do
        if [ -n "$where" ]; then continue; fi
        case $which_rows:$need in
        *:need | tests:tests | all:*) printf '%s|%s\n' "$packages" "$what" ;;
        esac
    done
}

# The packages of such rows, each once, on one line.
packages_of() {
    printf '%s\n' "$1" | cut -d'|' -f1 | tr ' ' '\n' | awk 'NF && !seen[$0]++' | tr '\n' ' ' |
        sed 's/ $//'
}

# Such rows for people; what one package brings is said once.
show_rows() {
    printf '%s\n' "$1" | awk -F'|' '!seen[$1]++ { printf "    %-32s %s\n", $1, $2 }'
}

# ------------------------------------------------------------ Debian, Ubuntu

# How this user may install: "root", a sudo command, or "none".
rights() {
    if [ "$(id -u)" = 0 ]; then echo root
    elif ! command -v sudo >/dev/null; then echo none
    elif sudo -n true 2>/dev/null; then echo "sudo -n"
    # A password can be typed only at a terminal, and a build machine has nobody to type it.
    elif [ -t 0 ] && [ -z "${CI:-}" ]; then echo sudo
    else echo none
    fi
}

# apt-get with the answers to all questions, output to the log.
apt() {
    prefix=$how
    if [ "$prefix" = root ]; then prefix=; fi
    # The lock on fd 9 must not live on in a daemon that some package starts.
    $prefix env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q -y \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 -o Acquire::http::Timeout=30 \
        "$@" </dev/null 9>&-
}

# apt-get update. It fails at once while another one runs (on a new cloud machine the
# daily one often does), and one broken source of the machine's owner is no reason to
# stop: what counts is whether the packages can be installed afterwards.
update_lists() {
    tries=0
    while :; do
        apt update >"$log.update" 2>&1
        if ! grep -q 'Could not get lock\|Unable to lock' "$log.update"; then break; fi
        tries=$((tries + 1))
        if [ $tries -gt 60 ]; then break; fi
        if [ $tries = 1 ]; then say "waiting for another apt-get to finish"; fi
        sleep 5
    done
    cat "$log.update" >>"$log"
    trouble=$(sed -n 's/^[EW]: \(.*[Ff]ailed.*\|.*lock.*\)/\1/p' "$log.update" | head -n 1)
    rm -f "$log.update"
}

# What went wrong with the packages $1, in one line.
explain_failure() {
    absent=
    for package in $1; do
        state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)
        if [ "$state" != installed ]; then absent="$absent $package"; fi
    done
    reason=$(sed -n 's/^E: //p' "$log" | grep 'locate\|candidate\|interrupted' | head -n 1)
    # A package that cannot be located usually only means that the lists did not arrive.
    case $reason in *ocate* | *candidate* | '') if [ -n "$trouble" ]; then reason=$trouble; fi ;; esac
    if [ -z "$reason" ]; then reason=$(sed -n 's/^E: //p' "$log" | head -n 1); fi
    die "could not install${absent:- $1}: ${reason:-apt-get failed}." \
        "Check the network and the sources in /etc/apt, then try again (whole output: $log)"
}

# Say what will be installed and why; $1 holds the missing rows.
announce() {
    say "installing what is missing on this machine:"
    show_rows "$1"
}

# The command for someone else to type. One line, complete.
manual_line() {
    echo "    apt-get update && apt-get install -y --no-install-recommends $1"
}

install_debian() {
    rows=$1
    wanted=$(packages_of "$rows")
    how=$(rights)
    if [ -n "$dry_run" ]; then
        announce "$rows"
        manual_line "$wanted"
        exit 0
    fi
    if [ "$how" = none ]; then
        {
            say "needs root to install packages. As root, or with sudo before each command, run"
            manual_line "$wanted"
            say "and then try again."
        } >&2
        exit 1
    fi
    announce "$rows"
    if [ "$how" = sudo ]; then say "sudo may ask for your password"; sudo -v || die "sudo refused"; fi
    : >"$log" || die "cannot write $log"
    update_lists
    say "apt-get install, this can take a few minutes (progress: $log)"
    # Unquoted on purpose: a list.
    apt install --no-install-recommends $wanted >>"$log" 2>&1 || explain_failure "$wanted"
}

# ------------------------------------------------------------ everything else

explain_other() {
    rows=$1
    packages=$(packages_of "$rows")
    {
        say "this system's packages are not installed automatically. Missing here:"
        show_rows "$rows"
        case $(system) in
        fedora) echo "    sudo dnf install $packages" ;;
        arch) echo "    sudo pacman -S --needed $packages" ;;
        brew) echo "    brew install $packages" ;;
        *) echo "    (these are Debian's names; look for your system's own)" ;;
        esac
        say "Bochs must be built with its debugger and for several CPUs" \
            "(configure --enable-debugger --enable-smp --enable-x86-64 --with-rfb);" \
            "'make doctor' tells whether yours is."
    } >&2
    exit 1
}

# ------------------------------------------------------------------------ main

# One set-up at a time on the whole machine. A directory that every Debian has is locked
# as it is: no file is left behind, nothing in /tmp to be tricked with.
take_turn() {
    if ! command -v flock >/dev/null || ! [ -r /var/lib/dpkg ]; then return; fi
    exec 9</var/lib/dpkg
    if ! flock -n 9; then
        say "another set-up is running; waiting for it"
        flock -w 1800 9 || die "the other set-up does not end; try again later"
    fi
}

finish() {
    mkdir -p "$(dirname "$stamp")" && : >"$stamp" || die "cannot write $stamp"
    exit 0
}

main() {
    [ -r "$table" ] || die "cannot read $table"
    rows=$(missing_rows)
    if [ -z "$rows" ]; then
        if [ -n "$dry_run" ]; then say "nothing is missing"; exit 0; fi
        finish
    fi
    if [ "$(system)" != debian ]; then explain_other "$rows"; fi
    log=$(dirname "$stamp")/setup.log
    if [ -z "$dry_run" ]; then
        mkdir -p "$(dirname "$stamp")" || die "cannot make $(dirname "$stamp")"
        take_turn
        # Whoever had the turn before may have installed it all.
        rows=$(missing_rows)
        if [ -z "$rows" ]; then finish; fi
    fi
    install_debian "$rows"
    rows=$(missing_rows)
    if [ -n "$rows" ]; then
        die "apt-get reports success, but this is still missing: $(packages_of "$rows")" \
            "(removed by hand? try: apt-get install --reinstall $(packages_of "$rows"))"
    fi
    say "done"
    finish
}

while [ $# -gt 0 ]; do
    case $1 in
    --tests) which_rows=tests ;;
    --all) which_rows=all ;;
    --dry-run) dry_run=yes ;;
    --stamp) shift; [ $# -gt 0 ] || die "--stamp needs a file name"; stamp=$1 ;;
    --list) list_rows; exit 0 ;;
    *) die "unknown argument '$1' (known: --tests --all --dry-run --stamp FILE --list)" ;;
    esac
    shift
done
main
