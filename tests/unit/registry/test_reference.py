"""Forms of tool references."""

from __future__ import annotations

import pytest

from toolwright.errors import InvalidInput
from toolwright.registry.reference import ToolReference, parse_reference

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("add", ToolReference("add")),
        ("add@1", ToolReference("add", 1)),
        ("a_2@999999999", ToolReference("a_2", 999_999_999)),
        ("add@stable", ToolReference("add", alias="stable")),
        ("add@a_2", ToolReference("add", alias="a_2")),
        (DIGEST, ToolReference(digest=DIGEST)),
    ],
)
def test_forms_that_are_understood(text: str, reference: ToolReference) -> None:
    """A name, a numbered version, a digest."""
    assert parse_reference(text) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        " add",
        "add ",
        "Add",
        "add\n",
        "add@",
        "add@0",
        "add@01",
        "add@-1",
        "add@1.0",
        "add@1\n",
        "add@\u0661",
        "add@1@2",
        "add@1000000000",
        "add@latest",
        "add@Stable",
        "add@stable\n",
        "add@stable@1",
        "add@" + "x" * 65,
        "@1",
        "sha256",
        "sha256:",
        DIGEST[:-1],
        DIGEST + "0",
        DIGEST.upper(),
        DIGEST + "\n",
        DIGEST + "@1",
        "sha512:" + "0" * 64,
        "../add",
        "a\x00",
        "\ud800",
        "none",
        "class",
        "x" * 65,
        "x" * 10_000_000,
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_forms_that_are_refused(text: str) -> None:
    """Everything else names the field `tool`, in a message of bounded length."""
    with pytest.raises(InvalidInput) as caught:
        parse_reference(text)

    assert caught.value.field == "tool"
    assert len(str(caught.value)) < 500
