"""A small recipe in a directory of its own, and archives like those that mmdebstrap writes."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from toolwright.images.recipe import Recipe, load_recipe

RECIPE = """
name = "tiny"
suite = "trixie"
packages = ["python3.13"]
python = "/usr/bin/python3.13"
agent_protocol = 1
entrypoint = ["/usr/bin/python3.13", "/usr/lib/toolwright/toolwright_agent"]
executables = ["usr/bin/python3.13"]
directories = ["proc", "tmp"]
preload = ["json"]
reseed = ["numbers:seed"]
[environment]
LANG = "C.UTF-8"
[[keep]]
why = "the interpreter and its library"
paths = ["usr/bin/python3.13", "usr/lib/python3.13", "usr/lib/*-linux-gnu/*.so*"]
[[drop]]
why = "tests"
paths = ["usr/lib/python3.13/test", "usr/lib/python3.13/lib-dynload/_test*"]
"""
PACKAGES = f"{'0' * 64}  python3.13_3.13.5-2_amd64.deb\n{'1' * 64}  zlib1g_1%3a1.3-1_amd64.deb\n"


@pytest.fixture
def recipe_root(tmp_path: Path) -> Path:
    """A `sandbox_images` directory with one recipe and an agent."""
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    agent = tmp_path / "agent" / "toolwright_agent"
    agent.mkdir(parents=True)
    (agent / "__main__.py").write_text("print('hello')\n", encoding="utf-8")
    (tmp_path / "bootstrap-hook.sh").write_text("true\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def recipe(recipe_root: Path) -> Recipe:
    """The recipe in `recipe_root`."""
    return load_recipe("tiny", recipe_root)


@pytest.fixture
def unpacked_tar() -> Callable[..., io.BytesIO]:
    """(*extra members with content) → an archive as mmdebstrap gives it, with an interpreter and a list of packages."""

    def make(*extra: tuple[tarfile.TarInfo, bytes], packages: str = PACKAGES) -> io.BytesIO:
        output = io.BytesIO()
        with tarfile.open(fileobj=output, mode="w") as tar:
            for name, mode, content in (
                ("./usr/bin/python3.13", 0o755, b"ELF"),
                ("./usr/lib/python3.13/json.py", 0o644, b"x = 1"),
                ("./usr/lib/python3.13/test/big.py", 0o644, b"y = 1"),
                ("./usr/bin/dash", 0o755, b"ELF"),
                ("./toolwright-packages.txt", 0o644, packages.encode()),
            ):
                member = tarfile.TarInfo(name)
                member.mode, member.size, member.mtime, member.uname = mode, len(content), 12345, "builder"
                tar.addfile(member, io.BytesIO(content))
            for member, content in extra:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        output.seek(0)
        return output

    return make
