#!/usr/bin/env bash
# host.sh DIR NAME ADDRESS - become a hypervisor host: take its name, bind its own libvirt, SASL and hosts files over the
# machine's, and stay. To be started in mount and UTS namespaces of its own (tests/lab/hosts/hypervisor.py).
set -eu
dir=$1
name=$2
address=$3
hostname "$name"
mkdir -p "$dir"/{etc,etc/pki,run,lib,log/qemu,cache,sasl2} /etc/libvirt /run/libvirt /var/lib/libvirt /var/log/libvirt \
  /var/cache/libvirt /etc/sasl2
# host_uuid must differ: libvirt refuses to migrate "to the same host".
cat >"$dir/etc/libvirtd.conf" <<CONF
listen_tls = 0
listen_tcp = 1
listen_addr = "$address"
auth_tcp = "sasl"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "2:file:$dir/libvirtd.log"
host_uuid = "$(cat /proc/sys/kernel/random/uuid)"
CONF
# No cgroups (two daemons would fight over the same names), no security driver, no virtlogd; QEMU as root, since with a
# /dev/kvm that only root may open libvirt otherwise probes QEMU anew at every define.
cat >"$dir/etc/qemu.conf" <<CONF
user = "root"
group = "root"
cgroup_controllers = [ ]
security_driver = "none"
stdio_handler = "file"
remember_owner = 0
migration_address = "$address"
migration_host = "$address"
default_tls_x509_cert_dir = "/etc/libvirt/pki"
CONF
mkdir -p "$dir/etc/hooks/qemu.d"
sed "s|^state_dir=.*|state_dir=$dir/xmand-4373/state|" "$(dirname "$0")/../../../etc/libvirt/hooks/xman" \
  >"$dir/etc/hooks/qemu.d/xman"
chmod 755 "$dir/etc/hooks/qemu.d/xman"
printf 'mech_list: gssapi\nkeytab: %s/libvirt.keytab\n' "$dir" >"$dir/sasl2/libvirt.conf"
# libvirtd looks these up even where it is told to use root; the package that would add them starts services.
for database in passwd group; do
  cp "/etc/$database" "$dir/$database"
done
grep -q '^libvirt-qemu:' "$dir/passwd" || echo 'libvirt-qemu:x:64055:64055::/nonexistent:/bin/false' >>"$dir/passwd"
grep -q '^libvirt-qemu:' "$dir/group" || echo 'libvirt-qemu:x:64055:' >>"$dir/group"
grep -q '^kvm:' "$dir/group" || echo 'kvm:x:64056:' >>"$dir/group"
mount --bind "$dir/passwd" /etc/passwd
mount --bind "$dir/group" /etc/group
mount --bind "$dir/etc" /etc/libvirt
mount --bind "$dir/run" /run/libvirt
mount --bind "$dir/lib" /var/lib/libvirt
mount --bind "$dir/log" /var/log/libvirt
mount --bind "$dir/cache" /var/cache/libvirt
mount --bind "$dir/sasl2" /etc/sasl2
mount --bind "$dir/../hosts" /etc/hosts
# Where cgroups are half v1 and half v2, libvirt's container program mistakes the half for the whole.
if mountpoint -q /sys/fs/cgroup/unified; then
  umount /sys/fs/cgroup/unified
fi
exec sleep infinity
