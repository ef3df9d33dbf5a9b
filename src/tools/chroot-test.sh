#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Prove that two commands are enough on a fresh machine: make a minimal Debian 12 with
# nothing but make and gcc in DIR, put this project's sources there, and run `make run`
# and `make test` inside.
#
#   chroot-test.sh [--base DIR] [--uncommitted] [--mirror URL] [--keep] DIR [COMMAND...]
#
#   DIR            must not exist; removed at the end unless --keep
#   --base DIR     copy this prepared system instead of fetching one each time; made
#                  first when it does not exist
#   --uncommitted  the sources as they lie in the checkout, changed and new files too
#                  (default: the last commit)
#   --mirror URL   where to fetch Debian from (default: what this machine's apt uses)
#   COMMAND...     each is run by sh in the project's directory, instead of the two
#
# Exit 0 when every command did. Needs root, debootstrap and git. Everything runs in
# mount and process namespaces of its own, so that however it ends, no mount and no
# process is left. DEBOOTSTRAP_OPTIONS is passed on (say, --no-check-gpg).

set -u

self=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/chroot-test.sh
root=${self%/src/tools/chroot-test.sh}
suite=bookworm

say() { printf 'chroot-test: %s\n' "$*"; }
die() { printf 'chroot-test: %s\n' "$*" >&2; exit 1; }

# ------------------------------------------------------------------ the bare system

# This machine's own source of the suite, from either form of apt's lists.
host_mirror() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        sed -n "s/^deb  *\(\[[^]]*\] *\)*\([^ ]*\)  *$suite  *main.*/\2/p" | head -n 1 | grep . && return
    cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk -v suite="$suite" '
        /^URIs:/   { uri = $2 }
        /^Suites:/ { for (i = 2; i <= NF; i++) if ($i == suite) hit = 1 }
        /^$/       { if (hit && uri) exit; hit = 0; uri = "" }
        END        { if (hit && uri) print uri; else exit 1 }'
}

make_base() {
    command -v debootstrap >/dev/null || die "debootstrap is missing (apt-get install debootstrap)"
    [ -n "$mirror" ] || mirror=$(host_mirror) ||
        die "cannot tell this machine's mirror of $suite; give --mirror URL"
    # debootstrap does not read apt's configuration, where the proxy may be.
    proxy=$(apt-config shell p Acquire::http::Proxy 2>/dev/null | sed -n "s/^p='\(.*\)'$/\1/p")
    if [ -n "$proxy" ]; then export http_proxy="$proxy"; fi
    say "fetching Debian $suite from $mirror to $1"
    # Built beside its place, so that a base is whole or not there.
    rm -rf "$1.part"
    # Unquoted on purpose: options.
    debootstrap --variant=minbase --include=make,gcc ${DEBOOTSTRAP_OPTIONS:-} \
        "$suite" "$1.part" "$mirror" >"$1.log" 2>&1 ||
        die "debootstrap failed: $(tail -n 1 "$1.log") (whole output: $1.log)"
    rm -f "$1.log"
    mv "$1.part" "$1"
}

# Whatever makes apt work on this machine: proxies, keys, options, name servers. Sources
# of other things than Debian would only add reasons to fail.
copy_apt_settings() {
    to=$1/etc/apt
    rm -rf "$to/sources.list" "$to/sources.list.d"
    mkdir -p "$to/sources.list.d"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        if grep -q "$suite" "$file" 2>/dev/null && grep -q '/debian' "$file"; then
            cp "$file" "$to${file#/etc/apt}"
        fi
    done
    for part in apt.conf apt.conf.d auth.conf auth.conf.d trusted.gpg trusted.gpg.d keyrings; do
        if [ -e "/etc/apt/$part" ]; then cp -R "/etc/apt/$part" "$to/"; fi
    done
    mkdir -p "$1/usr/share/keyrings" "$1/etc/ssl"
    cp -R /usr/share/keyrings/. "$1/usr/share/keyrings/"
    # Certificates of the machine's own, for https sources; links are followed because
    # what they point to does not exist inside.
    if grep -rq https: "$to/sources.list" "$to/sources.list.d" 2>/dev/null; then
        cp -RL /etc/ssl/certs "$1/etc/ssl/"
    fi
    cp -L /etc/resolv.conf /etc/hosts "$1/etc/"
}

# A source list without this machine's own form of it would leave apt with nothing.
check_sources() {
    if ! grep -rqs "$suite" "$1/etc/apt/sources.list" "$1/etc/apt/sources.list.d"; then
        echo "deb ${mirror:-$(host_mirror)} $suite main" >"$1/etc/apt/sources.list"
    fi
}

copy_sources() {
    mkdir -p "$1"
    if [ -n "$uncommitted" ]; then
        # A file that git knows and that is gone from the disk is a change as well.
        (cd "$root" && git -c core.quotePath=false ls-files --cached --others --exclude-standard |
            while IFS= read -r file; do if [ -e "$file" ]; then echo "$file"; fi; done |
            tar -cf - -T -) | tar -xf - -C "$1"
    else
        git -C "$root" archive HEAD | tar -xf - -C "$1"
    fi
    [ -e "$1/Makefile" ] || say "note: these sources have no Makefile"
}

# --------------------------------------------------------------------- running inside

# The second half, called by the first within the new namespaces: DIR COMMAND...
inside() {
    dir=$1
    shift
    mount -t proc proc "$dir/proc" || die "cannot mount /proc in $dir"
    mount -t tmpfs -o mode=1777 tmpfs "$dir/dev/shm" 2>/dev/null
    worst=0
    report=
    for command in "$@"; do
        say "\$ $command"
        # Nothing of this machine's environment but the proxy; no terminal, as in CI.
        # The exit code goes through a file: a pipe would hide it.
        began=$(date +%s)
        { env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
            ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
            chroot "$dir" sh -c "cd /hatlab && $command" </dev/null 2>&1
          echo $? >"$dir/exit-code"; } | tee "$dir/last-output"
        code=$(cat "$dir/exit-code")
        if [ "$code" != 0 ]; then worst=1; fi
        report="$report$(printf '%-16s exit %s after %s s; last line: %s' "$command" "$code" \
            "$(($(date +%s) - began))" "$(tail -n 1 "$dir/last-output")")
"
    done
    say "on a fresh Debian with make and gcc:"
    printf '%s' "$report"
    exit $worst
}

if [ "${1:-}" = --inside ]; then shift; inside "$@"; fi

# ---------------------------------------------------------------------------- main

base=; uncommitted=; mirror=; keep=
while [ $# -gt 0 ]; do
    case $1 in
    --base) base=$2; shift ;;
    --mirror) mirror=$2; shift ;;
    --uncommitted) uncommitted=yes ;;
    --keep) keep=yes ;;
    -*) die "unknown option $1; see the start of $0" ;;
    *) break ;;
    esac
    shift
done
[ $# -ge 1 ] || die "no DIR given; see the start of $0"
dir=$1
shift
[ "$(id -u)" = 0 ] || die "needs root"
[ ! -e "$dir" ] || die "$dir exists; give a name that does not"
unshare --mount --pid --fork true 2>/dev/null || die "mount namespaces are not allowed here"
if [ -z "$uncommitted" ]; then
    git -C "$root" rev-parse -q --verify HEAD >/dev/null || die "there is no commit yet; use --uncommitted"
fi
if [ $# = 0 ]; then set -- "make run" "make test"; fi

# Safe: nothing is ever mounted in DIR outside of the namespace that ends before this.
if [ -z "$keep" ]; then trap 'rm -rf "$dir"' EXIT; fi
trap 'exit 1' INT TERM HUP

if [ -n "$base" ]; then
    [ -d "$base" ] || make_base "$base"
    say "copying $base to $dir"
    cp -a "$base" "$dir" || die "cannot copy $base"
else
    make_base "$dir"
fi
copy_apt_settings "$dir"
check_sources "$dir"
copy_sources "$dir/hatlab"
# The shell waits in the background form, so that a signal reaches the trap at once.
unshare --mount --pid --fork --kill-child --propagation private sh "$self" --inside "$dir" "$@" &
child=$!
trap 'kill -9 $child 2>/dev/null; exit 1' INT TERM HUP
wait $child
