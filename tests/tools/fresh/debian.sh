#!/usr/bin/env bash
# debian.sh RELEASE TARGET [OPTION...] - make a root of Debian with mmdebstrap, told OPTIONs: a folder, or TARGET.tar. From the
# mirror of this machine's own apt, and with the packages that are kept from one root to the next. Needs root.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
release=$1
target=$2
shift 2
state=${FRESH_STATE:-${XDG_CACHE_HOME:-$HOME/.cache}/xman/fresh}
archive=$state/archive-$release
mkdir -p "$archive"
# The one from which this machine's own apt gets its packages.
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep '/debian/*$' | head -n 1 | sed 's,/debian/*$,,')
mirror=${mirror:-http://deb.debian.org}
kept="var/cache/apt/archives"
# What this machine's apt is told of networks.
settings=()
while read -r setting; do settings+=("--aptopt=$setting"); done < <(
  apt-config dump | grep -E '^Acquire::(http|https|Check-Valid-Until|Check-Date)'
)
case $target in *.tar) format=tar ;; *) format=directory ;; esac
rm -rf "$target.new"
"$here/../fetch.sh" "Debian's $release" mmdebstrap --quiet --format="$format" --aptopt='Acquire::Retries "5"' "${settings[@]}" \
  --aptopt='APT::Keep-Downloaded-Packages "true"' --skip=download/empty --skip=essential/unlink \
  --setup-hook="mkdir -p \"\$1/$kept/partial\"" \
  --setup-hook="cp -al '$archive/.' \"\$1/$kept\" 2>/dev/null || cp -a '$archive/.' \"\$1/$kept\"" \
  "$@" --customize-hook="cp -an \"\$1/$kept/\"*.deb '$archive'" \
  "$release" "$target.new" "deb $mirror/debian $release main" "deb $mirror/debian $release-updates main" \
  "deb $mirror/debian-security $release-security main"
mv "$target.new" "$target"
