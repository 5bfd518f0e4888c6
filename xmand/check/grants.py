"""What is granted to others than those on the list: what of it will never match, and whom a tightening touches."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet, NodeSetException

from xman import grammar, verbs
from xman.errors import XmanError
from xman.finding import BAD, NOTE, OK, Finding
from xmand.authorize import k5login, rules
from xmand.authorize.roles import filled, this_host
from xmand.batch.patterns import matches
from xmand.formats import MOST_CONFIGURATION
from xmand.settings import Settings
from xmand.settings.authorize import Role
from xmand.virt.domain import find_all
from xmand.virt.driver import READ, Driver

# The words that grant a verb of which a part takes the family audit; and one that reads a description.
_AUDITED = frozenset(word for verb in verbs.VERBS if verb.audits for word in (verb.name, verb.family))
_DESCRIBED = frozenset(
    word
    for verb in verbs.VERBS
    if any(argument.kind == grammar.TEXT for argument in verb.arguments)
    for word in (verb.name, verb.family)
)
# More members than these are counted.
_MOST_NAMED = 8


def check(settings: Settings, listed: frozenset[bytes]) -> Iterator[Finding]:
    """Yield a line for each thing; `listed` are those on the list."""
    chosen = settings.authorize
    for text in chosen.without_effect():
        yield BAD, f"{text}; remove it, or correct methods"
    if "principals" in chosen.methods and not chosen.principals:
        yield (
            BAD,
            'authorize: methods has "principals", but [authorize.principals] names nobody; add them, or remove it',
        )
    elif "principals" in chosen.methods:
        yield OK, f"authorize: {len(chosen.principals)} principals have verbs of their own"
    if "roles" in chosen.methods:
        for name, role in chosen.roles.items():
            yield from _group(name, role.group)
        yield from _roles(settings)
        yield OK, f"authorize: roles: {', '.join(sorted(chosen.roles)) or 'none'}"
    yield from _on_the_list(settings, listed)
    yield from _tightened(settings)
    for pool in sorted({*settings.create.pools} & {*settings.launch.pools}):
        text = "who may create can change the images in it that others launch from; keep images in a pool of their own"
        yield NOTE, f"launch: the pool '{pool}' is in [create] as well: {text}"
    if "external" in chosen.methods:
        yield from _external(chosen.external[0])


def sets(words: tuple[str, ...], key: str) -> Iterator[Finding]:
    """Yield what is wrong with node sets and patterns, which are read only when they are needed."""
    for word in words:
        plain = word.replace("*", "x").replace("?", "x").replace("{host}", "h").replace("{name}", "n")
        try:
            NodeSet(plain, autostep=None, resolver=RESOLVER_NOGROUP)
        except (NodeSetException, ValueError) as error:
            yield BAD, f"{key}: '{word}': {error}; correct it"
        else:
            if not word.strip() or any(character.isspace() for character in word.strip()):
                yield BAD, f"{key}: '{word}' is empty or contains a blank; correct it"


def _external(program: str) -> Iterator[Finding]:
    try:
        found = Path(program).stat()
    except OSError as error:
        yield BAD, f"authorize: external: {program}: {error.strerror}; everyone it would allow is denied"
        return
    if not found.st_mode & stat.S_IXUSR or not stat.S_ISREG(found.st_mode):
        yield BAD, f"authorize: external: {program} is not a program; chmod 755 it"
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or found.st_uid not in (0, os.geteuid()):
        yield (
            BAD,
            f"authorize: external: {program} can be changed by users other than root; chown root and chmod go-w it",
        )
    else:
        yield OK, f"authorize: {program} is asked"
        yield NOTE, f"create: what {program} allows to be created is held to [create]"


def _group(role: str, path: str) -> Iterator[Finding]:
    if not path:
        return
    try:
        access = k5login.read(path)
    except k5login.K5loginError as error:
        yield BAD, f"authorize: roles: {role}: {error}; nobody has this role by its group. Write it as the list is"
        return
    for warning in access.warnings:
        yield BAD, f"authorize: roles: {role}: {warning}; write name@REALM and nothing else, or remove the line"
    yield from patterns(f"authorize: roles: {role}", access.entries)
    if access.entries:
        yield (
            OK,
            f"authorize: roles: {role}: {path} names {len(access.entries)} principal{'s' * (len(access.entries) != 1)}",
        )
    else:
        yield BAD, f"authorize: roles: {role}: {path} names nobody; write one principal per line"


def patterns(what: str, entries: frozenset[bytes]) -> Iterator[Finding]:
    """Yield what of a list is nobody's name."""
    for entry in sorted(entries):
        if b"*" in entry:
            yield (
                BAD,
                f"{what}: {entry.decode('utf-8', 'replace')} is nobody's name; patterns do not work here",
            )


def _roles(settings: Settings) -> Iterator[Finding]:
    """Which patterns of roles match nothing: ever, or now."""
    roles = settings.authorize.roles
    groups, _unusable = rules.members(roles)
    names = _domains(settings) if any(role.domains for role in roles.values()) else None
    for name, role in roles.items():
        what = f"authorize: roles: {name}"
        wrong = list(sets(role.domains, f"{what}: domains"))
        yield from wrong
        members = tuple(dict.fromkeys((*role.members, *groups.get(name, ()))))
        for member in members:
            if len(filled(role.domains, member, this_host())) < len(role.domains):
                yield (
                    BAD,
                    f"{what}: {member} has no name that {{name}} could stand for, so such a pattern never matches",
                )
        if not wrong and names is not None:
            yield from _unmatched(what, role, members, names)


def _unmatched(what: str, role: Role, members: tuple[str, ...], names: list[str]) -> Iterator[Finding]:
    for pattern in role.domains:
        meant = {one for member in members for one in filled((pattern,), member, this_host())}
        if meant and not any(matches(name, tuple(meant)) for name in names):
            shown = pattern if meant == {pattern} else f"{pattern} ({_some(sorted(meant))})"
            yield NOTE, f"{what}: domains: '{shown}' matches no domain that is here now"


def _domains(settings: Settings) -> list[str] | None:
    """Return the names of all domains; None where libvirt does not tell, which is said elsewhere."""
    driver = Driver(settings.libvirt_uri, lambda _line: None)
    try:
        return [domain.name for domain in find_all(driver.connection(READ))]
    except XmanError:
        return None
    finally:
        driver.close()


def _on_the_list(settings: Settings, listed: frozenset[bytes]) -> Iterator[Finding]:
    """What is granted to somebody who may everything anyhow."""
    chosen = settings.authorize
    if "k5login" not in chosen.methods:
        return
    granted = [("principals", principal) for principal in chosen.principals if "principals" in chosen.methods]
    for name, role in chosen.roles.items() if "roles" in chosen.methods else ():
        granted += [(f"roles: {name}", member) for member in role.members]
    for where, principal in granted:
        if principal.encode() in listed:
            yield NOTE, f"authorize: {where}: {principal} is on the list, which allows everything, so this adds nothing"


def _tightened(settings: Settings) -> Iterator[Finding]:
    """Whom it touches that this release lets grants of the one before do less."""
    chosen, limits = settings.authorize, settings.limits
    shared: list[str] = []
    for who, words, members in _grants(settings):
        shared += [who]
        if not _AUDITED.isdisjoint(words) and grammar.AUDIT not in words:
            text = "without audit: dmesg --clear and the reasons of others in log take that family since 0.2"
            yield NOTE, f"authorize: {who} has {', '.join(words)} {text}"
        held = [member for member in members if member not in settings.create.unrestricted]
        if held and not _DESCRIBED.isdisjoint(words):
            text = f"is held to [create], and to {MOST_CONFIGURATION // 1024} KiB in xm's and xl's formats"
            yield NOTE, f"create: what {_some(held) if who not in held else who} creates {text}"
    if shared:
        some = _some(list(dict.fromkeys(shared)))
        text = f"has at most {limits.share} percent of workers, long_workers and streams, and of the room for waiting"
        yield OK, f"limits: {some}: each who is not on the list {text}"
    by_words = [method for method in ("owner", "external") if method in chosen.methods]
    if by_words:
        text = f"shares {limits.strangers_kib} KiB with all strangers (strangers_kib) until a command is judged"
        yield OK, f"limits: whom {' or '.join(by_words)} alone allows something {text}"
    if "owner" in chosen.methods:
        yield NOTE, "authorize: owner: what an administrator has paused, an owner does not unpause since 0.2"


def _grants(settings: Settings) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Yield what each rule is called, its verbs and families, and whom it is about."""
    chosen = settings.authorize
    if "principals" in chosen.methods:
        for principal, words in chosen.principals.items():
            yield principal, words, (principal,)
    if "roles" in chosen.methods:
        groups, _unusable = rules.members(chosen.roles)
        for name, role in chosen.roles.items():
            # On some domains nobody creates one.
            words = tuple(word for word in role.verbs if not role.domains or word not in _DESCRIBED)
            yield f"the role {name}", words, tuple(dict.fromkeys((*role.members, *groups.get(name, ()))))


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
