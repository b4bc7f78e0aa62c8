"""Packages come from the mirror that is set, else the host's own; never from another vendor's repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolwright.errors import InvalidInput
from toolwright.images.mirror import Mirror, candidate_mirrors, find_keyring

pytestmark = pytest.mark.unit

USUAL = Mirror("http://deb.debian.org/debian", "http://deb.debian.org/debian-security")


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The root of a Debian 12 host with no sources yet."""
    (tmp_path / "etc" / "apt" / "sources.list.d").mkdir(parents=True)
    (tmp_path / "etc" / "os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n', encoding="utf-8")
    return tmp_path


def test_a_host_without_sources_uses_debians_own(host: Path) -> None:
    """Where nothing is configured, there is one candidate."""
    assert candidate_mirrors({}, host) == (USUAL,)


def test_the_hosts_mirror_comes_first(host: Path) -> None:
    """Both forms of source files are read; Debian's own mirror stays as the second choice."""
    (host / "etc/apt/sources.list").write_text(
        "# deb http://old.example/debian bookworm main\n"
        "deb [signed-by=/x.gpg arch=amd64] http://near.example/debian/ bookworm main contrib # ours\n",
        encoding="utf-8",
    )
    (host / "etc/apt/sources.list.d/debian.sources").write_text(
        "Types: deb\n# a comment\nURIs: http://near.example/debian-security\nSuites: bookworm-security\n"
        "Components: main\n\n"
        "Types: deb\nEnabled: no\nURIs: http://off.example/debian\nSuites: bookworm\nComponents: main\n",
        encoding="utf-8",
    )

    near = Mirror("http://near.example/debian", "http://near.example/debian-security")
    assert candidate_mirrors({}, host) == (near, USUAL)


@pytest.mark.parametrize(
    "line",
    [
        "deb https://download.vendor.example/linux/debian bookworm stable",
        "deb https://vendor.example/apt/debian all main",
        "deb-src http://near.example/debian bookworm main",
        "deb file:/media/debian bookworm main",
    ],
)
def test_other_vendors_and_odd_sources_are_passed_over(host: Path, line: str) -> None:
    """A repository that only ends in /debian is not Debian's archive."""
    (host / "etc/apt/sources.list").write_text(f"{line}\n", encoding="utf-8")

    assert candidate_mirrors({}, host) == (USUAL,)


def test_another_distribution_uses_debians_own(host: Path) -> None:
    """Ubuntu's mirrors hold no Debian."""
    (host / "etc/os-release").write_text("ID=ubuntu\nVERSION_CODENAME=noble\n", encoding="utf-8")
    (host / "etc/apt/sources.list").write_text("deb http://near.example/debian noble main\n", encoding="utf-8")

    assert candidate_mirrors({}, host) == (USUAL,)


def test_what_is_set_is_the_only_candidate(host: Path) -> None:
    """A mirror that a person names is not replaced by another."""
    environment = {"TOOLWRIGHT_DEBIAN_MIRROR": "https://mirror.example:8080/debian/"}

    assert candidate_mirrors(environment, host) == (Mirror("https://mirror.example:8080/debian", USUAL.security),)


@pytest.mark.parametrize(
    "url", ["ftp://x/debian", "/srv/debian", "http://x/debian trixie main\ndeb http://evil/", "-o"]
)
def test_what_is_no_url_is_refused(host: Path, url: str) -> None:
    """A mirror goes into a sources list; nothing but a URL gets there."""
    with pytest.raises(InvalidInput, match="TOOLWRIGHT_DEBIAN_SECURITY_MIRROR"):
        candidate_mirrors({"TOOLWRIGHT_DEBIAN_SECURITY_MIRROR": url}, host)


def test_sources_trust_debians_keys_alone(host: Path) -> None:
    """Every line names the keyring, and the security suite is always among them."""
    keys = host / "usr/share/keyrings"
    keys.mkdir(parents=True)
    assert find_keyring(host) is None
    (keys / "debian-archive-keyring.pgp").write_bytes(b"keys")
    keyring = find_keyring(host)

    assert keyring is not None
    assert USUAL.sources("trixie", keyring) == (
        f"deb [signed-by={keyring}] http://deb.debian.org/debian trixie main",
        f"deb [signed-by={keyring}] http://deb.debian.org/debian-security trixie-security main",
    )
