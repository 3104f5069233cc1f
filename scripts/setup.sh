#!/bin/sh
# Installs what Senim needs and is missing: PostgreSQL, SoftHSM and OpenSC to
# run, and the programs that the tests take as counterparts. Does nothing, and
# needs no rights, when all of it is there. Never changes what is installed.
#
#   setup.sh          to build, run and test
#   setup.sh test     the stand-ins of hardware tokens and a subscriber's library
#                     as well, if they can be had
#   setup.sh bench    the peers of the benchmarks as well
set -eu

for_what=${1:-}

go_needed=1.26

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

# Each line: a Debian package, and the test that it is there.
missing_packages() {
	has_postgres || printf 'postgresql\n'
	has softhsm2-util && has_file libsofthsm2.so || printf 'softhsm2\n'
	has pkcs11-tool || printf 'opensc\n'
	has openssl || printf 'openssl\n'
	has xmlsec1 || printf 'xmlsec1\n'
	has xmllint || printf 'libxml2-utils\n'
	has gcc || printf 'gcc libc6-dev\n'
	[ -s /etc/ssl/certs/ca-certificates.crt ] || printf 'ca-certificates\n'
	[ "$for_what" = bench ] || return 0
	[ -e /usr/include/openssl/evp.h ] || printf 'libssl-dev\n'
	has_engine || printf 'libengine-gost-openssl\n'
}

# What some tests want and the others do without: they are skipped.
optional_packages() {
	[ "$for_what" = test ] || return 0
	has pcscd || printf 'pcscd\n'
	[ -e /usr/lib/pcsc/drivers/serial/libifdvpcd.so ] || printf 'vsmartcard-vpcd\n'
	has_opensc_module || printf 'opensc-pkcs11\n'
	has pkcsslotd || printf 'opencryptoki\n'
	has node || printf 'nodejs\n'
	has npm || printf 'npm\n'
	has pdftotext || printf 'poppler-utils\n'
}

has_opensc_module() {
	for found in /usr/lib/*/opensc-pkcs11.so /usr/lib64/opensc-pkcs11.so; do
		[ -e "$found" ] && return 0
	done
	return 1
}

has_engine() {
	for found in /usr/lib/*/engines-3/gost.so; do
		[ -e "$found" ] && return 0
	done
	return 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# A module that is loaded at run time: the folders of Debian's packages.
has_file() {
	for found in /usr/lib/softhsm/"$1" /usr/lib/*/softhsm/"$1" /usr/local/lib/softhsm/"$1"; do
		[ -e "$found" ] && return 0
	done
	return 1
}

# The server's own programs, not only the client: in PATH, or where Debian
# keeps them.
has_postgres() {
	for found in "$(command -v postgres 2>/dev/null || :)" /usr/lib/postgresql/*/bin/postgres; do
		[ -x "$found" ] && [ -x "$(dirname "$(readlink -f "$found")")/initdb" ] && return 0
	done
	return 1
}

# Runs a command as root: as we are, or by sudo if that asks for no terminal
# that is not there.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif [ -t 0 ]; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

# Senim starts a private cluster of its own: keep Debian's package from making
# and starting one on port 5432. Who wants that later runs pg_createcluster.
keep_main_cluster_away() {
	[ -e /etc/postgresql-common/createcluster.conf ] && return
	as_root mkdir -p /etc/postgresql-common
	printf 'create_main_cluster = false\n' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
}

install() {
	say "missing: $*"
	has apt-get || fail "this is no Debian-like system (no apt-get); install these by hand: $*"
	[ "$(id -u)" -eq 0 ] || has sudo ||
		fail "neither root nor sudo; ask an administrator for: apt-get install --no-install-recommends $*"
	case " $* " in *" postgresql "*) keep_main_cluster_away ;; esac
	as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2 ||
		fail "apt-get update failed; is there a network, and are the package sources right?"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@" >&2 ||
		fail "apt-get install failed; see above"
}

# $1 >= $2, both major.minor
at_least() {
	[ "${1%%.*}" -gt "${2%%.*}" ] || { [ "${1%%.*}" -eq "${2%%.*}" ] && [ "${1#*.}" -ge "${2#*.}" ]; }
}

# The library that the tests verify our webhooks with, in the versions of its
# lock file.
install_node_library() {
	[ "$for_what" = test ] && has npm || return 0
	folder=$(dirname "$0")/../internal/outbox/webhook/testdata/node
	[ -e "$folder/node_modules/standardwebhooks/package.json" ] && return 0
	say "installing npm's standardwebhooks"
	(cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund >&2) || say "the tests that need it are skipped"
}

check_go() {
	has go || fail "Go is not in PATH; Senim is built with Go $go_needed or newer: https://go.dev/doc/install"
	# "go version go1.26.8 linux/amd64" -> "1.26"; GOTOOLCHAIN=local asks for
	# the installed one, and not the one that go.mod would have fetched.
	version=$(GOTOOLCHAIN=local go env GOVERSION | sed -n 's/^go\([0-9]*\.[0-9]*\).*/\1/p')
	[ -n "$version" ] || fail "cannot tell the version of Go: $(go version)"
	at_least "$version" "$go_needed" || fail "Go $version is installed; $go_needed or newer is needed"
}

packages=$(missing_packages)
if [ -n "$packages" ]; then
	# shellcheck disable=SC2086 # one word a package
	install $packages
	packages=$(missing_packages)
	[ -z "$packages" ] || fail "still missing after the installation:" $packages
fi
optional=$(optional_packages)
if [ -n "$optional" ]; then
	# In a shell of its own, which may fail.
	# shellcheck disable=SC2086 # one word a package
	(install $optional) || say "the tests that need these are skipped:" $optional
fi
install_node_library
check_go
