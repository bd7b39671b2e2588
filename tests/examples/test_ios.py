"""The Swift of the example, as far as it can be checked without a Mac: it is parsed, and reads what a card holds.

`make test-swift` installs a grammar; SWIFT_PARSER names the Python that has it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from components.nouns import with_article
from components.push.card import ModelCard, Preprocessing

IOS = Path(__file__).parents[2] / "examples" / "ios"
FILES = sorted(IOS.rglob("*.swift"))
CARD = IOS / "PhotoCaption" / "Tests" / "PhotoCaptionTests" / "model_card.json"
READ = (IOS / "PhotoCaption" / "Sources" / "PhotoCaption" / "ModelCard.swift").read_text(encoding="utf-8")
PARSER = os.environ.get("SWIFT_PARSER")
PROGRAM = Path(__file__).with_name("parse_swift.py")


def parsed(files: list[Path]) -> dict[str, list[str]]:
    finished = subprocess.run([str(PARSER), str(PROGRAM), *map(str, files)], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.mark.skipif(not PARSER, reason="asked for by `make test-swift`")
def test_every_file_is_swift_to_a_parser() -> None:
    assert FILES
    assert parsed(FILES) == {str(file): [] for file in FILES}


@pytest.mark.skipif(not PARSER, reason="asked for by `make test-swift`")
def test_the_parser_finds_what_is_no_swift(tmp_path: Path) -> None:
    broken = tmp_path / "broken.swift"
    broken.write_text("func a( -> Int { return }")
    assert parsed([broken])[str(broken)]


def snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def properties(swift: str) -> set[str]:
    return {snake(name) for name in re.findall(r"public let (\w+):", swift)}


def test_the_app_reads_fields_that_a_card_has() -> None:
    outer, inner = READ.split("struct Preprocessing")
    assert properties(outer) <= set(ModelCard.model_fields)
    assert properties(inner) == set(Preprocessing.model_fields)


def test_the_app_knows_the_preprocessing_that_the_pipeline_applies() -> None:
    cases = re.findall(r"enum \w+: String, Decodable \{ case (\w+)(?: = \"(.*?)\")? \}", READ)
    assert [text or name for name, text in cases] == list(Preprocessing().model_dump().values())


def test_the_card_of_the_swift_tests_is_a_card() -> None:
    card = ModelCard.model_validate_json(CARD.read_bytes())
    assert card.caption_nouns == tuple(map(with_article, card.class_names))
    assert card.confidence is not None


def test_no_file_holds_what_the_card_says() -> None:
    """Neither the threshold nor a rule for the article."""
    card = ModelCard.model_validate_json(CARD.read_bytes())
    sources = [file.read_text(encoding="utf-8") for file in FILES if "Tests" not in file.parts]
    for text in (str(card.confidence), "hour|heir", "airplane"):
        assert [source for source in sources if text in re.sub(r"//.*", "", source)] == []
