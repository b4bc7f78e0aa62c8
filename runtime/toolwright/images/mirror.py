"""Where Debian packages come from. It never gets into the image; apt checks Debian's signature whatever it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolwright.errors import InvalidInput

_MAIN_VARIABLE = "TOOLWRIGHT_DEBIAN_MIRROR"
_SECURITY_VARIABLE = "TOOLWRIGHT_DEBIAN_SECURITY_MIRROR"
_URL = re.compile(r"https?://[A-Za-z0-9._~:/@%+\[\]-]+")
_KEYRINGS = ("usr/share/keyrings/debian-archive-keyring.gpg", "usr/share/keyrings/debian-archive-keyring.pgp")


@dataclass(frozen=True, slots=True)
class Mirror:
    """Two URLs: of a suite such as trixie, and of its security updates."""

    main: str = "http://deb.debian.org/debian"
    security: str = "http://deb.debian.org/debian-security"

    def sources(self, suite: str, keyring: Path) -> tuple[str, ...]:
        """Return the lines of a sources.list that trusts `keyring` and no other key."""
        signed = f"deb [signed-by={keyring}]"
        return (f"{signed} {self.main} {suite} main", f"{signed} {self.security} {suite}-security main")


def candidate_mirrors(environment: Mapping[str, str], root: Path = Path("/")) -> tuple[Mirror, ...]:
    """Return the mirrors to try, best first: the one that is set, else the host's own, then Debian's.

    Args:
        environment: may hold TOOLWRIGHT_DEBIAN_MIRROR and TOOLWRIGHT_DEBIAN_SECURITY_MIRROR.
        root: where /etc/apt is.

    Raises:
        InvalidInput: what is set is no http or https URL.
    """
    usual = Mirror()
    if environment.get(_MAIN_VARIABLE) or environment.get(_SECURITY_VARIABLE):
        main = _checked(_MAIN_VARIABLE, environment.get(_MAIN_VARIABLE) or usual.main)
        return (Mirror(main, _checked(_SECURITY_VARIABLE, environment.get(_SECURITY_VARIABLE) or usual.security)),)
    own = _host_mirror(root, usual)
    return (own,) if own == usual else (own, usual)


def find_keyring(root: Path = Path("/")) -> Path | None:
    """Return Debian's archive keys on this host, or None where they are not installed."""
    return next((root / name for name in _KEYRINGS if (root / name).is_file()), None)


def _checked(name: str, url: str) -> str:
    if not _URL.fullmatch(url):
        raise InvalidInput(name, f"{url[:200]!r} is no mirror", "an http:// or https:// URL")
    return url.rstrip("/")


def _host_mirror(root: Path, usual: Mirror) -> Mirror:
    """Return what a Debian host's own apt uses for its release; others have repositories that end in /debian too."""
    release = _release(root)
    if release.get("ID") != "debian" or not (codename := release.get("VERSION_CODENAME")):
        return usual
    main, security = usual.main, usual.security
    for url, suites, components in _host_sources(root / "etc" / "apt"):
        if "main" not in components or not _URL.fullmatch(url):
            continue
        if codename in suites and url.endswith("/debian"):
            main = url
        if f"{codename}-security" in suites and url.endswith("/debian-security"):
            security = url
    return Mirror(main, security)


def _release(root: Path) -> dict[str, str]:
    try:
        text = (root / "etc" / "os-release").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key: value.strip("\"'") for key, value in pairs}


def _host_sources(apt: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield URL, suites and components of every `deb` source, of both forms that apt reads."""
    parts = apt / "sources.list.d"
    for path in (apt / "sources.list", *sorted(parts.glob("*.list")), *sorted(parts.glob("*.sources"))):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        yield from _stanzas(text) if path.suffix == ".sources" else _lines(text)


def _lines(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    for line in text.splitlines():
        match = re.fullmatch(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]+)(?:#.*)?", line.strip())
        if match:
            yield match[1].rstrip("/"), [match[2]], match[3].split()


def _stanzas(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    for stanza in re.split(r"\n\s*\n", text):
        lines = (line for line in stanza.splitlines() if not line.startswith("#"))
        fields = {key.strip().lower(): value.split() for key, _, value in (line.partition(":") for line in lines)}
        if "deb" in fields.get("types", []) and fields.get("enabled", ["yes"]) != ["no"]:
            for url in fields.get("uris", []):
                yield url.rstrip("/"), fields.get("suites", []), fields.get("components", [])
