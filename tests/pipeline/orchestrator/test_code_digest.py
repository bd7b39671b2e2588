from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.orchestrator import code_digest
from pipeline.orchestrator.code_digest import code_digests

Edit = Callable[[str, str, str], None]

STAGE = '''
from components.shared import used

class Stage:
    """Does it."""
    def run(self):
        from components.stage.body import fit
        return fit() + used()
'''
BODY = """
'A header of the module.'
from pydantic import Field

LIMIT = 3
KEY = Field(default=1, gt=0, description="How many.")

def fit():
    return helper()

def helper():
    return LIMIT
"""
SHARED = """
def used():
    return 1

def unused():
    return 2
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    files = {"__init__.py": "", "stage/__init__.py": STAGE, "stage/body.py": BODY, "shared.py": SHARED}
    for name, text in files.items():
        path = tmp_path / "components" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(code_digest, "ROOT", tmp_path)
    yield tmp_path / "components"
    code_digest._module.cache_clear()  # what the tests after these would take for the package


def digests() -> dict[str, str]:
    code_digest._module.cache_clear()
    return code_digests("components.stage")


def changed_by(path: Path, old: str, new: str) -> set[str]:
    before = digests()
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    after = digests()
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_follows_imports_into_functions_and_from_one_definition_to_the_next(package: Path) -> None:
    assert set(digests()) == {
        "components/__init__.py:<module>",
        "components/stage/__init__.py:<module>",
        "components/stage/__init__.py:Stage",
        "components/stage/body.py:<module>",
        "components/stage/body.py:fit",
        "components/stage/body.py:helper",
        "components/shared.py:<module>",
        "components/shared.py:used",
    }


def test_a_changed_body_is_named(package: Path) -> None:
    changed = changed_by(package / "stage/body.py", "return helper()", "return helper() + 1")
    assert changed == {"components/stage/body.py:fit"}


def test_a_changed_constant_counts(package: Path) -> None:
    assert changed_by(package / "stage/body.py", "LIMIT = 3", "LIMIT = 4") == {"components/stage/body.py:<module>"}


def test_a_changed_default_of_a_config_key_counts(package: Path) -> None:
    assert changed_by(package / "stage/body.py", "default=1", "default=2") == {"components/stage/body.py:<module>"}


def test_a_new_helper_counts(package: Path) -> None:
    changed = changed_by(package / "shared.py", "return 1", "return unused()")
    assert changed == {"components/shared.py:used", "components/shared.py:unused"}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("shared.py", "return 2", "return 3"),  # nobody here refers to it
        ("stage/__init__.py", '"""Does it."""', '"""Does it well."""'),
        ("stage/body.py", "A header of the module.", "Another header."),
        ("stage/body.py", "'A header of the module.'", ""),
        ("stage/body.py", "How many.", "How many there are."),
        ("stage/body.py", "def fit():", "# why\n\n\ndef fit( ):"),
    ],
)
def test_what_is_not_code_of_the_component_costs_nothing(package: Path, file: str, old: str, new: str) -> None:
    assert changed_by(package / file, old, new) == set()


def test_imports_that_cannot_be_followed_are_refused(package: Path) -> None:
    (package / "shared.py").write_text("from . import other\ndef used(): ...")
    with pytest.raises(ImportError, match=r"components\.shared: write the module's full name"):
        digests()
