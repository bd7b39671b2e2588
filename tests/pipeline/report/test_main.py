from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from components.artifacts import Examples
from pipeline.errors import ExitCode
from pipeline.report import write_report, written_pages
from pipeline.report.__main__ import main
from tests.pipeline.report.roots import Root, probabilities_for

HEAVY = ("tensorflow", "matplotlib", "jinja2", "numpy", "PIL", "apache_beam")


@pytest.fixture
def root(tiny: Examples, tmp_path: Path) -> Path:
    Root(tmp_path, tiny).run("one", to="normalize", state="completed")
    return tmp_path


def test_it_writes_the_report_and_the_index_and_says_where(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["latest", "--pipeline_root", str(root)]) == ExitCode.DONE
    path = root / "runs" / "one" / "report.html"
    assert capfd.readouterr().out == f"{path}\n"
    assert path.stat().st_size > 1000
    assert (root / "runs" / "index.html").exists()


def test_it_says_where_the_page_about_findings_is(
    tiny: Examples, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = Root(tmp_path, tiny)
    root.findings = ()
    root.run("one", to="inspect", state="completed")
    assert main(["one", "--pipeline_root", str(tmp_path)]) == ExitCode.DONE
    folder = tmp_path / "runs" / "one"
    assert capfd.readouterr().out.splitlines() == [str(folder / "report.html"), str(folder / "data.html")]


def test_it_writes_a_comparison(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--compare", "one", "one", "--pipeline_root", str(root)]) == ExitCode.DONE
    assert capfd.readouterr().out == f"{root / 'runs' / 'one' / 'against-one.html'}\n"


def test_an_unknown_run_is_a_usage_error(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["two", "--pipeline_root", str(root)]) == ExitCode.USAGE
    assert capfd.readouterr().err == "error: two: no run begins so. The newest are one.\n"


def test_a_run_and_a_comparison_at_once_are_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["one", "--compare", "one", "two"])
    assert "name one run, or two after --compare, not both" in capfd.readouterr().err


def test_a_folder_that_is_in_the_way_is_named(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = root / "runs" / "one" / "report.html"
    path.mkdir()
    assert main(["one", "--pipeline_root", str(root)]) == ExitCode.FAILED
    assert re.search(r"^error: IsADirectoryError: .* Is a directory: .*report\.html'$", capfd.readouterr().err)


def test_a_record_that_cannot_be_read_is_no_page_that_cannot_be_written(
    root: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/records/run.json")

    monkeypatch.setattr("pipeline.orchestrator.run_artifacts.gather", refuse)
    assert main(["one", "--pipeline_root", str(root)]) == ExitCode.FAILED
    assert "Permission denied: '/records/run.json'" in capfd.readouterr().err


def test_the_pages_to_share_are_those_that_were_written(tiny: Examples, tmp_path: Path) -> None:
    labels = np.arange(48) % 3
    evaluation = Root(tmp_path, tiny).run("one", labels, probabilities_for(labels, 3, 0.5))
    assert evaluation is not None
    assert written_pages(tmp_path, "one") == []
    write_report(tmp_path, "one")
    assert written_pages(tmp_path, "one") == [
        tmp_path / "runs" / "one" / "report.html",
        evaluation.folder.parent / "report.html",
        tmp_path / "runs" / "index.html",
    ]


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, pipeline.report.__main__; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
