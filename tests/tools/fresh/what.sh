#!/usr/bin/env bash
# fresh-what.sh RELEASE demo|test|deb|docs|all [MAKE'S ARGUMENT...] - do in a fresh Debian what README.md says that one can do.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
release=$1
what=$2
shift 2

# By an ordinary user with sudo, as README.md has it, but for the tests, of which root's are all of them.
demo() { "$here/fresh.sh" --user "$release" make demo "$@"; }
test() { "$here/fresh.sh" "$release" make test "$@"; }
# The packages, and the installation of all that are built there.
deb() {
  "$here/fresh.sh" --user "$release" bash -ec 'make deb "$@"
    sudo apt-get -qq update
    sudo apt-get -qq install -y --no-install-recommends ./.build/deb/*.deb
    rxm --version
    /usr/sbin/xmand --version 2>/dev/null || xmand --version' bash "$@"
}
docs() { "$here/fresh.sh" "$release" tests/tools/fresh/walk.sh "$release"; }

case $what in
  demo | test | deb | docs) "$what" "$@" ;;
  all) for each in demo deb docs test; do "$each" "$@"; done ;;
  *) echo "WHAT is demo, test, deb, docs or all" >&2; exit 2 ;;
esac
