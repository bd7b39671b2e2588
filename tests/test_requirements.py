"""The pinned requirements: what `make lock` writes, and what `make` installs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
PINNED = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8")
# A package with its version and marker, and everything up to the next one.
ENTRY = re.compile(r"^(?P<requirement>[A-Za-z0-9][^\\\n]*?)(?: \\)?\n(?P<rest>(?:    .*\n)*)", re.MULTILINE)


def declared() -> Iterator[str]:
    """What setup.py asks for, the tests' own packages included."""
    (call,) = (
        node.value
        for node in ast.parse((REPOSITORY / "setup.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    )
    for keyword in call.keywords:
        if keyword.arg == "install_requires":
            yield from ast.literal_eval(keyword.value)
        if keyword.arg == "extras_require":
            yield from ast.literal_eval(keyword.value)["test"]


def test_every_pinned_package_has_its_hashes() -> None:
    entries = list(ENTRY.finditer(PINNED))
    assert len(entries) > 100
    assert [each["requirement"] for each in entries if "==" not in each["requirement"]] == []
    unhashed = [each["requirement"] for each in entries if "--hash=sha256:" not in each["rest"]]
    assert unhashed == []


def test_the_file_names_no_index() -> None:
    assert re.findall(r"^--?(?!hash)\S+|://\S+", PINNED, re.MULTILINE) == []


@pytest.mark.parametrize("text", declared())
def test_the_pinned_versions_are_within_the_declared_bounds(text: str) -> None:
    asked = Requirement(text)
    pinned = [
        Requirement(each["requirement"])
        for each in ENTRY.finditer(PINNED)
        if canonicalize_name(Requirement(each["requirement"]).name) == canonicalize_name(asked.name)
    ]
    versions = [specifier.version for each in pinned for specifier in each.specifier]
    assert versions
    assert [version for version in versions if version not in asked.specifier] == []
    assert [each.operator for each in asked.specifier].count(">=") == 1


def test_make_installs_and_pins_with_hashes() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (install,) = re.findall(r"uv pip install.* requirements\.txt", makefile)
    assert "--require-hashes" in install
    (lock,) = re.findall(r"uv pip compile(?:.*\\\n)*.*", makefile)
    assert "--generate-hashes" in lock
    assert "--no-emit-index-url" in lock
