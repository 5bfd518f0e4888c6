"""Looks at all that passes a network interface until standard input ends, and then tells how often it saw a word.

Usage: python sniffer.py INTERFACE WORD. Needs root; a process of its own, since it stands in another's namespace.
"""

import select
import socket
import sys

_ALL_PROTOCOLS = socket.htons(3)  # ETH_P_ALL (linux/if_ether.h)
_BUFFER_OCTETS = 1 << 27
_MOST_OCTETS = 1 << 17


def main() -> None:
    """Listen, and tell."""
    interface, word = sys.argv[1], sys.argv[2].encode()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, _ALL_PROTOCOLS) as wire:
        wire.setsockopt(socket.SOL_SOCKET, 33, _BUFFER_OCTETS)  # SO_RCVBUFFORCE: not bound by the system's limit
        wire.bind((interface, 0))
        print("listening", flush=True)
        seen = 0
        while True:
            ready, _, _ = select.select([wire, sys.stdin], [], [])
            if wire in ready:
                seen += word in wire.recv(_MOST_OCTETS)
            elif sys.stdin in ready:
                break
    print(seen, flush=True)


if __name__ == "__main__":
    main()
