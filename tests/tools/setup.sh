#!/usr/bin/env bash
# setup.sh demo|test|xen|deb|rpm|roots|boot|host-image|test-host-image|fresh [HYPERVISOR] - install what is missing for
# `make demo`, `make test`, `make test-xen`, `make deb`, `make rpm`, `make test-deb`, `make test-boot`, `make host-image`,
# `make test-host-image` or `make test-fresh`; fast where nothing is.
# `setup.sh --list PURPOSE` only names Debian's packages.
#
# Debian's packages (as root, or through sudo), a virtual environment in .venv, and in .build what no package installs
# in the shape that a test needs. Nothing else of the machine is changed, and no service is started: daemons are run by
# the tests themselves.
set -eu -o pipefail
cd "$(dirname "$0")/../.."

list=
[ "${1:-}" != --list ] || { list=yes; shift; }
purpose=${1:?demo, test, xen, deb, rpm, roots, boot or fresh}
hypervisor=${2:-test}

fetch=$PWD/tests/tools/fetch.sh
kept=/var/cache/apt/archives

say() { echo "setup: $*" >&2; }

as_root() {
  if [ "$(id -u)" = 0 ]; then
    env DEBIAN_FRONTEND=noninteractive "$@"
  elif command -v sudo >/dev/null; then
    sudo env DEBIAN_FRONTEND=noninteractive "$@"
  else
    say "need root, or sudo, to run: $*"
    exit 1
  fi
}

updated=
update() {
  [ -z "$updated" ] || return 0
  updated=yes
  as_root tests/tools/fetch.sh "the list of Debian's packages" apt-get -qq -o APT::Update::Error-Mode=any update && return
  # It may be another archive's that this machine has as well.
  apt-cache show krb5-user >/dev/null 2>&1 || exit 75
  say "going on with the lists that there are"
}

packages="gcc libkrb5-dev libvirt-dev pkg-config python3-dev python3-venv" # what pip compiles gssapi and libvirt with
packages+=" krb5-admin-server krb5-kdc krb5-user libnss-wrapper"           # the realm
hypervisor_packages="busybox-static cpio iproute2 libvirt-daemon libvirt-daemon-driver-lxc"
hypervisor_packages+=" libvirt-daemon-driver-qemu libvirt-clients"
hypervisor_packages+=" lz4 qemu-system-x86 qemu-utils xz-utils zstd libsasl2-modules-gssapi-mit sasl2-bin"
slurm_packages="slurmctld slurmd slurm-client slurm-wlm-basic-plugins"
ldap_packages="slapd krb5-kdc-ldap ldap-utils"
if [ "$purpose" = test ]; then
  # An image of Debian has no lists of packages, by which to find out below what others need.
  apt-cache show apache2-bin >/dev/null 2>&1 || update
  # The server that Debian's release has, without its compiler (LLVM): a hundred MB that no test needs.
  postgresql=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/^ *Depends: \(postgresql-[0-9]*\)$/\1/p')
  packages+=" chromium fish groff-base heimdal-multidev krb5-pkinit libfaketime openssl"
  # Debian 13 has libvirt's storage in a package of its own, which libvirt-daemon-system brings.
  ! apt-cache show libvirt-daemon-driver-storage >/dev/null 2>&1 || hypervisor_packages+=" libvirt-daemon-driver-storage"
  # What an HVM guest of xl's may ask for: SPICE, of which Debian 13 has a package of its own, and UEFI.
  ! apt-cache show qemu-system-modules-spice >/dev/null 2>&1 || hypervisor_packages+=" qemu-system-modules-spice"
  hypervisor_packages+=" ovmf"
  # The examples in other languages.
  packages+=" default-jdk-headless libnet-remctl-perl libremctl-dev php-cli php-remctl python3-pyremctl ruby ruby-remctl"
  packages+=" openssh-client python3-clustershell python3-gssapi remctl-client systemd zsh $hypervisor_packages"
  # The libraries of what is only unpacked (below), but for those of slapd's back ends that nobody loads.
  packages+=" $(apt-cache depends apache2-bin openssh-server remctl-server $slurm_packages \
    $ldap_packages $postgresql 2>/dev/null |
    sed -n 's/^ *Depends: \(lib.*\)/\1/p' | grep -v -e '^libllvm' -e '^libodbc' -e '^libperl' | sort -u | tr '\n' ' ')"
elif [ "$purpose" = deb ]; then
  packages="build-essential debhelper dh-python dpkg-dev python3"
elif [ "$purpose" = fresh ]; then
  packages="git mmdebstrap slirp4netns"
elif [ "$purpose" = roots ]; then
  packages="mmdebstrap"
elif [ "$purpose" = host-image ]; then
  packages="git grub-common grub-efi-amd64-bin grub-pc-bin mmdebstrap mtools squashfs-tools xorriso"
elif [ "$purpose" = test-host-image ]; then
  packages+=" cpio e2fsprogs krb5-pkinit openssl ovmf qemu-system-x86 qemu-utils squashfs-tools"
elif [ "$purpose" = rpm ]; then
  packages="cpio make python3 rpm"
elif [ "$purpose" = xen ] || [ "$purpose" = boot ]; then
  packages+=" busybox-static cpio e2fsprogs krb5-pkinit mmdebstrap openssh-client openssl qemu-system-x86 qemu-utils xz-utils"
  # Two of them run on hosts of this machine's. Debian 13 has these two drivers in packages of their own.
  if [ "$purpose" = boot ]; then
    packages+=" $hypervisor_packages"
    for driver in network storage; do
      ! apt-cache show "libvirt-daemon-driver-$driver" >/dev/null 2>&1 || packages+=" libvirt-daemon-driver-$driver"
    done
  fi
elif [ "$hypervisor" = qemu ]; then
  packages+=" $hypervisor_packages"
fi

if [ -n "$list" ]; then
  echo $packages | tr ' ' '\n'
  exit
fi

missing_packages() {
  local name
  for name in $packages; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) in
      installed) ;;
      *) echo "$name" ;;
    esac
  done
}

# Download Debian packages into the folder $2; those that apt has kept need not be.
download() {
  local uris file sum missing=
  uris=$(apt-get -qq download --print-uris $1)
  while read -r _ file _ sum; do
    if echo "${sum#SHA256:}  $kept/$file" | sha256sum --status -c 2>/dev/null; then
      cp "$kept/$file" "$2"
    else
      missing+=" ${file%%_*}"
    fi
  done <<<"$uris"
  [ -n "$missing" ] || return 0
  (cd "$2" && "$fetch" "$missing" apt-get -qq -o APT::Sandbox::User="$(id -un)" download $missing)
  # `download` alone would not, where apt is told to keep what it gets.
  [ "$(apt-config shell keep APT::Keep-Downloaded-Packages)" != "keep='true'" ] || as_root cp -n "$2"/*.deb "$kept"
}

# Unpack Debian packages into .build/$2 without installing them; $3 is a file that has to be among theirs.
unpack() {
  local work package
  [ ! -e ".build/$2" ] || return 0
  update
  work=$(mktemp -d)
  chmod 755 "$work"
  download "$1" "$work"
  for package in "$work"/*.deb; do
    dpkg-deb -x "$package" "$work/root"
  done
  [ -n "$(compgen -G "$work/root/$3")" ] || { say "$1: there is no $3 in it"; exit 1; }
  mkdir -p .build
  mv "$work/root" ".build/$2"
  rm -rf "$work"
}

missing=$(missing_packages)
if [ -n "$missing" ]; then
  say "installing $(echo $missing)"
  update
  # First fetched, which may fail for a while, then installed, which must not.
  as_root tests/tools/fetch.sh "$(echo $missing)" apt-get -qq install --no-install-recommends -y --download-only $missing
  as_root apt-get -qq install --no-install-recommends -y $missing >/dev/null
fi

case $purpose in deb | fresh | host-image | rpm | roots) exit 0 ;; esac

# Debian's interpreter: the one that Debian's bindings, and later our packages, are for.
fingerprint=$(cat setup.cfg setup.py pyproject.toml common/xman/__init__.py | sha256sum)
if [ "$(cat .venv/fingerprint 2>/dev/null)" != "$fingerprint" ]; then
  say "making the virtual environment (compiles gssapi and libvirt-python the first time)"
  [ -x .venv/bin/python ] || /usr/bin/python3 -m venv .venv
  tests/tools/fetch.sh "what pip installs" .venv/bin/python -m pip -q --disable-pip-version-check --no-input \
    install -e '.[test]' 2>&1 | { grep -v '^WARNING: Location' >&2 || true; }
  echo "$fingerprint" >.venv/fingerprint
fi
# By their paths: the finder that pip puts there takes each start of Python longer than Python itself.
for paths in .venv/lib/python3*/site-packages/__editable__.xman-*.pth; do
  printf '%s\n' "$PWD/common" "$PWD" >"$paths"
done

if [ "$purpose" = test ]; then
  # The package would start a server on this machine's port 4373; the test starts its own.
  unpack remctl-server remctl-server usr/sbin/remctld
  # And this one on port 22.
  unpack openssh-server openssh-server usr/sbin/sshd
  unpack "$postgresql" postgresql "usr/lib/postgresql/*/bin/postgres"
  # And these a directory on port 389.
  unpack "$ldap_packages" ldap-kdc usr/share/doc/krb5-kdc-ldap/kerberos.schema.gz
  # So would these; and they would make a user, and a cluster of this machine.
  unpack "$slurm_packages" slurm usr/sbin/slurmctld-wlm
  # They ask by which name they were called; the packages would have made these by alternatives.
  for program in .build/slurm/usr/sbin/*-wlm; do
    [ -e "${program%-wlm}" ] || ln -s "$(basename "$program")" "${program%-wlm}"
  done
  # And this one on port 80, with the modules that sites add.
  unpack "apache2-bin libapache2-mod-auth-gssapi" apache usr/lib/apache2/modules/mod_auth_gssapi.so
  # Only its judge of alert rules is wanted; the package would start a server.
  promtool=promtool # a package of its own from Debian 13 on
  apt-cache show promtool >/dev/null 2>&1 || promtool=prometheus
  unpack "$promtool" prometheus usr/bin/promtool
  rm -rf .build/prometheus/usr/bin/prometheus .build/prometheus/usr/share
  # Programs of others that were written for xm and xl; the packages would want Xen, or a cluster.
  unpack "resource-agents xen-utils-common" strangers usr/lib/ocf/resource.d/heartbeat/Xen
  # And these would put themselves in MIT's place.
  unpack "heimdal-kdc heimdal-clients" heimdal-programs usr/lib/heimdal-servers/kdc
  unpack heimdal-kcm heimdal-kcm usr/sbin/kcm
  tests/lab/kerberos/heimdal.sh .venv .build/heimdal
fi
case $purpose$hypervisor in
  testtest | testqemu | demoqemu | boot*)
    recipe=$(cat tests/lab/hosts/guest.sh tests/lab/hosts/kernel.sh | sha256sum)
    if [ "$(cat .build/guest/recipe 2>/dev/null)" != "$recipe" ]; then
      kernel=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image.*\)/\1/p')
      [ -n "$kernel" ] || { update; kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image.*\)/\1/p'); }
      say "making the guest from $kernel"
      unpack "$kernel" guest-kernel "boot/vmlinuz-*"
      tests/lab/hosts/guest.sh .build/guest-kernel .build/guest
      echo "$recipe" >.build/guest/recipe
    fi
    ;;
esac
if [ "$purpose" = boot ]; then
  for release in ${XMAN_RELEASES:-bookworm trixie}; do
    recipe=$(cat tests/lab/hosts/image.sh tests/lab/hosts/root.sh | sha256sum)
    if [ "$(cat ".build/boot-$release/recipe" 2>/dev/null)" != "$recipe" ]; then
      say "making the image of a Debian $release"
      as_root tests/lab/hosts/image.sh "$release" ".build/boot-$release"
      echo "$recipe" >".build/boot-$release/recipe"
    fi
    recipe=$(cat tests/lab/hosts/cloud.sh tests/lab/hosts/root.sh | sha256sum)
    if [ "$(cat ".build/cloud-$release/recipe" 2>/dev/null)" != "$recipe" ]; then
      say "making the image of a Debian $release for clouds"
      as_root tests/lab/hosts/cloud.sh "$release" ".build/cloud-$release"
      echo "$recipe" >".build/cloud-$release/recipe"
    fi
  done
fi
if [ "$purpose" = xen ]; then
  recipe=$(cat tests/lab/hosts/xen.sh tests/lab/hosts/root.sh | sha256sum)
  if [ "$(cat .build/xen/recipe 2>/dev/null)" != "$recipe" ]; then
    say "making the image of a Xen host"
    mkdir -p .build
    as_root tests/lab/hosts/xen.sh .build/xen
    echo "$recipe" >.build/xen/recipe
  fi
fi
