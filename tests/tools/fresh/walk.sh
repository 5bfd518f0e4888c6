#!/usr/bin/env bash
# walk.sh RELEASE - in a fresh Debian, as root: type the blocks of README.md and rxmweb(8) (walk/__main__.py).
set -eu
cd "$(dirname "$0")/../../.."
rm -rf /srv/walk
tests/tools/fetch.sh "the list of Debian's packages" apt-get -qq update
tests/tools/fetch.sh "python3" apt-get -qq install -y --no-install-recommends python3 iproute2
python3 -B -m tests.tools.fresh.walk "$1"
