#!/usr/bin/python3
"""xman.py HOST PORT list | VERB DOMAIN | follow SECONDS - a client in Python, on pyremctl (python3-pyremctl)."""

import json
import secrets
import sys
import time

import remctl

UNKNOWN = 10


def ask(host, port, *words):
    """Yield what a command writes, as (stream, octets), and at last its status."""
    connection = remctl.Remctl(host, int(port))
    connection.command(words)
    while True:
        kind, data, stream, status, _error = connection.output()
        if kind == "output":
            yield stream, data
        elif kind == "error":
            yield 2, data + b"\n"
            yield None, 1
            return
        elif kind == "status":
            yield None, status
            return
        else:
            return


def change(host, port, verb, domain):
    """Do it once, whatever becomes of the connection; return the status."""
    rid = secrets.token_hex(16)
    for _try in range(3):
        try:
            for stream, data in ask(host, port, verb, f"--rid={rid}", "--", domain):
                if stream is None and data != UNKNOWN:
                    return data
                if stream is not None:
                    (sys.stdout if stream == 1 else sys.stderr).write(data.decode())
        except remctl.RemctlError as error:
            sys.stderr.write(f"{error}\n")
        time.sleep(1)  # the same id again: the host acts once, and answers with what it did
    return UNKNOWN


def main(host, port, verb, word=""):
    """Return the exit status."""
    if verb == "list":
        answer = b"".join(data for stream, data in ask(host, port, "list", "--json", "--") if stream == 1)
        sys.stdout.writelines(f"{domain['name']}\n" for domain in json.loads(answer)["result"]["domains"])
    elif verb == "follow":
        for stream, data in ask(host, port, "events", "--follow", "--json", f"--timeout={word}", "--"):
            if stream == 1:
                sys.stdout.write(data.decode())
                sys.stdout.flush()
    else:
        return change(host, port, verb, word)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
