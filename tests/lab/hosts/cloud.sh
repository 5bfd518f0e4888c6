#!/usr/bin/env bash
# cloud.sh RELEASE DIR - make an image that `rxm launch` makes machines of: DIR/cloud.qcow2, a Debian with cloud-init and an sshd
# as Debian has them, on a disk with a boot loader, and nothing in it that knows of us or lets anybody in. Needs root and
# Debian's mirror; two minutes, and 3 GB while it works.
set -eu
release=$1
target=$2
packages="systemd-sysv dbus udev kmod iproute2 cloud-init openssh-server linux-image-cloud-amd64 grub-common grub-pc-bin"

. "$(dirname "$0")/root.sh"

"$(dirname "$0")/../../tools/fresh/debian.sh" "$release" "$root" --variant=apt --include="$(echo $packages | tr ' ' ,)" \
  --aptopt='Acquire::Languages "none"' --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d" &&
    printf "MODULES=list\nCOMPRESS=gzip\nRESUME=none\n" >"$1/etc/initramfs-tools/conf.d/lab"'

# Its name, its host keys and whoever may log in come from the seed.
echo localhost | put /etc/hostname
: | put /etc/machine-id
rm -f "$root"/etc/ssh/ssh_host_*
echo '/dev/vda1 / ext4 rw,noatime 0 1' | put /etc/fstab
# The seed's drive is to be there when cloud-init looks whether there is one, as with the initrd of Debian's own images.
printf 'ext4\nvirtio_pci\nvirtio_blk\nvirtio_scsi\nsr_mod\nisofs\n' | put /etc/initramfs-tools/modules
# Its complaint is that it is not the system that runs.
chroot "$root" systemctl -q enable systemd-networkd ssh 2>/dev/null
# What waits for a network that this guest may not have, and what takes its time under emulation.
chroot "$root" systemctl -q mask systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer \
  dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-pstore.service getty@tty1.service 2>/dev/null
chroot "$root" update-initramfs -u >/dev/null 2>&1 # it warns of a root file system that is not there yet
for name in vmlinuz initrd.img; do mv "$root"/boot/$name-* "$root/boot/$name"; done
# On a loaded machine an emulated timer may be too late for Linux to believe in it.
put /boot/grub/grub.cfg <<'CONF'
linux /boot/vmlinuz root=/dev/vda1 rw console=tty0 console=ttyS0 mitigations=off net.ifnames=0 no_timer_check panic=-1
initrd /boot/initrd.img
boot
CONF
chroot "$root" grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -o /core.img biosdisk part_msdos ext2 normal linux boot
mv "$root/core.img" "$work/core.img"
cp "$root/usr/lib/grub/i386-pc/boot.img" "$work/boot.img"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*

# One partition from the first MiB on; before it GRUB, which boot.img looks for in the second sector.
megabytes=1800
mke2fs -q -t ext4 -O ^has_journal -d "$root" "$work/part.img" "${megabytes}M" >/dev/null
rm -rf "$root"
[ "$(stat -c %s "$work/core.img")" -lt $((2047 * 512)) ]
truncate -s $(((megabytes + 1) << 20)) "$work/disk.img"
write() { dd status=none conv=notrunc,sparse bs="$3" of="$work/disk.img" if="$1" seek="$2"; }
write "$work/part.img" 1 1M
write "$work/core.img" 1 512
head -c 440 "$work/boot.img" >"$work/first"
write "$work/first" 0 440
{
  printf '\200\0\0\0\203\0\0\0'
  for number in 2048 $((megabytes * 2048)); do
    for shift in 0 8 16 24; do printf "\\$(printf %03o $((number >> shift & 255)))"; done
  done
} | dd status=none conv=notrunc bs=1 of="$work/disk.img" seek=446
printf '\125\252' | dd status=none conv=notrunc bs=1 of="$work/disk.img" seek=510
qemu-img convert -O qcow2 "$work/disk.img" "$work/cloud.qcow2"
rm "$work"/*.img "$work/first"
chmod 755 "$work"
chown -R --reference="$(dirname "$target")" "$work"
rm -rf "$target"
mv "$work" "$target"
