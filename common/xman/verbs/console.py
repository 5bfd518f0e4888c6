"""Rows of the verbs for a domain's consoles, screen and keyboard."""

from xman.grammar import COUNT, WORD, Argument, Option, Verb
from xman.verbs.words import DRY_RUN, OF_DOMAIN

CONSOLE = (
    Verb(
        "console",
        "connect to a domain's console; ^] leaves it",
        "console",
        OF_DOMAIN,
        (
            Option(("--no-stdin",), "only look; implied if standard input is not a terminal", local=True),
            Option(("--log",), "print what the domain has printed so far"),
            Option(("--lines",), "with --log: only the last N lines", COUNT, "N"),
            Option(("--follow",), "with --log: continue with what comes next"),
            Option(("--send",), r"type TEXT and leave; it knows \n, \r, \t, \e and \\", WORD, "TEXT", secret=True),
            Option(("--keep",), "wait for the domain's next start, and continue"),
            Option(("--force",), "take the console from whoever has it outside xman"),
            Option(("--device",), "another console or serial port, by its alias", WORD, "NAME"),
            Option(("--raw",), "write control characters as they are, even if you only look", local=True),
        ),
        since="0.2",
        follows_unless=("log", "send"),
        journalled=("input", "send"),
        launchers=True,
    ),
    Verb(
        "screenshot",
        "get a picture of a domain's screen, as PNG or PPM",
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
        "show a domain's screen, by VNC",
        "console",
        OF_DOMAIN,
        (
            Option(("--viewer",), "start this program on it; it gets the socket's path", WORD, "COMMAND", local=True),
            Option(("--socket",), "let viewers connect to this socket", WORD, "PATH", local=True),
            Option(("--port",), "let viewers connect to this port of 127.0.0.1", COUNT, "N", local=True),
            Option(("--stdio",), "one viewer, on standard input and output", local=True),
            Option(("--view-only",), "only look: the host passes on neither keys nor the mouse"),
            Option(("--yes",), "do not ask for confirmation", local=True),
        ),
        since="0.2",
        streams=True,
        journalled=("input",),
        launchers=True,
    ),
    Verb(
        "send-key",
        "press keys of a domain's keyboard together, such as ctrl-alt-del",
        "console",
        (*OF_DOMAIN, Argument("KEY", WORD, many=True, secret=True)),
        (DRY_RUN,),
        changes=True,
        since="0.2",
        launchers=True,
    ),
)
