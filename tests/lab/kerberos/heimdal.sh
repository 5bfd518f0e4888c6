#!/usr/bin/env bash
# heimdal.sh VENV FOLDER - compile VENV's python-gssapi against Heimdal into FOLDER; with that first in PYTHONPATH our
# programs use Heimdal instead of MIT's Kerberos. Nothing is done where FOLDER has it, or where namespaces cannot be made
# (as a user without rights): what needs it is skipped then, and says why.
set -eu -o pipefail
cd "$(dirname "$0")/../../.."
venv=$(realpath "$1")
folder=$2
version=$("$venv/bin/python" -c 'import importlib.metadata as m; print(m.version("gssapi"))')
[ "$(cat "$folder/version" 2>/dev/null)" != "$version" ] || exit 0

namespace="unshare --mount"
[ "$(id -u)" = 0 ] || namespace="unshare --mount --map-root-user"
$namespace true 2>/dev/null || exit 0

echo "setup: compiling python-gssapi against Heimdal" >&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/empty"
# What python-gssapi's build asks for its compiler's arguments.
ln -s "$(command -v krb5-config.heimdal)" "$work/bin/krb5-config"
PATH=$work/bin:$PATH
GSSAPI_COMPILER_ARGS=$(krb5-config --cflags gssapi)
GSSAPI_LINKER_ARGS=$(krb5-config --libs gssapi)
export PATH GSSAPI_COMPILER_ARGS GSSAPI_LINKER_ARGS
# MIT's headers are found by their usual names, wherever Heimdal's are: for this compilation they are not there.
hide='mount --bind "$1/empty" /usr/include/gssapi && mount --bind /dev/null /usr/include/gssapi.h && shift && exec "$@"'
tests/tools/fetch.sh "python-gssapi" $namespace -- sh -c "$hide" sh "$work" \
  "$venv/bin/python" -m pip -q --disable-pip-version-check --no-input install \
  --target "$work/site" --no-deps --no-cache-dir --no-binary gssapi "gssapi==$version" 2>&1 |
  { grep -Ev '^(WARNING|DEPRECATION): ' >&2 || true; }
# The whole of it is read: an ldd that is left in the middle of its words is a failure too.
ldd "$work"/site/gssapi/raw/misc.*.so | grep libheimbase >/dev/null
mkdir -p "$(dirname "$folder")"
rm -rf "$folder"
mv "$work/site" "$folder"
chmod 755 "$folder"
echo "$version" >"$folder/version"
