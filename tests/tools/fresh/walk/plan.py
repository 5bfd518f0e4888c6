"""Who types which block on which machine, in order; and what a site has before. Pure, and Python's own library alone.

A block is named by its first words. Where a container cannot have what a block names, `instead` says what it has.
"""

from typing import NamedTuple

ADMIN = "the administrator's word"
ALICE = "correct horse"

# What is read, and not typed; and what `make test-fresh WHAT=demo` and `WHAT=test` type.
NOT_WALKED = ("$ rxm -H skirit80 list", "make demo", "make test")

# Each machine's address in its network. `build` is the fresh Debian itself.
MACHINES = {"kdc": 88, "skirit80": 80, "skirit81": 81, "portal": 90, "desk": 91}
HOSTS = ("skirit80", "skirit81")
BUILD = "build"


class Block(NamedTuple):
    """A block, typed on a machine; or, with `file`, lines that its reader writes into that file."""

    on: str
    words: str
    file: str = ""
    user: str = "root"
    answers: tuple[str, ...] = ()
    instead: tuple[tuple[str, str], ...] = ()
    shows: tuple[str, ...] = ()


class Site(NamedTuple):
    """What a site has, or does, that no block says: `why`, and the commands."""

    on: str
    why: str
    script: str


def _other(on: str) -> tuple[tuple[str, str], ...]:
    return (("skirit80", on),) if on == "skirit81" else ()


def _on_both(words: str, **more: tuple[str, ...] | str) -> list[Block]:
    return [Block(on, words, instead=_other(on), **more) for on in HOSTS]  # type: ignore[arg-type]


_NAMES = "".join(f"10.0.2.{last} {name}.example.org {name}\\n" for name, last in MACHINES.items())
_PREPARED = f"""\
apt-get -q update
# Every machine has systemd, a hypervisor host a kernel and libvirt; whoever has a ticket has krb5-user.
# Nobody is there to answer apt.
apt-get -q install -y --no-install-recommends python3 krb5-user curl iproute2 procps libvirt-daemon-system \
  libvirt-clients qemu-system-x86 linux-image-cloud-amd64 initramfs-tools systemd
echo 'APT::Get::Assume-Yes "true"; quiet "1";' >/etc/apt/apt.conf.d/91walk
printf '127.0.0.1 localhost\\n{_NAMES}' >/etc/hosts
cat >/etc/krb5.conf <<'FILE'
[libdefaults]
default_realm = EXAMPLE.ORG
[realms]
EXAMPLE.ORG = {{
 kdc = kdc.example.org
 admin_server = kdc.example.org
}}
[domain_realm]
.example.org = EXAMPLE.ORG
FILE
"""
_REALM = f"""\
apt-get -q install --no-install-recommends krb5-kdc krb5-admin-server
echo '*/admin@EXAMPLE.ORG *' >/etc/krb5kdc/kadm5.acl
kdb5_util create -s -r EXAMPLE.ORG -P 'the master key'
kadmin.local -q "addprinc -pw \\"{ADMIN}\\" admin/admin"
kadmin.local -q "addprinc -pw \\"{ALICE}\\" alice"
systemctl enable --now krb5-kdc krb5-admin-server
"""
# What the journal takes on a machine with systemd.
_LOG = """\
reader='import socket, sys; log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); log.bind("/dev/log")
while True: print(log.recv(65536).decode(errors="replace"), flush=True)'
setsid -f python3 -c "$reader" </dev/null >/var/log/walk.syslog 2>&1
until [ -S /dev/log ]; do sleep 0.1; done
chmod 666 /dev/log
"""
# A socket of systemd's would start it again after its two idle minutes.
_LIBVIRT = """\
echo 'LIBVIRTD_ARGS=""' >>/etc/default/libvirtd
systemctl enable --now virtlogd libvirtd
virsh -q -c qemu:///system version
"""
_TRUST = """\
until openssl s_client -connect portal.example.org:8443 </dev/null 2>/dev/null | openssl x509 \
  >/usr/local/share/ca-certificates/portal.crt 2>/dev/null; do sleep 0.2; done
update-ca-certificates
"""
_PLAIN = "sed -i -E '/^(listen|certificate|key) = /d' /etc/xman/rxmweb.toml"
_UP = "until (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null; do sleep 0.2; done"
_CLIENT = "apt install ./.build/deb/python3-xman_*.deb ./.build/deb/rxm_*.deb"
_USED = "rxm -H skirit80.example.org"
_USED81 = "runuser -u alice -- timeout 20 rxm -H skirit81.example.org"
_PAUSED = f"until {_USED81} list vm1 | grep -q -- --p---; do sleep 0.5; done"
_VM1 = f"sed s/first/vm1/ etc/guests/qemu.xml | runuser -u alice -- {_USED} create -"

BEFORE: list[Block | Site] = [
    Site(BUILD, "a machine of the site, and its realm's names", _PREPARED),
    Block(BUILD, "make deb"),
]


def steps(release: str) -> list[Block | Site]:
    """Return what is typed once there are machines, for a release of Debian."""
    with_packages = release != "bookworm"
    portal = [Block("portal", f"{_CLIENT} ./.build/deb/rxmweb_")]
    if not with_packages:
        portal = [Block("portal", "apt install gcc"), Block("portal", "/opt/xman/bin/pip install '.[portal]'")]
    return [
        Site("kdc", "a realm, with an administrator and a person", _REALM),
        *(Site(on, "a log of the system", _LOG) for on in (*HOSTS, "portal")),
        *(Site(on, "libvirt", _LIBVIRT) for on in HOSTS),
        Site("desk", "a person", "useradd --create-home alice"),
        Block("skirit80", "apt install ./.build/deb/python3-xman_*.deb ./.build/deb/xmand_"),
        Block("skirit81", "apt install gcc"),
        *_on_both('kadmin -p admin/admin -q "addprinc -randkey host/', answers=(ADMIN, ADMIN)),
        *_on_both("echo alice@"),
        *_on_both("xmand --check"),
        *_on_both("systemctl enable --now xmand"),
        Block("desk", f"{_CLIENT}\n"),
        Block("desk", "kinit alice", user="alice", answers=(ALICE,), shows=("alice@EXAMPLE.ORG", "State")),
        Block("desk", f"{_USED} create --dry-run", user="alice", shows=("first",)),
        *(Block(on, "[migrate]\ntransport", file="/etc/xman/xmand.toml") for on in HOSTS),
        *_on_both("systemctl reload xmand"),
        Site("desk", "a machine called vm1", _VM1),
        Block("desk", f"{_USED} migrate", user="alice"),
        Site("desk", "it is there, and ends", f"{_USED81} destroy vm1 && {_USED81} delete vm1"),
        *_on_both("apt install libsasl2", answers=(ADMIN, ADMIN)),
        *(Site(on, "the other way", "sed -i '/^\\[migrate\\]/,$d' /etc/xman/xmand.toml") for on in HOSTS),
        Block("skirit80", "[migrate]\nallow", file="/etc/xman/xmand.toml"),
        *_on_both("systemctl reload xmand"),
        Site("desk", "a machine called vm1", _VM1),
        Block("desk", f"{_USED} migrate", user="alice"),
        # Three hundred are two here.
        Block("desk", "hosts = [", file="/etc/xman/rxm.toml", instead=(("[001-300]", "[80-81]"), ("[001-020]", "80"))),
        Block("desk", "rxm ping", user="alice", shows=("skirit80", "skirit81", "xmand_version", "vm1")),
        *portal,
        Block("portal", 'kadmin -p admin/admin -q "addprinc -randkey HTTP/', answers=(ADMIN,) * 4),
        Block("portal", "openssl req"),
        Block("portal", "listen =", file="/etc/xman/rxmweb.toml", instead=(("[80-84]", "[80-81]"),)),
        *(Block(on, "[authorize]", file="/etc/xman/xmand.toml") for on in HOSTS),
        *_on_both("systemctl reload xmand"),
        Block("portal", "runuser -u rxmweb"),
        Site("desk", "a portal that is up, and trusted", _TRUST),
        Block("desk", "kinit -f alice", user="alice", answers=(ALICE,), shows=("skirit80.example.org", "vm1")),
        Block("desk", "portal=", user="alice", shows=('"action"', '"pause"')),
        Site("desk", "a machine that was paused", _PAUSED),
        Block("portal", "apt install apache2"),
        Site("portal", "a portal without an address of its own", _PLAIN),
        Block("portal", "[proxy]", file="/etc/xman/rxmweb.toml"),
        Block("portal", "systemctl restart rxmweb apache2"),
        Site("portal", "a portal that is up again", _UP),
        # Nothing is left of the visit without Apache: what lets her in now is what Apache says.
        Site("desk", "a machine that runs again", f"rm /home/alice/jar; {_USED81} unpause vm1"),
        Block("desk", "portal=", user="alice", instead=((":8443", ""),), shows=('"action"', '"pause"')),
        Site("desk", "a machine that was paused", _PAUSED),
        Block("skirit80", "apt purge xmand"),
        Block("portal", "apt purge rxmweb") if with_packages else Site("portal", "the end", "systemctl stop rxmweb"),
    ]
