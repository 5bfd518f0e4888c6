"""Each word of xl-disk-configuration(5), xl-network-configuration(5) and of a `vfb`, and what becomes of it.

The words themselves are in `tests/data/formats/*-words.txt`, read off the manual pages of Xen 4.17 and 4.20.
"""

from tests.unit.xmand.formats.outcomes import KEPT, LEFT_OUT, REFUSED, XML

# What each is said in, behind which a comma stands.
LINES = {
    "disk": "disk = ['vdev=xvda,{}target=/dev/vg/x']",
    "vif": "vif = ['mac=00:16:3e:00:00:01,{}']",
    "vfb": "vfb = ['vnc=1,{}']",
}
# kind, the word, said, on Xen, on QEMU
TABLE = (
    ("disk", "access", "access=ro", XML, XML),
    ("disk", "active-disk", "active-disk=/a", LEFT_OUT, LEFT_OUT),
    ("disk", "backend", "backend=storage", XML, REFUSED),
    ("disk", "backendtype", "backendtype=qdisk", XML, KEPT),
    ("disk", "cdrom", "cdrom", XML, XML),
    ("disk", "colo", "colo", LEFT_OUT, LEFT_OUT),
    ("disk", "colo-export", "colo-export=x", LEFT_OUT, LEFT_OUT),
    ("disk", "colo-host", "colo-host=192.0.2.1", LEFT_OUT, LEFT_OUT),
    ("disk", "colo-port", "colo-port=1", LEFT_OUT, LEFT_OUT),
    ("disk", "devtype", "devtype=cdrom", XML, XML),
    ("disk", "direct-io-safe", "direct-io-safe", LEFT_OUT, LEFT_OUT),
    ("disk", "discard", "discard", KEPT, KEPT),
    ("disk", "format", "format=qcow2", XML, XML),
    ("disk", "grant_usage", "grant_usage=1", LEFT_OUT, LEFT_OUT),
    ("disk", "hidden-disk", "hidden-disk=/a", LEFT_OUT, LEFT_OUT),
    ("disk", "no-discard", "no-discard", XML, XML),
    ("disk", "script", "script=block-iscsi", REFUSED, REFUSED),
    # libvirt has Xen's own disks alone there; a warning says under which name it is one.
    ("disk", "specification", "specification=virtio", KEPT, KEPT),
    ("disk", "target", "target=/dev/vg/y", XML, XML),
    ("disk", "trusted", "trusted", KEPT, KEPT),
    ("disk", "untrusted", "untrusted", LEFT_OUT, LEFT_OUT),
    ("disk", "vdev", "vdev=xvdb", XML, XML),
    ("vfb", "display", "display=:0", KEPT, KEPT),
    ("vfb", "keymap", "keymap=fr", XML, XML),
    ("vfb", "opengl", "opengl=1", KEPT, KEPT),
    ("vfb", "sdl", "sdl=1", XML, XML),
    ("vfb", "vnc", "vnc=0", XML, XML),
    ("vfb", "vncdisplay", "vncdisplay=3", XML, XML),
    ("vfb", "vnclisten", "vnclisten=192.0.2.1", XML, XML),
    ("vfb", "vncpasswd", "vncpasswd=x", XML, XML),
    ("vfb", "vncunused", "vncunused=0", KEPT, KEPT),
    ("vfb", "xauthority", "xauthority=/x", KEPT, KEPT),
    ("vif", "backend", "backend=net", XML, REFUSED),
    ("vif", "bridge", "bridge=br1", XML, XML),
    ("vif", "devid", "devid=1", LEFT_OUT, LEFT_OUT),
    ("vif", "gatewaydev", "gatewaydev=eth0", LEFT_OUT, LEFT_OUT),
    ("vif", "ip", "ip=192.0.2.1", XML, LEFT_OUT),
    ("vif", "mac", "mac=00:16:3e:00:00:02", XML, XML),
    ("vif", "model", "model=e1000", XML, XML),
    ("vif", "mtu", "mtu=1400", XML, XML),
    ("vif", "netdev", "netdev=eth0", LEFT_OUT, LEFT_OUT),
    ("vif", "rate", "rate=10Mb/s", XML, XML),
    ("vif", "script", "script=vif-route", XML, REFUSED),
    ("vif", "trusted", "trusted", KEPT, KEPT),
    ("vif", "type", "type=vif", XML, XML),
    ("vif", "untrusted", "untrusted", LEFT_OUT, LEFT_OUT),
    ("vif", "vifname", "vifname=lan0", XML, XML),
    ("vif", "vlan", "vlan=10", XML, XML),
)
