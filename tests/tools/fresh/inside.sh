#!/usr/bin/env bash
# inside.sh COMMAND... - what is PID 1 of a fresh Debian (fresh.sh), or of a machine in it (walk/machine.sh): makes $root the root
# of its own namespaces, and runs COMMAND in the clone. Stays beside it, so as to reap.
set -eu
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t proc -o nosuid,nodev,noexec proc proc # whole ones: they are ours, by the pid and the network namespace
mount -t sysfs -o nosuid,nodev,noexec sysfs sys
mount -t tmpfs -o mode=755,nosuid tmpfs dev # not this machine's: terminals, shared memory and the log are ours
mkdir dev/net
for node in null zero full random urandom tty kvm net/tun fuse loop-control; do
  [ ! -e "/dev/$node" ] || { touch "dev/$node"; mount --bind "/dev/$node" "dev/$node"; }
done
for node in /dev/loop[0-9]* /dev/nbd[0-9]*; do
  [ ! -b "$node" ] || cp -a "$node" dev/
done
mkdir dev/pts dev/shm dev/mqueue
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t mqueue mqueue dev/mqueue
for link in fd:/proc/self/fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do ln -s "${link#*:}" "dev/${link%%:*}"; done
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
mkdir -m 1777 run/lock # where libvirt locks consoles
for folder in $folders; do
  mkdir -p ".$folder"
  mount --bind "$folder" ".$folder"
  mount -o remount,bind,ro ".$folder"
done
mkdir -p .wheels
mount --bind "$wheels" .wheels
if [ -z "$v1" ]; then
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  # A group that hands its controllers down holds no process itself.
  mkdir sys/fs/cgroup/processes
  while read -r process; do echo "$process" >sys/fs/cgroup/processes/cgroup.procs || true; done <sys/fs/cgroup/cgroup.procs
  for controller in $(cat sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" >sys/fs/cgroup/cgroup.subtree_control || true
  done
else # each hierarchy of this machine's, without the half v2 beside them, which libvirt 9 takes for a whole one
  mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
  while IFS=: read -r _ names _; do
    case $names in
      '') continue ;;
      name=*) folder=${names#name=} options=none,$names ;;
      *) folder=$names options=$names ;;
    esac
    mkdir "sys/fs/cgroup/$folder"
    mount -t cgroup -o "$options" cgroup "sys/fs/cgroup/$folder"
  done </proc/self/cgroup
fi
hostname "$(cat etc/hostname)"
mkdir -p .old
pivot_root . .old # and not chroot, in which the kernel refuses user namespaces
umount -l /.old
rmdir /.old
cd /
echo up >/.up
read -r _ </.go # meanwhile the network is connected
rm /.up /.go

# Of this machine's environment nothing but the way to the network, and whether this is CI.
settings=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 PIP_CACHE_DIR=/.wheels)
while read -r setting; do settings+=("$setting"); done < <(env | grep -E '^([a-z]+_proxy|[A-Z]+_PROXY|CI)=')
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
update-ca-certificates >/dev/null 2>&1
id dev >/dev/null 2>&1 || useradd -M -d /home/dev -s /bin/bash dev
echo 'dev ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/dev
[ "$(stat -c %U /home/dev/xman)" = "$user" ] || chown -R "$user" /home/dev
chown -R "$user" /.wheels
cd /home/dev/xman
home=/root
[ "$user" = root ] || home=/home/dev
as=()
[ "$user" = root ] || as=(setpriv "--reuid=$user" "--regid=$user" --init-groups)
status=0
# The clock and the kernel are this machine's.
setpriv --bounding-set -sys_time,-sys_module,-sys_boot "${as[@]}" \
  env -i "${settings[@]}" HOME="$home" USER="$user" "$@" </dev/null || status=$?
exit "$status"
