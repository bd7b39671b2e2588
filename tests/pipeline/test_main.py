"""`python -m pipeline`: the list of commands, and how each is reached through it."""

from __future__ import annotations

import ast
import configparser
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.__main__ import COMMANDS, find_main, main
from tests.test_architecture import HEAVY

REPOSITORY = Path(__file__).parents[2]
HELP_THEN_MODULES = f"""
import sys
from pipeline.__main__ import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    assert ended.code == 0, ended.code
loaded = {HEAVY!r} & sys.modules.keys()
assert not loaded, loaded
"""


def modules_with_main() -> set[str]:
    """The commands that the folder holds: modules, and packages whose `__main__` has one."""
    package = REPOSITORY / "pipeline"
    files = {path.stem: path for path in package.glob("*.py") if path.stem != "__main__"}
    files |= {path.parent.name: path for path in package.glob("*/__main__.py")}
    return {name for name, path in files.items() if defines_main(path)}


def defines_main(path: Path) -> bool:
    statements = ast.parse(path.read_text(encoding="utf-8")).body
    return any(isinstance(each, ast.FunctionDef) and each.name == "main" for each in statements)


def test_every_module_with_a_main_is_a_command() -> None:
    assert set(COMMANDS) == modules_with_main()


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]], ids=str)
def test_without_a_command_all_are_listed(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    for command, summary in COMMANDS.items():
        assert f"  {command:<10}{summary}" in lines
    assert lines[-1] == "`python -m pipeline COMMAND --help` explains the options of a command."


def test_the_list_needs_no_module_of_the_project_but_one_that_prints() -> None:
    code = "import sys, runpy; runpy.run_module('pipeline', run_name='__main__')"
    code = (
        f"try:\n    {code}\nexcept SystemExit: print([n for n in sys.modules if n.startswith(('components', 'pip'))])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert found.stdout.splitlines()[-1] == "['pipeline', 'pipeline.text']"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_imports_nothing_heavy(command: str) -> None:
    program = [sys.executable, "-c", HELP_THEN_MODULES, command, "--help"]
    found = subprocess.run(program, capture_output=True, text=True, cwd=REPOSITORY)
    assert found.returncode == 0, found.stderr
    assert f"python -m pipeline.{command}" in found.stdout


def test_the_arguments_and_the_exit_code_are_those_of_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["push", f"--pipeline_root={tmp_path}", "--pin=7"]) == 2
    assert "7" in capsys.readouterr().err


def test_an_unknown_command_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rnus", "--output=json"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "error: rnus: unknown command. Did you mean runs? `python -m pipeline` explains them.\n"


def test_an_unknown_command_that_is_like_none_is_refused_with_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--plan"]) == 2
    assert f"--plan: unknown command. The commands are {', '.join(COMMANDS)}." in capsys.readouterr().err


def test_setup_installs_the_same_as_a_program(tmp_path: Path) -> None:
    command = [sys.executable, "setup.py", "--quiet", "egg_info", f"--egg-base={tmp_path}"]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (file,) = tmp_path.glob("*.egg-info/entry_points.txt")
    scripts = configparser.ConfigParser()
    scripts.read(file)
    module, _, function = scripts["console_scripts"]["image-classifier-pipeline"].partition(":")
    assert getattr(importlib.import_module(module), function) is main


def test_a_command_may_be_a_module_or_a_package() -> None:
    assert find_main("run").__module__ == "pipeline.run"
    assert find_main("report").__module__ == "pipeline.report.__main__"


def test_without_its_environment_a_command_says_how_to_activate_it() -> None:
    command = [sys.executable, "-S", "-m", "pipeline.run", "--help"]  # -S: without the packages
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert f"{sys.executable} lacks this project's packages. Activate its environment, `source" in found.stderr
