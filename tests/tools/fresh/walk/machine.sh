#!/usr/bin/env bash
# machine.sh NAME - in a fresh Debian, as root: a machine of its own on the fresh one's files as they are now, in namespaces
# and a cgroup of its own. What it writes stays in /srv/walk/NAME. Says `up` when its network can be connected.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
name=$1
export root=/srv/walk/$name/root user=root wheels=/.wheels folders v1
mkdir -p /srv/walk/"$name"/{upper,work,root}
# Folders of packages that the fresh root has from the machine around it: they are mounts, and not part of the root's files.
folders=$(awk '{ print $5 }' /proc/self/mountinfo | grep -vE '^/($|dev|proc|sys|run|srv|\.wheels)' | tr '\n' ' ' || true)
v1=$([ -e /sys/fs/cgroup/cgroup.controllers ] || echo yes)
for hierarchy in $([ -z "$v1" ] && echo /sys/fs/cgroup || echo /sys/fs/cgroup/*); do
  mkdir -p "$hierarchy/walk-$name"
  [ ! -e "$hierarchy/walk-$name/cpuset.cpus" ] || [ -z "$v1" ] ||
    for file in cpuset.cpus cpuset.mems; do cat "$hierarchy/$file" >"$hierarchy/walk-$name/$file"; done
  echo $$ >"$hierarchy/walk-$name/cgroup.procs"
done
exec unshare --mount --pid --fork --kill-child=KILL --net --uts --ipc --cgroup bash -ec '
  mount -t overlay "$0" -o "lowerdir=/,upperdir=/srv/walk/$0/upper,workdir=/srv/walk/$0/work" "$root"
  echo "$0" >"$root/etc/hostname"
  rm -f "$root/.up" "$root/.go"
  mkfifo "$root/.up" "$root/.go"
  touch "/srv/walk/$0/up"
  exec bash "$1/inside.sh" sleep infinity' "$name" "$here"
