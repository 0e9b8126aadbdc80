#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Install what the rig needs on Debian 12 or 13.  Does nothing, quickly, when
# everything is there; asks for root through sudo when it must.  Arguments are
# packages with kernel sources; one that this Debian does not have is left out,
# and the rig takes it from the suite that has it.
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
	gcc-aarch64-linux-gnu
	gcc-riscv64-linux-gnu
	gdb-multiarch
	git
	gpg
	gpg-agent
	grub-common
	grub-pc-bin
	kmod
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

sources="$*"

missing() {
	for package in "$@"; do
		status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
		[ "$status" = installed ] || printf '%s ' "$package"
	done
}

# Their names have the version of the compiler that they belong to, which the
# package of the bare name depends on.  gcc-multilib itself cannot be installed
# beside the cross compilers.
of_compilers() {
	for pair in gcc:gcc-%s-multilib clang:libclang-rt-%s-dev; do
		compiler=${pair%%:*}
		depends=$(dpkg-query -W -f '${Depends}' "$compiler" 2>/dev/null) ||
			depends=$(apt-cache depends "$compiler" 2>/dev/null) || continue
		version=$(echo "$depends" | grep -o "$compiler-[0-9][0-9]*" | head -n 1)
		# shellcheck disable=SC2059
		[ -z "$version" ] || printf "${pair#*:} " "${version#"$compiler"-}"
	done
}

# apt takes a name that there is not for a pattern: linux-source-6.1 is found in
# linux-source-6.12.
is_known() {
	apt-cache show "$1" 2>/dev/null | grep -qx "Package: $1"
}

# Of the kernel sources, those that this Debian has.
known() {
	for package in "$@"; do
		! is_known "$package" || printf '%s ' "$package"
	done
}

all_missing() {
	missing $packages $(of_compilers) $(known $(missing $sources))
}

fail() {
	echo "install-deps: $*" >&2
	exit 1
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	fail "this is not a Debian system; install the like of:" $packages
fi

needed=$(all_missing)
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

echo "install-deps: looking for $needed" >&2
apt update || echo "install-deps: apt-get update failed; going on with the lists there are" >&2

# The lists may know more than before
needed=$(all_missing)
echo "install-deps: installing $needed" >&2
for package in $needed; do
	is_known "$package" ||
		fail "apt knows no package $package (Debian 12 and 13 have it in main; see /etc/apt/sources.list)"
done
apt --no-install-recommends install $needed || fail "apt-get could not install: $(missing $needed)"

still=$(all_missing)
[ -z "$still" ] || fail "still not installed after apt-get: $still"
