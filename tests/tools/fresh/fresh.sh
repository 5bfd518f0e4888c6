#!/usr/bin/env bash
# fresh.sh [--user] [--keep NAME] RELEASE COMMAND... - run COMMAND in a fresh minimal Debian (bookworm, trixie), in a clean
# clone of this tree.
#
# The root has what mmdebstrap's `minbase` has, git, make, sudo and ca-certificates, and nothing else: what COMMAND needs it
# has to install. It lives in mount, pid, network, UTS, IPC and cgroup namespaces of its own, so that tests may do in it what
# they do on a machine; nothing of this machine is changed. Needs root, mmdebstrap and slirp4netns (`setup.sh fresh`).
#
#   --user       COMMAND is run by an ordinary user with sudo, otherwise by root
#   --keep NAME  the root is kept under that name, and entered again, brought up to date, where there is one; for looking into
#                what went wrong: `fresh.sh --keep NAME trixie bash -c '...'`
#   FRESH_HOSTS  /etc/hosts: `installer` as Debian's installer writes it (the default), `plain`, or `none`
#   FRESH_STATE  where bases, archives and roots are kept; by default in the user's cache
#
# How packages are got - mirror, proxies, certificates, pip's indexes - is taken over from this machine when it runs. Debian's
# packages and pip's wheels are kept from run to run, the wheels for as long as what is to be installed stays the same.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(git -C "$here" rev-parse --show-toplevel)
user=root keep=
while :; do
  case ${1:-} in
    --user) user=dev; shift ;;
    --keep) keep=$2; shift 2 ;;
    *) break ;;
  esac
done
release=${1:?bookworm or trixie}
shift
hosts=${FRESH_HOSTS:-installer}
state=${FRESH_STATE:-${XDG_CACHE_HOME:-$HOME/.cache}/xman/fresh}
name=fresh-$$

fail() { echo "fresh: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "needs root, for the namespaces of a fresh Debian"
unshare --mount --pid --fork --net --uts --ipc --cgroup true 2>/dev/null ||
  fail "this machine does not let root make namespaces, so there is no fresh Debian to run in"
for program in mmdebstrap slirp4netns nsenter git; do
  command -v "$program" >/dev/null || fail "$program is missing; tests/tools/setup.sh fresh installs it"
done

# --- the base, made once ----------------------------------------------------------------------------------------------

archive=$state/archive-$release
mkdir -p "$archive"
# Made anew each week, so that it is never far behind Debian's.
find "$state" -maxdepth 1 -name "$release.tar" -mtime +7 -delete
(
  flock 9
  [ -e "$state/$release.tar" ] || "$here/debian.sh" "$release" "$state/$release.tar" --variant=minbase \
    --include=git,make,sudo,ca-certificates --customize-hook='rm "$1/etc/apt/apt.conf.d/99mmdebstrap"'
) 9>"$state/$release.lock"

root=${keep:+$state/kept-$keep}
[ -n "$root" ] || root=$(mktemp -d "$state/root.XXXXXX")
chmod 755 "$root" 2>/dev/null || mkdir -m 755 "$root"

# --- what is undone at the end ----------------------------------------------------------------------------------------

slirp= holder=
v1=$([ -e /sys/fs/cgroup/cgroup.controllers ] || echo yes)
hierarchies() {
  if [ -n "$v1" ]; then find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d ! -name unified; else echo /sys/fs/cgroup; fi
}
cleanup() {
  # --kill-child takes its PID 1, and with it all the rest.
  [ -z "$holder" ] || { kill -KILL "$holder" 2>/dev/null; wait "$holder" 2>/dev/null; } || true
  [ -z "$slirp" ] || kill "$slirp" 2>/dev/null || true
  # What containers left behind as well, the deepest first, as soon as the processes have gone.
  for hierarchy in $(hierarchies); do
    for _ in $(seq 50); do
      [ -d "$hierarchy/$name" ] || break
      find "$hierarchy/$name" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
    done
  done
  find "$root/var/cache/apt/archives" -maxdepth 1 -name '*.deb' -exec cp -aln -t "$archive" {} + 2>/dev/null || true
  [ -n "$keep" ] || rm -rf --one-file-system "$root"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# --- the root ---------------------------------------------------------------------------------------------------------

[ -e "$root/etc/debian_version" ] || tar -C "$root" -xpf "$state/$release.tar" --numeric-owner
# Links: apt locks the folder, and so two roots can use one archive at the same time.
find "$archive" -maxdepth 1 -name '*.deb' -exec cp -aln -t "$root/var/cache/apt/archives" {} +
cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
# pip reads several files and the environment, and sudo drops the last: one file for everybody in the root.
{
  echo '[global]'
  python3 -m pip config list 2>/dev/null | sed -n "s/^\(global\|:env:\)\.\([a-z-]*\)='\(.*\)'$/\1 \2 = \3/p" | sed 's/\\n/ /g' |
    sort -r | awk '!said[$2]++' | sed 's/^[^ ]* //'
} >"$root/etc/pip.conf"
for file in $(grep -oE '(^| )/[^ ]+' "$root/etc/pip.conf" | sort -u); do # of constraints, say
  [ ! -f "$file" ] || [ -e "$root$file" ] || install -D -m 644 "$file" "$root$file"
done
folders=$(grep -oE '(file://)?/[^ ]+' "$root/etc/pip.conf" | sed 's#^file://##; s#/simple/*$##' | sort -u |
  while read -r folder; do [ ! -d "$folder" ] || echo "$folder"; done | tr '\n' ' ')
{ # what this machine's apt is told of networks
  apt-config dump | grep -E '^Acquire::(http|https|Check-Valid-Until|Check-Date)' || true
  printf '%s "%s";\n' Acquire::Retries 5 APT::Keep-Downloaded-Packages true
} >"$root/etc/apt/apt.conf.d/90machine"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # no service starts
chmod 755 "$root/usr/sbin/policy-rc.d"
echo hv1 >"$root/etc/hostname"
case $hosts in
  installer) printf '127.0.0.1\tlocalhost\n127.0.1.1\thv1.site.org\thv1\n\n::1\tlocalhost ip6-localhost ip6-loopback\n' ;;
  plain) printf '127.0.0.1\tlocalhost hv1\n::1\tlocalhost\n' ;;
esac >"$root/etc/hosts"
sed 's/^nameserver.*/nameserver 10.0.2.3/' /etc/resolv.conf | uniq >"$root/etc/resolv.conf.new" # slirp4netns' own
mv "$root/etc/resolv.conf.new" "$root/etc/resolv.conf"
# What has not been committed is taken along where git knows the file.
commit=$(git -C "$tree" -c user.name=fresh -c user.email=fresh@localhost stash create)
commit=${commit:-$(git -C "$tree" rev-parse HEAD)}
clone=$root/home/dev/xman
[ -d "$clone" ] || { mkdir -p "$root/home/dev"; git clone -q --no-hardlinks --no-checkout "$tree" "$clone"; }
git -c safe.directory='*' -C "$clone" fetch -q "$tree" "$commit"
git -c safe.directory='*' -C "$clone" -c advice.detachedHead=false checkout -q --force --detach FETCH_HEAD
# Wheels that were compiled once must not hide that what compiles them is no longer installed.
wheels=$state/wheels-$release-$user-$(cat "$here/../setup.sh" "$tree/setup.cfg" "$tree/pyproject.toml" | sha256sum | cut -c1-12)
mkdir -p "$wheels"
touch "$wheels"
find "$state" -maxdepth 1 -name 'wheels-*' -mtime +14 -exec rm -rf {} +

# --- enter ------------------------------------------------------------------------------------------------------------

mkfifo "$root/.up" "$root/.go"
install -m 755 "$here/inside.sh" "$root/.inside"
export root user wheels folders v1
( # a cgroup of its own first, so that the namespace's root is not the machine's
  for hierarchy in $(hierarchies); do
    mkdir -p "$hierarchy/$name"
    [ -z "$v1" ] || [ ! -e "$hierarchy/$name/cpuset.cpus" ] ||
      for file in cpuset.cpus cpuset.mems; do cat "$hierarchy/$file" >"$hierarchy/$name/$file"; done
    echo $BASHPID >"$hierarchy/$name/cgroup.procs"
  done
  exec unshare --mount --pid --fork --kill-child=KILL --net --uts --ipc --cgroup bash "$root/.inside" "$@"
) &
holder=$!
exec 8<>"$root/.up"
read -r -t 120 _ <&8 || fail "the namespaces could not be made"
init=$(pgrep -P "$holder")
nsenter -t "$init" -n ip link set lo up
# The network is one in user space: no address, route or forwarding of this machine's changes, and its loopback is not reached.
slirp4netns --configure --mtu=65520 --disable-host-loopback "$init" tap0 >"$root/.slirp.log" 2>&1 &
slirp=$!
for _ in $(seq 300); do
  ! nsenter -t "$init" -n ip route | grep -q default || break
  kill -0 "$slirp" 2>/dev/null || fail "no network for the root: $(tail -n 1 "$root/.slirp.log")"
  sleep 0.1
done
echo go >"$root/.go"
status=0
wait "$holder" || status=$?
holder=
exit "$status"
