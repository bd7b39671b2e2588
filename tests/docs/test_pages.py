"""The pages as a reader uses them: commands that can be typed, links that lead somewhere, configs that are read."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.__main__ import COMMANDS
from pipeline.config import DEFAULT_PATH, PipelineConfig, load_config

REPOSITORY = Path(__file__).parents[2]
WRITTEN = sorted(page for page in REPOSITORY.glob("docs/**/*.md") if page.name not in ("commands.md", "config.md"))
TOP = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES = [*TOP, *WRITTEN]
SECTIONS = set(PipelineConfig.model_fields)


def name(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def lines(page: Path) -> Iterator[list[str]]:
    """The words of each line that a reader would type, without comments; a backslash joins lines."""
    for block in blocks(page, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def typed(*program: str) -> list[object]:
    """The commands of all pages that begin so, each with its page as its name."""
    found = [(page, words) for page in PAGES for words in lines(page) if words[: len(program)] == list(program)]
    return [pytest.param(words[len(program) :], id=f"{name(page)}: {shlex.join(words)}"[:120]) for page, words in found]


@pytest.mark.parametrize("words", typed("python", "-m"))
def test_the_options_of_a_command_are_its_own(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    module, *arguments = words
    if module == "pipeline" and arguments:
        module, *arguments = f"pipeline.{arguments[0]}", *arguments[1:]
    package, _, command = module.partition(".")
    if package == "pipeline" and command in COMMANDS and "--help" not in arguments:
        options, unknown = parser_of(command).parse_known_args(arguments)
        assert unknown == [] or command in ("run", "schedule", "predict"), unknown
        if (settings := getattr(options, "set", [])) and options.config == DEFAULT_PATH:
            load_config(REPOSITORY / DEFAULT_PATH, settings)
    else:
        assert importlib.util.find_spec(module) is not None, module


def parser_of(command: str) -> argparse.ArgumentParser:
    found = importlib.util.find_spec(f"pipeline.{command}")
    assert found is not None
    module = f"pipeline.{command}" + (".__main__" if found.submodule_search_locations else "")
    return importlib.import_module(module).make_parser()


@pytest.mark.parametrize("words", typed("make"))
def test_the_make_commands_are_there(words: list[str]) -> None:
    finished = subprocess.run(["make", *words, "--dry-run"], cwd=REPOSITORY, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_pages_and_headings_that_are_there(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    dead = []
    for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings: small letters, spaces to dashes, no punctuation."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_configs_on_a_page_are_read(page: Path, tmp_path: Path) -> None:
    gate = {"evaluate": {"thresholds": {"accuracy": {"min": 0.5}}}}
    for block in blocks(page, "json"):
        text = block.strip()
        document = json.loads(text if text.startswith(("{", "[")) else "{" + text.rstrip(",") + "}")
        if isinstance(document, dict) and document and set(document) <= SECTIONS | {"$schema"}:
            path = tmp_path / "config.json"
            path.write_text(json.dumps(gate | document))
            load_config(path)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_says_nothing_of_the_machine_that_it_was_written_on(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"@[A-Z_]+@|(?<![\w./])/(?:work|root)/\S*", text) == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [REPOSITORY / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or not page.is_file():
            continue
        reached.add(page)
        links = re.findall(r"\]\((?!https?:)([^)#\s]+\.md)[^)]*\)", page.read_text(encoding="utf-8"))
        waiting += [(page.parent / link).resolve() for link in links]
    assert [name(page) for page in REPOSITORY.glob("docs/**/*.md") if page not in reached] == []
