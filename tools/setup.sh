#!/bin/sh
# Installs what a build needs and a fresh Debian machine lacks: a C compiler and Rust; and the programs that it is given
# the names of (Debian packages, or programs that are named like theirs). Does nothing where they are there.
set -eu

export PATH="$HOME/.cargo/bin:$PATH"
export DEBIAN_FRONTEND=noninteractive
if [ "$(id -u)" = 0 ]; then as_root=; else as_root="sudo -E"; fi

# Whether a package is there: one that was removed is known to dpkg still, and is not.
installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed$'; }

missing=
command -v cc >/dev/null 2>&1 || missing="build-essential"
for program in "$@"; do
    command -v "$program" >/dev/null 2>&1 || installed "$program" || missing="$missing $program"
done
command -v cargo >/dev/null 2>&1 || command -v curl >/dev/null 2>&1 || missing="$missing curl ca-certificates"
if [ -n "$missing" ]; then
    echo "setup: installing $missing"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086 # a list of packages
    $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

if ! command -v cargo >/dev/null 2>&1; then
    echo "setup: installing Rust into ~/.cargo"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --default-toolchain 1.95.0 -c rustfmt -c clippy --no-modify-path
fi
