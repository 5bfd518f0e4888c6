"""xmand's command line."""

import argparse
import asyncio
import logging
import os

import xman
from xman import escape, finding, lowlevel, outcome
from xman.errors import XmanError
from xmand import settings
from xmand.audit.syslog import Syslog, SyslogHandler
from xmand.check import check
from xmand.daemon import Daemon
from xmand.settings import Settings


def main() -> None:
    """Run xmand; exits with a status of `xman.outcome`."""
    lowlevel.open_streams()
    options = _parser().parse_args(lowlevel.words())
    try:
        status = _run(options)
    except XmanError as error:
        lowlevel.err(f"xmand: {escape.line(str(error))}\n")  # before or without syslog
        status = error.outcome
    # Not sys.exit: a thread that hangs in libvirt must not keep the process.
    os._exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xmand", description="Lets administrators with Kerberos tickets control this host's virtual machines."
    )
    parser.add_argument(
        "-c", "--config", metavar="FILE", help=f"the configuration ({settings.DEFAULT_PATH}, if it is there)"
    )
    parser.add_argument("-f", "--foreground", action="store_true", help="log to standard error as well")
    parser.add_argument("--check", action="store_true", help="check whether everything needed is in order, and exit")
    parser.add_argument("-V", "--version", action="version", version=f"xmand {xman.__version__}")
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.check:
        return _check(*settings.load_all(options.config), options.config or settings.DEFAULT_PATH)
    configured = settings.load(options.config)
    syslog = Syslog(configured.syslog)
    _start_log(syslog, foreground=options.foreground)
    for key in configured.unknown:
        logging.getLogger(__name__).warning("%s: not known to this release", key)
    try:
        asyncio.run(Daemon(configured, syslog, lambda: settings.load(options.config)).run())
    finally:
        syslog.close()
    return outcome.OK


def _check(configured: Settings | None, wrong: list[str], path: str) -> int:
    found = None if configured is None else check(configured, path)
    return finding.tell_all(finding.of_daemon(wrong, found))


def _start_log(syslog: Syslog, *, foreground: bool) -> None:
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(SyslogHandler(syslog))
    if foreground:
        root.addHandler(logging.StreamHandler())
