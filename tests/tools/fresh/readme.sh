#!/usr/bin/env bash
# readme.sh - in a fresh Debian, as root: install xman by pip, and then by make, with README.md's own words, and ask both
# commands who they are.
set -eu
cd "$(dirname "$0")/../../.."

# What README.md says that Debian has to have for pip; its commands below, which are the ones that are set in.
packages=$(tr '\n' ' ' <README.md | grep -o "with Debian's \`[^\`]*\`" | head -n 1 | cut -d '`' -f 2)
commands=$(awk '/^ +python3 -m venv \/opt\/xman$/ { on = 1 } on && !NF { exit } on' README.md)
[ -n "$packages" ] && [ -n "$commands" ] || { echo "readme.sh: README.md no longer says how to install with pip" >&2; exit 1; }

tests/tools/fetch.sh "the list of Debian's packages" apt-get -qq update
tests/tools/fetch.sh "$packages" apt-get -qq install -y --no-install-recommends $packages
echo "$commands"
tests/tools/fetch.sh "what pip installs" bash -ec "$commands"
rxm --version
xmand --version
rm /usr/bin/rxm /usr/bin/xmand
hash -r

# Debian's own interpreter and bindings, as `make install` has them by default.
apt-get -qq install -y --no-install-recommends python3-gssapi python3-libvirt python3-lxml python3-clustershell >/dev/null
make -s install
rxm --version
xmand --version
make -s uninstall
[ ! -e /usr/local/bin/rxm ]
