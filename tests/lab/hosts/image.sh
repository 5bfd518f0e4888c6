#!/usr/bin/env bash
# image.sh RELEASE DIR - make what a Debian with systemd and libvirt boots from (tests/lab/hosts/booted.py boots it in QEMU):
# DIR/disk.img; DIR/vmlinuz and DIR/initrd, which QEMU loads itself; DIR/id, the key that logs in. What our packages depend on is
# installed, and nothing of ours. Needs root and Debian's mirror; a minute, and 3 GB while it works.
set -eu
release=$1
target=$2
packages="systemd-sysv dbus udev kmod iproute2 openssh-server linux-image-cloud-amd64 busybox-static
  libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-daemon-driver-lxc libvirt-clients qemu-system-x86"
ours="rxm xmand rxmweb"
[ "$release" != bookworm ] || ours="rxm xmand" # Debian 12 is too old for the portal
packages+=" $("$(dirname "$0")/../../../packaging/depends" $ours)"

. "$(dirname "$0")/root.sh"

ssh-keygen -q -t ed25519 -N '' -C xman-lab -f "$work/id"
"$(dirname "$0")/../../tools/fresh/debian.sh" "$release" "$root" --variant=apt --include="$(echo $packages | tr ' ' ,)" \
  --aptopt='Acquire::Languages "none"' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d" &&
    printf "MODULES=list\nCOMPRESS=gzip\nRESUME=none\n" >"$1/etc/initramfs-tools/conf.d/lab"'

echo hv1 | put /etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 skirit80.xman.test skirit80\n' | put /etc/hosts
echo '/dev/vda / ext4 rw,noatime 0 0' | put /etc/fstab
printf 'ext4\nvirtio_pci\nvirtio_blk\n' | put /etc/initramfs-tools/modules
install -d -m 700 "$root/root/.ssh"
install -m 600 "$work/id.pub" "$root/root/.ssh/authorized_keys"
put /etc/systemd/network/10-outside.network <<'CONF'
[Match]
Name=eth0
[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
LinkLocalAddressing=no
CONF
rm -f "$root"/etc/libvirt/qemu/networks/autostart/*
# Its complaint is that it is not the system that runs.
chroot "$root" systemctl -q enable systemd-networkd ssh 2>/dev/null
chroot "$root" systemctl -q disable systemd-networkd-wait-online.service 2>/dev/null
# Nothing of these is asked for here, and each takes its time under emulation.
chroot "$root" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  e2scrub_reap.service fstrim.timer logrotate.timer systemd-pstore.service getty@tty1.service libvirt-guests.service 2>/dev/null
chroot "$root" update-initramfs -u >/dev/null 2>&1 # it warns of a root file system that is not there yet

cp "$root"/boot/vmlinuz-* "$work/vmlinuz"
cp "$root"/boot/initrd.img-* "$work/initrd"
mke2fs -q -t ext4 -O ^has_journal -L lab -d "$root" "$work/disk.img" 4G >/dev/null
rm -rf "$root"
chmod 700 "$work"
chown -R --reference="$(dirname "$target")" "$work"
rm -rf "$target"
mv "$work" "$target"
