"""The pipeline from Python, on a copy of a real run."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.artifacts import Examples
from pipeline import api
from pipeline.orchestrator.run_record import RunFolder
from pipeline.report.origin import find_origin
from tests.components.train.helpers import images_and_labels
from tests.conftest import QUICK_RUN
from tests.pipeline.report.conftest import TwoRuns

REPOSITORY = Path(__file__).parents[2]
CONFIG = json.loads((REPOSITORY / "pipeline_config.json").read_text(encoding="utf-8"))
INTERRUPTED = """
import os, sys
from pipeline import api
try:
    api.run("pipeline_config.json", pipeline_root=sys.argv[1], settings=["train.recipe=small_data", "train.epochs=500"])
except KeyboardInterrupt as error:
    print("caught:", error, flush=True)
    print("state:", api.open_run(sys.argv[1]).state, flush=True)
os._exit(0)  # training would be waited for
"""


@pytest.fixture
def root(sample_root: Path, tmp_path: Path) -> Path:
    """A root to change things in."""
    return Path(shutil.copytree(sample_root, tmp_path / "root"))


def run_in_a_thread(*arguments: Any, **options: Any) -> tuple[list[api.RunArtifacts], str]:
    """Calls `api.run` as a notebook may: not in the main thread, and with a stdout that is no file."""
    results: list[api.RunArtifacts] = []
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        thread = threading.Thread(target=lambda: results.append(api.run(*arguments, **options)))
        thread.start()
        thread.join()
    return results, shown.getvalue()


def test_a_run_of_what_is_cached_returns_it(root: Path) -> None:
    first = api.open_run(root)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    run = api.run(REPOSITORY / "pipeline_config.json", pipeline_root=root, settings=QUICK_RUN)
    assert run.state == "nothing to do"
    assert run.record.run_id != first.record.run_id
    assert (run.model, run.evaluation, run.push) == (first.model, first.evaluation, first.push)
    assert run.reasons == ()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


def test_a_model_that_misses_a_threshold_is_not_blessed(root: Path) -> None:
    settings = [*QUICK_RUN, 'evaluate.thresholds={"accuracy": {"min": 0.99}}']
    log_handlers = list(logging.getLogger().handlers)
    (run,), shown = run_in_a_thread(CONFIG, pipeline_root=str(root), settings=settings)
    assert run.state == "not blessed"
    assert run.evaluation is not None
    assert "0.99" in " ".join(run.reasons)
    assert run.reasons == run.evaluation.reasons
    assert run.push is not None
    assert run.push.version is None
    assert "  evaluate   ran" in shown
    assert "not pushed, not blessed: " in shown
    assert logging.getLogger().handlers == log_handlers
    assert run.record.config["evaluate"]["thresholds"]["accuracy"]["min"] == 0.99
    assert CONFIG["evaluate"]["thresholds"]["accuracy"]["min"] == 0.75


def test_the_config_of_a_record_is_run_again(root: Path) -> None:
    recorded = api.open_run(root).record.config
    run = api.run(recorded, pipeline_root=root)
    assert (run.state, run.record.config) == ("nothing to do", recorded)


def test_the_record_names_the_call(root: Path) -> None:
    run = api.run(CONFIG, pipeline_root=root, settings=QUICK_RUN)
    options = ("--config=<dict>", f"--pipeline_root={root}", "--runner=DirectRunner")
    assert run.record.command == ("pipeline.api.run", *options, *(f"--set={setting}" for setting in QUICK_RUN))
    assert "<dict>" not in find_origin(run).reproduction


def test_a_failed_run_raises_its_reason(tmp_path: Path) -> None:
    (tmp_path / "photos" / "red").mkdir(parents=True)
    (tmp_path / "photos" / "blue").mkdir()
    for colour in ("red", "blue"):
        (tmp_path / "photos" / colour / "broken.jpg").write_bytes(b"no image")
    config = {"ingest": {"dataset": str(tmp_path / "photos")}, "evaluate": {"thresholds": {"accuracy": {"min": 0.5}}}}
    with pytest.raises(api.RunFailedError, match=r"^ingest failed: .*The log is .*log\.txt\.$") as raised:
        api.run(config, pipeline_root=tmp_path / "root")
    failed = api.open_run(tmp_path / "root")
    assert failed.state == "failed"
    assert failed.reasons[0] in str(raised.value)
    assert failed.examples is None


@pytest.mark.parametrize(
    ("config", "options", "reason"),
    [
        ({"train": {"epoch": 3}}, {}, r"^config: train\.epoch: unknown key\. Did you mean epochs\?"),
        (
            {"train": {"recipe": "small_data"}},
            {"settings": ["train.epochs=no"]},
            r"^config with settings: train\.epochs: .* found 'no'",
        ),
        ({"train": {"epochs": {1, 2}}}, {}, r"^config: Object of type set is not JSON serializable\. Expected"),
        ("nowhere.json", {}, r"^There is no config at nowhere\.json"),
        ("pipeline_config.json", {"beam_args": ["--no_such_option"]}, r"--no_such_option: neither"),
    ],
    ids=["key", "setting", "no JSON", "no file", "Beam"],
)
def test_what_cannot_be_used_is_refused_before_anything_is_made(
    tmp_path: Path, config: Any, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(api.UsageError, match=reason):
        api.run(config, pipeline_root=tmp_path / "root", **options)
    assert not (tmp_path / "root" / "runs").exists()


def test_an_interrupt_ends_the_run_and_not_the_process(tmp_path: Path) -> None:
    program = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "root")]
    log = tmp_path / "said.txt"
    with log.open("w") as out, subprocess.Popen(program, cwd=REPOSITORY, stdout=out, stderr=out) as process:
        while "train" not in at_work(tmp_path / "root") and process.poll() is None:
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0, log.read_text()
    assert "caught: stopped by Ctrl-C\nstate: interrupted\n" in log.read_text()


def at_work(root: Path) -> list[str]:
    """The components that are running."""
    folders = [RunFolder(root, path.name) for path in (root / "runs").glob("*")]
    return [name for run in folders for name in ("ingest", "train") if run.read_node(name).state == "running"]


def test_a_run_is_opened_by_its_name(two_runs: TwoRuns) -> None:
    assert api.open_run(two_runs.root.path).evaluation is not None
    first = api.open_run(str(two_runs.root.path), "20261122")
    assert first.evaluation is not None
    assert first.evaluation.metrics == two_runs.before.metrics


def test_a_run_that_is_not_there_is_refused(two_runs: TwoRuns, tmp_path: Path) -> None:
    with pytest.raises(api.UsageError, match="no run begins so"):
        api.open_run(two_runs.root.path, "1999")
    with pytest.raises(api.UsageError, match="There are no runs in"):
        api.open_run(tmp_path)


def test_photos_are_classified_as_the_evaluation_did(sample_root: Path, sample: Examples, tmp_path: Path) -> None:
    images = images_and_labels(sample, "test")[0][:5]
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    classifier = api.load_version(sample_root)
    answers = classifier.classify([tmp_path / "0.png", *(str(tmp_path / f"{number}.png") for number in range(1, 5))])
    evaluation = api.open_run(sample_root).evaluation
    assert evaluation is not None
    expected = np.load(sorted((evaluation.folder / "predictions").glob("*.npz"))[0])["probabilities"]
    for answer, probabilities in zip(answers, expected, strict=False):
        assert answer.class_name == classifier.class_names[probabilities.argmax()]
        assert answer.probability == pytest.approx(probabilities.max(), abs=1e-5)
        assert next(iter(answer.probabilities.values())) == answer.probability
        assert answer.caption.startswith("… uploaded a photo")
    assert [answer.photo.name for answer in answers] == [f"{number}.png" for number in range(5)]
    assert classifier.version == 1


def test_what_cannot_be_classified_is_refused(sample_root: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no image")
    classifier = api.load_version(sample_root, 1)
    with pytest.raises(api.UsageError, match=r"note\.txt: not an image\. Expected an image file\."):
        classifier.classify([tmp_path / "note.txt"])
    with pytest.raises(api.UsageError, match=r"none\.jpg: No such file"):
        classifier.classify([tmp_path / "none.jpg"])
    with pytest.raises(api.UsageError, match=r"expected a list of paths\. Write classify\(\['frog\.jpg'\]\)"):
        classifier.classify("frog.jpg")


@pytest.mark.parametrize(
    ("place", "version", "reason"),
    [
        ("sample", 9, "9 is not in .* There: 1"),
        ("empty", None, "No version is in"),
    ],
    ids=["version", "empty"],
)
def test_a_version_that_is_not_there_is_refused(
    sample_root: Path, tmp_path: Path, place: str, version: int | None, reason: str
) -> None:
    roots: dict[str, str | Path] = {"sample": sample_root, "empty": tmp_path}
    with pytest.raises(api.UsageError, match=reason):
        api.load_version(roots.get(place, place), version)


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import sys; from pipeline import api; print({'tensorflow', 'apache_beam', 'numpy'} & sys.modules.keys())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert found.stdout.strip() == "set()"
