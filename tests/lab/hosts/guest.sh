#!/usr/bin/env bash
# guest.sh KERNEL-ROOT DIR - make a guest that boots in seconds under emulation: DIR/vmlinux and DIR/initramfs.
#
# Debian's cloud kernel, unpacked, and a busybox that loads the balloon's and the power button's drivers, brings hot-plugged CPUs on
# line, prints a tick with what it has on its console, greets on its second serial port, says which keys are pressed on
# its keyboard, and shuts down when the power button is pressed. Where it has a channel for QEMU's agent, it is one: it
# tells who is logged on, more or less (agent=honest, agent=lying on the kernel's command line), or never answers.
set -eu
root=$1
target=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$target" "$work"/{bin,dev,proc,sys,modules}
. "$(dirname "$0")/kernel.sh"
unpacked "$root"/boot/vmlinuz-* >"$target/vmlinux"
cp /bin/busybox "$work/bin/busybox"
# In the order of their needs.
modules="virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_balloon virtio_console evdev button"
folders=$(find "$root/lib/modules" "$root/usr/lib/modules" -mindepth 1 -maxdepth 1 -type d 2>/dev/null || true)
[ -n "$folders" ] || { echo "guest.sh: no folder of modules in $root" >&2; exit 1; }
for module in $modules; do
  file=$(find $folders -name "$module.ko" -o -name "$module.ko.xz" | head -n 1)
  case $file in
    '')
      grep -qs "/$module\\.ko$" $(find $folders -name modules.builtin) ||
        { echo "guest.sh: $module is no module of this kernel, and not built into it" >&2; exit 1; }
      ;;
    *.xz) xz -dc "$file" >"$work/modules/$module.ko" ;;
    *) cp "$file" "$work/modules/" ;;
  esac
done
cat >"$work/init" <<INIT
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in $modules; do [ ! -f /modules/\$module.ko ] || insmod /modules/\$module.ko; done
for event in /dev/input/event*; do
  [ -c \$event ] || continue
  exec 3<\$event
  # struct input_event: the time, type 1 for keys, the kernel's number of the key, and 1 where it goes down.
  (while set -- \$(dd bs=24 count=1 2>/dev/null | hexdump -v -e '/2 "%u "'); [ \$# = 12 ]; do
    [ "\$9 \${11}" = "1 1" ] || continue
    [ "\${10}" != 116 ] || poweroff -f
    echo "key \${10}" >/dev/ttyS0
  done) <&3 &
  exec 3<&-
done
# On the second serial port, where there is one, somebody may say his name.
exec 4<>/dev/ttyS1
if stty sane <&4 2>/dev/null; then
  (while :; do
    printf 'login: '
    read -r name || { sleep 1; continue; }
    echo "Welcome, \$name."
  done) <&4 >&4 2>&1 &
fi
# The agent's protocol, as far as libvirt asks for it: {"execute":"guest-sync","arguments":{"id":7}} and so on, a line each.
for port in /sys/class/virtio-ports/vport*; do
  [ "\$(cat \$port/name 2>/dev/null)" = org.qemu.guest_agent.0 ] || continue
  (said='{"user": "novak", "login-time": 1.5}, {"user": "novak", "login-time": 2.5}'
  kind=\$(sed -n 's/.*agent=\([a-z]*\).*/\1/p' /proc/cmdline)
  [ "\$kind" != lying ] || for n in \$(seq 100); do
    said="\$said, {\"user\": \"\\\\u001b[31m\$n\$(printf %0200d 0)\", \"login-time\": -1e300}"
  done
  exec 3<>/dev/\${port##*/}
  # Whoever asks waits for some seconds only: no program is started for an answer.
  while :; do
    read -r asked <&3 || { sleep 1; continue; }
    if [ "\$kind" = hanging ]; then
      echo agent-asked >/dev/ttyS0
      exec sleep 100000
    fi
    case \$asked in
      *guest-sync*)
        number=\${asked##*\"id\":}
        number=\${number# }
        number=\${number%%[!0-9]*}
        case \$asked in *delimited*) printf '\\377' >&3 ;; esac
        echo "{\"return\": \$number}" >&3
        ;;
      *guest-get-users*)
        echo agent-asked >/dev/ttyS0
        echo "{\"return\": [\$said]}" >&3
        ;;
      *) echo '{"error": {"class": "CommandNotFound", "desc": "no"}}' >&3 ;;
    esac
  done) &
done
# Now whatever is pressed or typed is heard.
echo guest-ready >/dev/ttyS0
# Once a second, without a program of its own: each would cost an emulated machine more than all else that it does.
mkfifo /never
exec 5<>/never
while :; do
  cpus=0
  for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
    on=1 # the first one cannot be taken off line
    if [ -f \$cpu/online ]; then
      read -r on <\$cpu/online || continue
      [ \$on = 1 ] || { echo 1 >\$cpu/online; read -r on <\$cpu/online; }
    fi
    cpus=\$((cpus + on))
  done 2>/dev/null
  read -r _ memory </proc/meminfo # MemTotal is its first line
  echo "tick \$cpus \$memory" >/dev/ttyS0
  read -r -t 1 _ <&5
done
INIT
chmod 755 "$work/init"
(cd "$work" && find . | cpio -o -H newc --quiet | gzip -1) >"$target/initramfs.new"
mv "$target/initramfs.new" "$target/initramfs"
