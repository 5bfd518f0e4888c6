"""What hosts answer in English, in the page's language: known by the sentences that xmand and rxm say. Pure.

Only what is known as a whole is translated; the host's own words stand behind it. tests/portal/test_refusals.py holds
each sentence against the sources that say it.
"""

import re
from collections.abc import Callable

from rxmweb.web.languages import _, current

_ENGLISH = "en"

# A pattern of what is said -> what that is in the page's language; its groups fill the fields of the same names.
_Said = tuple[re.Pattern[str], Callable[[], str]]


def _said(pattern: str, words: Callable[[], str]) -> _Said:
    return re.compile(pattern), words


SAID: tuple[_Said, ...] = (
    _said(r"is not authorized to use (?P<verb>[\w-]+) here", lambda: _("You may not use %(verb)s there.")),
    _said(r"You are not on the host's list", lambda: _("You are not on the host's list.")),
    _said(r"You may look at your own domains only", lambda: _("You may look at your own machines only.")),
    _said(
        r"You may not create what this description asks for",
        lambda: _("You may not create what this description asks for."),
    ),
    _said(
        r"Your descriptions are limited to what this host permits",
        lambda: _("The description asks for what this host does not permit you."),
    ),
    _said(r"You may have .* on this host, and have", lambda: _("You may have no more on this host.")),
    _said(r"You may launch no more on any of", lambda: _("None of the hosts lets you have more.")),
    _said(
        r"You have a machine '(?P<name>.+?)' already, on (?P<host>[\w.-]+)",
        lambda: _("You have a machine %(name)s already, on %(host)s."),
    ),
    _said(r"This host has no image '(?P<name>.+?)'", lambda: _("The host has no image %(name)s.")),
    _said(r"hosts has an image '(?P<name>.+?)'", lambda: _("None of the hosts has an image %(name)s.")),
    _said(r"(?P<least>\d+) MiB of memory at least", lambda: _("The image needs %(least)s MiB of memory at least.")),
    _said(r"--disk is smaller than the disk of", lambda: _("The disk would be smaller than the image's.")),
    _said(
        r"This host does not allow machines on the network '(?P<name>.+?)'",
        lambda: _("The host puts no machine on the network %(name)s."),
    ),
    _said(
        r"You may call a machine (?P<names>.+?) here, but not",
        lambda: _("Machines of yours are called %(names)s there."),
    ),
    _said(r"You have no machine '(?P<name>.+?)' on this host", lambda: _("You have no machine %(name)s there.")),
    _said(
        r"was not launched from an image",
        lambda: _("It was not launched from an image: destroy stops it, and delete forgets it."),
    ),
    _said(
        r"The guest keeps the tray shut",
        lambda: _("The guest keeps the tray shut; unmount the medium there, or open it all the same."),
    ),
    _said(r"Domain '(?P<name>.+?)' already has a snapshot", lambda: _("%(name)s has a snapshot of that name already.")),
    _said(r"snapshots are kept in qcow2 images alone", lambda: _("Only qcow2 images hold snapshots.")),
    _said(r"has other disks than when", lambda: _("It has other disks than when the snapshot was made.")),
    _said(r"has external snapshots", lambda: _("It has external snapshots, which xman leaves alone.")),
    _said(
        r"what is beyond that would be lost",
        lambda: _("A disk is never made smaller: what is behind its new end would be lost."),
    ),
    _said(
        r"was asked to release (?P<what>[\w:]+), and still has it",
        lambda: _("The guest was asked to let go of %(what)s, and has not done so yet."),
    ),
    _said(r"has (?P<what>\w+) mounted at", lambda: _("The guest has %(what)s mounted; unmount it there first.")),
    _said(r"does not answer its monitor", lambda: _("The machine does not answer just now; nothing was done.")),
    _said(r"in none of libvirt's storage pools", lambda: _("The disk is in no storage pool of the host.")),
    _said(
        r"The pool '(?P<pool>.+?)' already has a volume '(?P<name>.+?)'",
        lambda: _("There is a volume %(name)s already."),
    ),
    _said(r"The profile '(?P<name>.+?)' is in use by its clients", lambda: _("Clients of the profile %(name)s run.")),
    _said(
        r"The profile '(?P<name>.+?)' is running and (?:being|may be) changed",
        lambda: _("The profile %(name)s is being changed just now."),
    ),
    _said(r"has clients with snapshots of what its disks are now", lambda: _("Clients of the profile have snapshots.")),
    _said(
        r"has clients that keep what they write",
        lambda: _("Clients of the profile keep what they write; clone it first, and change the clone."),
    ),
    _said(r"Domain '(?P<name>.+?)' does not exist", lambda: _("There is no machine %(name)s.")),
    _said(
        r"This host is in maintenance[^:]*: (?P<reason>.+)",
        lambda: _("The host is in maintenance: %(reason)s"),
    ),
    _said(
        r"Domain '(?P<name>.+?)' takes no part in batch work",
        lambda: _("%(name)s takes no part in batch work."),
    ),
    _said(
        r"Domain '(?P<name>.+?)' may have at most (?P<most>\d+) MiB",
        lambda: _("%(name)s may have at most %(most)s MiB."),
    ),
    _said(
        r"Domain '(?P<name>.+?)' may have at most (?P<most>\d+) CPUs",
        lambda: _("%(name)s may have at most %(most)s CPUs."),
    ),
    _said(r"A domain may have at most (?P<most>\d+) labels", lambda: _("A machine may have at most %(most)s labels.")),
    _said(
        r"(?P<least>\d+ MiB)(?:,|) a guest of this size may not survive",
        lambda: _("Below %(least)s a guest of this size may not survive."),
    ),
    _said(
        r"Below (?P<least>\d+ MiB) no guest is likely to start",
        lambda: _("Below %(least)s no guest is likely to start."),
    ),
    _said(r"Domain '(?P<name>.+?)' already exists", lambda: _("There is a machine %(name)s already.")),
    _said(r"Domain '(?P<name>.+?)' has jobs \((?P<jobs>.+?)\)", lambda: _("Jobs run in %(name)s: %(jobs)s.")),
    _said(r"Domain '(?P<name>.+?)' is not halted", lambda: _("%(name)s is not off.")),
    _said(
        r"Domain '(?P<name>.+?)' is paused, so its guest (?:cannot react|would not hear)",
        lambda: _("%(name)s is paused; unpause it first."),
    ),
    _said(r"Domain '(?P<name>.+?)' is paused, not suspended", lambda: _("%(name)s is paused; unpause it.")),
    _said(
        r"Domain '(?P<name>.+?)' is suspended to disk, not paused", lambda: _("%(name)s is saved to disk; resume it.")
    ),
    _said(
        r"Domain '(?P<name>.+?)' arrived, not confirmed",
        lambda: _("%(name)s has arrived from another host, which has not confirmed it yet."),
    ),
    _said(r"Domain '(?P<name>.+?)' is arriving by a migration", lambda: _("%(name)s is arriving from another host.")),
    _said(r"Domain '(?P<name>.+?)' is transient", lambda: _("%(name)s is transient: the host keeps nothing of it.")),
    _said(
        r"Domain '(?P<name>.+?)' was paused by (?P<who>.+?), not by you", lambda: _("%(name)s was paused by %(who)s.")
    ),
    _said(r"is paused by an I/O error of a disk", lambda: _("An I/O error of a disk has paused it; mend that first.")),
    _said(r"Cannot resume domain that is not suspended", lambda: _("It is not suspended.")),
    _said(r"No migration of '(?P<name>.+?)' is under way", lambda: _("No migration of %(name)s is under way.")),
    _said(
        r"configuration does not allow migration to '(?P<host>.+?)'",
        lambda: _("The host does not allow migration to %(host)s."),
    ),
    _said(r"Domain '(?P<name>.+?)' is not preempted", lambda: _("%(name)s is not preempted.")),
    _said(r"Domain '(?P<name>.+?)' is off, not frozen", lambda: _("%(name)s is off; start it.")),
    _said(r"Domain '(?P<name>.+?)' runs no job, so there is nothing to preempt", lambda: _("No job runs in %(name)s.")),
    _said(r"'(?P<name>.+?)' cannot be preempted", lambda: _("%(name)s has jobs that may not be preempted.")),
    _said(r"The domain is busy: migrating", lambda: _("The machine is on its way to another host.")),
    _said(r"(?:The domain|The \w+) is busy", lambda: _("Something else is being done to it; try again later.")),
    _said(r"This host is busy", lambda: _("The host is busy; try again in a moment.")),
    _said(r"in '(?P<name>.+?)'.*\(frozen\)", lambda: _("%(name)s is frozen.")),
    _said(r"in '(?P<name>.+?)'.*\(down\)", lambda: _("%(name)s is off.")),
    _said(r"in '(?P<name>.+?)'.*\(occupied\)", lambda: _("Another machine has the host.")),
    _said(r"in '(?P<name>.+?)'.*\(cpus\)", lambda: _("There are not that many CPUs.")),
    _said(r"Domain '(?P<name>.+?)' is not running", lambda: _("%(name)s is not running.")),
    _said(r"^(?P<name>[^ ]+) ended", lambda: _("%(name)s has ended.")),
    _said(r"^(?P<name>[^ ]+) crashed", lambda: _("%(name)s has crashed.")),
    _said(r"^(?P<name>[^ ]+) was migrated away", lambda: _("%(name)s has moved to another host.")),
    _said(r"The console was taken from outside xman", lambda: _("Somebody outside xman has taken the console.")),
    _said(r"libvirt was lost; the console has ended", lambda: _("The host's libvirt was lost; the console has ended.")),
    _said(r"This host's hypervisor cannot do that", lambda: _("The hypervisor there cannot do that.")),
    _said(r"privileged domain 0", lambda: _("This cannot be done to the host's own machine.")),
    _said(r"nothing listens on port (?P<port>\d+)", lambda: _("Nothing listens on port %(port)s: is xmand running?")),
    _said(r"no answer in time", lambda: _("The host gave no answer in time.")),
    _said(r"cannot be resolved", lambda: _("The host's name is not known.")),
    _said(r"your ticket expired", lambda: _("Your ticket has expired; sign on again.")),
)


def refusal(message: str) -> str:
    """Return what a host's answer is in the page's language; empty where it is not known, or needs no other words."""
    if current() == _ENGLISH or not message:
        return ""
    for pattern, words in SAID:
        found = pattern.search(message)
        if found is not None:
            return words() % found.groupdict()
    return ""
