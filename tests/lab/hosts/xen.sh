#!/usr/bin/env bash
# xen.sh DIR - make what a real Xen host boots from (tests/lab/hosts/xen.py boots it in QEMU): DIR/disk.img, Debian with Xen,
# libvirt's driver for it and two tiny guests; DIR/xen, DIR/vmlinux and DIR/initrd, which QEMU loads itself; DIR/id, the
# key that logs in. Needs root and Debian's mirror; a minute, and 2 GB while it works.
set -eu
target=$1
suite=bookworm
xen=4.17
packages="systemd-sysv dbus udev kmod iproute2 openssh-server linux-image-amd64 busybox-static procps netcat-openbsd
  xen-hypervisor-$xen-amd64 xen-utils-$xen libvirt-daemon-system libvirt-daemon-driver-xen libvirt-clients
  python3 python3-gssapi python3-libvirt python3-lxml python3-clustershell"

. "$(dirname "$0")/root.sh"

# Print the ELF kernel inside a vmlinuz: under emulation its xz would take seconds at every start.
unpacked() {
  local at
  at=$(LC_ALL=C grep -aobUP '\xFD7zXZ\x00' "$1" | head -n 1 | cut -d: -f1)
  tail -c "+$((at + 1))" "$1" | xz -dc 2>/dev/null || true # what follows the stream is no error
}

ssh-keygen -q -t ed25519 -N '' -C xen-lab -f "$work/id"
"$(dirname "$0")/../../tools/fresh/debian.sh" "$suite" "$root" --variant=apt --include="$(echo $packages | tr ' ' ,)" \
  --aptopt='Acquire::Languages "none"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d" &&
    printf "MODULES=list\nCOMPRESS=gzip\nRESUME=none\n" >"$1/etc/initramfs-tools/conf.d/xen-lab"'

# --- the host's settings ----------------------------------------------------------------------------------------------

echo xen | put /etc/hostname
printf '127.0.0.1 localhost\n10.99.0.1 xen1\n10.99.0.2 xen2\n' | put /etc/hosts
echo '/dev/vda / ext4 rw,noatime 0 0' | put /etc/fstab
printf 'ext4\nvirtio_pci\nvirtio_blk\n' | put /etc/initramfs-tools/modules
printf 'xen-blkback\nxen-netback\nloop\n' | put /etc/modules-load.d/xen-lab.conf
install -d -m 700 "$root/root/.ssh"
install -m 600 "$work/id.pub" "$root/root/.ssh/authorized_keys"
install -m 600 "$work/id" "$root/root/.ssh/id_ed25519" # from host to host, for migrations
printf 'StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n' | put /root/.ssh/config
# eth0: QEMU's user network. The other: the link between the hosts. xenbr0: the guests' bridge.
put /etc/systemd/network/10-outside.network <<'CONF'
[Match]
Name=eth0
[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
LinkLocalAddressing=no
CONF
for n in 1 2; do
  put "/etc/systemd/network/20-link$n.network" <<CONF
[Match]
MACAddress=52:54:00:99:00:0$n
[Network]
Address=10.99.0.$n/24
LinkLocalAddressing=no
CONF
done
printf '[NetDev]\nName=xenbr0\nKind=bridge\n' | put /etc/systemd/network/30-xenbr0.netdev
put /etc/systemd/network/30-xenbr0.network <<'CONF'
[Match]
Name=xenbr0
[Network]
Address=10.98.0.1/24
LinkLocalAddressing=no
ConfigureWithoutCarrier=yes
CONF
# What vif-bridge does for a guest's interface, in two programs: the many that it starts may take an emulated Domain-0
# longer than the 40 seconds that Xen gives it.
put /etc/xen/scripts/vif-lab <<'SCRIPT'
#!/bin/sh
[ "$1" = online ] || exit 0
ip link set "$vif" master xenbr0 up && xenstore-write "$XENBUS_PATH/hotplug-status" connected
SCRIPT
chmod 755 "$root/etc/xen/scripts/vif-lab"
# What guests say is logged in /var/log/xen/console/guest-NAME.log.
mkdir -p "$root/var/log/xen/console"
echo 'XENCONSOLED_ARGS="--log=guest --log-dir=/var/log/xen/console"' >>"$root/etc/default/xen"
# libvirtd after Xen's own daemons, and never ending when idle.
put /etc/systemd/system/libvirtd.service.d/xen-lab.conf <<'CONF'
[Unit]
After=xen.service
Wants=xen.service
[Service]
Environment=LIBVIRTD_ARGS=
CONF
: | put /etc/default/libvirtd
rm -f "$root"/etc/libvirt/qemu/networks/autostart/*
# On AMD Xen hides SEP from dom0: libvirt would find no CPU model that fits, and its Xen driver would not start.
sed -i "/<feature name='sep'/d" "$root/usr/share/libvirt/cpu_map/x86_qemu64.xml"
chroot "$root" systemctl -q enable systemd-networkd libvirtd ssh
chroot "$root" systemctl -q disable systemd-networkd-wait-online.service
chroot "$root" systemctl -q mask libvirt-guests.service xendomains.service apt-daily.timer apt-daily-upgrade.timer \
  dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer logrotate.timer systemd-pstore.service \
  getty@tty1.service systemd-logind.service systemd-machined.service systemd-binfmt.service
sed -i /pam_systemd/d "$root/etc/pam.d/common-session"
chroot "$root" update-initramfs -u >/dev/null 2>&1 # it warns of a root file system that is not there yet

# --- the guests -------------------------------------------------------------------------------------------------------

guest=$work/guest
mkdir -p "$root/srv/guest" "$guest"/{bin,sbin,lib,proc,sys,dev}
for module in xen-blkfront xen-netfront; do
  find "$root/lib/modules" -name "$module.ko" -exec cp {} "$guest/lib/" \;
done
cp "$root/bin/busybox" "$guest/bin/busybox"
ln -s busybox "$guest/bin/sh"
# The kernel runs these when Xen's tools ask.
for program in poweroff reboot; do
  printf '#!/bin/sh\nexec /bin/busybox %s -f\n' $program >"$guest/sbin/$program"
  chmod 755 "$guest/sbin/$program"
done
cat >"$guest/init" <<'INIT'
#!/bin/sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
insmod /lib/xen-blkfront.ko
insmod /lib/xen-netfront.ko
# Who says his name on the console is greeted.
(while :; do
  read -r name || { sleep 1; continue; }
  echo "Welcome, $name."
done) </dev/console &
echo guest-ready
while :; do
  for cpu in /sys/devices/system/cpu/cpu[0-9]*/online; do [ "$(cat $cpu)" = 1 ] || echo 1 >$cpu; done 2>/dev/null
  echo "tick $(nproc) $(sed -n 's/MemTotal: *//p' /proc/meminfo)"
  sleep 2
done
INIT
chmod 755 "$guest/init"
(cd "$guest" && find . | cpio -o -H newc --quiet | gzip -1) >"$root/srv/guest/initrd"
unpacked "$root"/boot/vmlinuz-* >"$root/srv/guest/vmlinux"

# --- what QEMU needs --------------------------------------------------------------------------------------------------

gunzip -c "$root/boot/xen-$xen-amd64.gz" >"$work/xen"
cp "$root/srv/guest/vmlinux" "$work/vmlinux"
cp "$root"/boot/initrd.img-* "$work/initrd"
mke2fs -q -t ext4 -O ^has_journal -L xen-lab -d "$root" "$work/disk.img" 3G >/dev/null
rm -rf "$root" "$guest"
chmod 700 "$work"
chown -R --reference="$(dirname "$target")" "$work"
rm -rf "$target"
mv "$work" "$target"
