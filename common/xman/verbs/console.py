"""Rows of the verbs for a domain's consoles, screen and keyboard."""

from xman.grammar import COUNT, WORD, Argument, Option, Verb
from xman.verbs.words import OF_DOMAIN

CONSOLE = (
    Verb(
        "console",
        "a domain's console; ^] leaves it",
        "console",
        OF_DOMAIN,
        (
            Option(("--no-stdin",), "only look; implied where standard input is not a terminal", local=True),
            Option(("--log",), "print what the domain printed so far; with --follow, go on"),
            Option(("--lines",), "with --log: only the last so many lines", COUNT, "N"),
            Option(("--follow",), "with --log: go on with what comes"),
            Option(("--send",), r"type TEXT and leave; it knows \n, \r, \t, \e and \\", WORD, "TEXT", secret=True),
            Option(("--keep",), "wait for the domain's next start, and go on"),
            Option(("--force",), "take the console from who has it outside xman"),
            Option(("--device",), "another console or serial port, by its alias", WORD, "NAME"),
            Option(("--raw",), "write control characters as they are, also where nothing is typed", local=True),
        ),
        since="0.2",
        follows_unless=("log", "send"),
        journalled=("input", "send"),
        launchers=True,
    ),
    Verb(
        "screenshot",
        "a picture of a domain's screen, as PNG or PPM",
        "console",
        OF_DOMAIN,
        (
            Option(("--output",), "write it to FILE, in the format that its name ends with", WORD, "FILE", local=True),
            Option(("--format",), "png or ppm", WORD, "FORMAT", local=True),
        ),
        since="0.2",
        octets=True,
        launchers=True,
    ),
    Verb(
        "vnc",
        "a domain's screen, by VNC",
        "console",
        OF_DOMAIN,
        (
            Option(("--viewer",), "start this program on it; it gets the socket's path", WORD, "COMMAND", local=True),
            Option(("--socket",), "let viewers connect to this socket", WORD, "PATH", local=True),
            Option(("--port",), "let viewers connect to this port of 127.0.0.1", COUNT, "N", local=True),
            Option(("--stdio",), "one viewer, on standard input and output", local=True),
            Option(("--view-only",), "only look: keys and the mouse are not handed on"),
            Option(("--yes",), "do not ask", local=True),
        ),
        since="0.2",
        streams=True,
        journalled=("input",),
        launchers=True,
    ),
    Verb(
        "send-key",
        "press keys of a domain's keyboard together: ctrl-alt-del",
        "console",
        (*OF_DOMAIN, Argument("KEY", WORD, many=True, secret=True)),
        changes=True,
        since="0.2",
        launchers=True,
    ),
)
