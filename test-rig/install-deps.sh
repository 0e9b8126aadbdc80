#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Install what the rig needs on Debian 12.  Does nothing, quickly, when
# everything is there; asks for root through sudo when it must.  Arguments are
# further packages, such as the source of another kernel version.
#
# Lists of names are split on purpose:
# shellcheck disable=SC2086
set -eu

packages="
	bc
	binutils
	bison
	bochs
	bochs-term
	bochsbios
	build-essential
	busybox-static
	clang
	cpio
	flex
	gcc-12-multilib
	gcc-aarch64-linux-gnu
	gcc-riscv64-linux-gnu
	gdb-multiarch
	git
	gpg
	gpg-agent
	grub-common
	grub-pc-bin
	kmod
	libclang-rt-14-dev
	libelf-dev
	libssl-dev
	lz4
	mtools
	mypy
	openssl
	patch
	perl
	python3
	python3-pexpect
	python3-pytest
	python3-pytest-xdist
	qemu-system-x86
	quilt
	rsync
	sparse
	vgabios
	xorriso
	xz-utils
"

packages="$packages $*"

missing() {
	for package in "$@"; do
		status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
		[ "$status" = installed ] || printf '%s ' "$package"
	done
}

fail() {
	echo "install-deps: $*" >&2
	exit 1
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	fail "this is not a Debian system; install the like of:" $packages
fi

needed=$(missing $packages)
[ -n "$needed" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null ||
		fail "not root, and there is no sudo; as root run: apt-get install $needed"
	as_root=sudo
fi

# sudo drops the environment, so env hands it over: a proxy, too.  The lock is
# waited for: a fresh machine may well be running its own apt-get just now.
apt() {
	$as_root env $(env | grep -iE '^(https?|ftp|no)_proxy=[^[:space:]]*$') DEBIAN_FRONTEND=noninteractive apt-get -y -q \
		-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@" </dev/null >&2
}

echo "install-deps: installing $needed" >&2
apt update || echo "install-deps: apt-get update failed; going on with the lists there are" >&2

for package in $needed; do
	apt-cache show "$package" >/dev/null 2>&1 ||
		fail "apt knows no package $package (Debian 12 has it in main; see /etc/apt/sources.list)"
done
apt --no-install-recommends install $needed || fail "apt-get could not install: $(missing $needed)"

still=$(missing $packages)
[ -z "$still" ] || fail "still not installed after apt-get: $still"
