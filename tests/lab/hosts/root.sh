# shellcheck shell=bash
# root.sh - for the scripts that make a machine's disk from a Debian in a folder, which read it in with `target` set: `work`, gone
# at the end; `root` in it, to be made; and `put`.
umask 022
work=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root

# Put the standard input into a file of the machine's.
put() {
  mkdir -p "$(dirname "$root$1")"
  cat >"$root$1"
}
