"""A container of libvirt's with a login on its console, as the tests and the benchmark know it."""

# What stands for a login: who says his name is greeted; `flood` prints 20 MB, `busy` two kilobytes ten times a second,
# `endless` as much as is taken, `echo` gives back what comes as it is, `sleep` reads no more, `bye` ends the container.
_LOGIN = r"""
trap 'exit 0' TERM
while :; do
  printf 'login: '
  read -r name || { sleep 0.2; continue; }
  case $name in
    flood) head -c 20000000 /dev/zero | tr '\0' x; echo; echo flooded ;;
    busy) while :; do head -c 2000 /dev/zero | tr '\0' x; echo; sleep 0.1; done ;;
    endless) exec yes ;;
    echo) stty raw -echo; echo echoes; exec cat ;;
    sleep) exec sleep 600 ;;
    bye) exit 0 ;;
    *) echo "Welcome, $name." ;;
  esac
done
"""
FLOOD = 20_000_000
URI = "lxc:///system"


def with_a_login(name: str) -> str:
    """Return the XML of a container with a login on its console."""
    script = _LOGIN.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f"<domain type='lxc'><name>{name}</name><memory unit='MiB'>128</memory>"
        f"<os><type>exe</type><init>/bin/sh</init><initarg>-c</initarg><initarg>{script}</initarg></os>"
        "<devices><console type='pty'/></devices></domain>"
    )
