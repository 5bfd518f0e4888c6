"""rxmweb's command line."""

import argparse
import logging
import sys
from collections.abc import Iterator

import xman
from rxmweb import settings
from xman import escape, finding, lowlevel, outcome
from xman.errors import XmanError
from xman.finding import BAD, Finding


def main() -> None:
    """Run rxmweb; exits with a status of `xman.outcome`."""
    lowlevel.open_streams()
    options = _parser().parse_args(lowlevel.words())
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    # It tells of each of its plugins.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        sys.exit(_run(options))
    except XmanError as error:
        lowlevel.err(f"rxmweb: {escape.line(str(error))}\n")
        sys.exit(error.outcome)
    except OSError as error:
        lowlevel.err(escape.line(f"rxmweb: {error.filename or ''}: {error.strerror}") + "\n")
        sys.exit(outcome.USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rxmweb",
        description="The WWW portal: a table of all hosts' virtual machines, and what can be done to them.",
    )
    parser.add_argument(
        "-c", "--config", metavar="FILE", help=f"the configuration ({settings.DEFAULT_PATH}, if it is there)"
    )
    parser.add_argument("-V", "--version", action="version", version=f"rxmweb {xman.__version__}")
    parser.add_argument(
        "part",
        choices=("serve", "work", "check"),
        metavar="serve|work|check",
        help="serve pages; collect reports and carry out actions; say whether everything needed is in order",
    )
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.part == "check":
        return finding.tell_all(_findings(options.config))
    configured = settings.load(options.config)
    for key in configured.unknown:
        logging.getLogger(__name__).warning("%s: not known to this release", key)
    # Imported here: the worker needs no web server, and a check neither.
    if options.part == "serve":
        from rxmweb.web.serve import serve

        serve(configured)
    else:
        from rxmweb.worker import work

        work(configured)
    return outcome.OK


def _findings(path: str | None) -> Iterator[Finding]:
    """Look as the user of the units, where they will read the same file."""
    try:
        from rxmweb.check import check, user
    except ImportError as error:
        yield BAD, f"installation: {error}; install the portal's libraries (pip's xman[portal])"
        return
    said = user.become() if path is None else None
    if said is not None:
        yield said
    configured, wrong = settings.load_all(path)
    yield from finding.of_daemon(wrong, None if configured is None else check(configured))
