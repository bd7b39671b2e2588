"""The command on a root and on data in object storage, on a server that fails now and then."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

from components.artifacts import Examples
from components.object_storage import RemoteFolder
from tests.s3_server import BUCKET, S3

pytestmark = pytest.mark.long
REPOSITORY = Path(__file__).parent.parent
FAIL_EVERY = 40


class Machine(NamedTuple):
    """What one machine has of its own: a cache and a config."""

    s3: S3
    folder: Path
    config: Path
    root: str = f"s3://{BUCKET}/roots/one"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pipeline.run", f"--pipeline_root={self.root}", f"--config={self.config}"]
        return subprocess.Popen(
            [*command, *self.s3.options, *arguments],
            cwd=REPOSITORY,
            env={**os.environ, "PIPELINE_CACHE_DIR": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        stdout, stderr = process.communicate()
        return process.returncode, stdout if stdout else stderr

    def report(self, *arguments: str) -> dict[str, Any]:
        code, output = self.run("--output=json", *arguments)
        return json.loads(output.splitlines()[-1]) | {"exit_code": code}


def states(report: dict[str, Any]) -> dict[str, str]:
    return {node["component"]: node["state"] for node in report["nodes"]}


@pytest.fixture(scope="module")
def machine(s3: S3, tiny: Examples, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """With prepared data in storage."""
    assert tiny.directory is not None
    data = RemoteFolder(f"s3://{BUCKET}/data/tiny/1.0.0")
    data.upload(tiny.directory, [path.name for path in tiny.directory.iterdir()])
    folder = tmp_path_factory.mktemp("machine")
    config = {
        "ingest": {"dataset": data.url, "splits": tiny.splits},
        "train": {
            "recipe": "small_data",
            "epochs": 40,
            "batch_size": 16,
            "widths": [8, 8, 8],
            "resolution_schedule": [[0, 1]],
        },
        "evaluate": {"thresholds": {"accuracy": {"min": 0.6}}},
        "push": {"variants": []},
    }
    (folder / "config.json").write_text(json.dumps(config))
    return Machine(s3, folder / "cache", folder / "config.json")


@pytest.fixture(scope="module")
def killed(machine: Machine) -> Machine:
    """Killed in training, once a checkpoint was in storage."""
    process = machine.start()
    scratch = RemoteFolder(f"{machine.root}/train")
    while not any(file.name.endswith("/scratch/checkpoint.npz") for file in scratch.files()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return machine


@pytest.fixture(scope="module")
def elsewhere(killed: Machine, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Another machine, which has nothing yet; the first one is lost."""
    shutil.rmtree(killed.folder)
    return killed._replace(folder=tmp_path_factory.mktemp("elsewhere"))


@pytest.fixture(scope="module")
def finished(elsewhere: Machine) -> dict[str, Any]:
    return elsewhere.report("--run_id=second")


def test_another_machine_goes_on_from_the_checkpoint(elsewhere: Machine, finished: dict[str, Any]) -> None:
    assert finished["exit_code"] == 0, finished
    # The data is fetched to another path there; it has the same name.
    assert states(finished) == {
        "ingest": "cached", "normalize": "cached", "train": "ran", "evaluate": "ran", "push": "ran",
    }  # fmt: skip
    log = RemoteFolder(f"{elsewhere.root}/runs/second").read("log.txt")
    assert log is not None
    assert b"Going on after" in log


def test_what_is_published_is_in_storage(elsewhere: Machine, finished: dict[str, Any]) -> None:
    pushed = {file.name for file in RemoteFolder(f"{elsewhere.root}/pushed").files()}
    assert {"1/saved_model.pb", "1/assets.extra/provenance.json"} <= pushed
    assert {name.split("/")[0] for name in pushed if "/" in name} == {"1", "claims", "identities"}
    assert finished["pushed"]["url"] == f"{elsewhere.root}/pushed/1"
    assert RemoteFolder(f"{elsewhere.root}/pushed").read("latest") == b"1\n"
    assert not any("/scratch/" in file.name for file in RemoteFolder(elsewhere.root).files())


def test_a_run_is_on_record_without_its_secrets(elsewhere: Machine, finished: dict[str, Any]) -> None:
    names = {file.name for file in RemoteFolder(f"{elsewhere.root}/runs/second").files()}
    assert {"run.json", "report.html", "log.txt"} <= names
    record = RemoteFolder(f"{elsewhere.root}/runs/second").read("run.json")
    assert record is not None
    assert json.loads(record)["state"] == "pushed"
    assert b"--s3_secret_access_key=..." in record
    assert b"not-told" not in record


def test_the_page_of_a_run_is_the_same_on_a_machine_that_has_nothing(
    elsewhere: Machine, finished: dict[str, Any], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "pipeline.report", "second", f"--pipeline_root={elsewhere.root}"]
    environment = {**os.environ, "PIPELINE_CACHE_DIR": str(tmp_path)}
    told = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    page, first = Path(told.stdout.strip()).read_text(), Path(finished["report"]).read_text()
    assert page.count("<img") == first.count("<img") > 0
    assert page.count("<table") == first.count("<table") > 0


def test_a_second_run_does_nothing(elsewhere: Machine, finished: dict[str, Any], tmp_path: Path) -> None:
    assert set(states(elsewhere.report()).values()) == {"cached"}
    code, output = elsewhere.run("--plan")
    assert (code, output.count("cached")) == (0, 5), output
    third = elsewhere._replace(folder=tmp_path)
    assert third.run("--plan")[1].count("cached") == 5
    assert third.report()["pushed"]["version"] == 1
    assert list(tmp_path.glob("*/one/pushed/1/saved_model.pb"))


def test_a_folder_of_photos_is_read_from_storage(machine: Machine, tmp_path: Path) -> None:
    for place in range(40):
        path = tmp_path / "photos" / ("red", "blue")[place % 2] / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6), ((200, 0, place), (0, place, 200))[place % 2]).save(path)
    photos = RemoteFolder(f"s3://{BUCKET}/photos")
    photos.upload(
        tmp_path / "photos", [path.relative_to(tmp_path / "photos").as_posix() for path in tmp_path.rglob("*.png")]
    )
    given = (
        "--to=ingest",
        f"--set=ingest.dataset={photos.url}",
        '--set=ingest.splits={"train": "train[:50%]", "test": "train[50%:]"}',
    )
    assert states(machine.report(*given))["ingest"] == "ran"
    assert states(machine.report(*given))["ingest"] == "cached"
    photos.write("red/new.png", b"no image")
    assert "data: the source changed" in machine.run("--plan", *given)[1]
    assert machine.report(*given)["nodes"][0]["summary"] == {"train": 20, "test": 20, "rejected": 1}


def test_a_manifest_is_read_from_storage(machine: Machine, tmp_path: Path) -> None:
    lines = ["file,label,split"]
    (tmp_path / "photos").mkdir()
    for place in range(24):
        color = ("red", "blue")[place % 2]
        Image.new("RGB", (8, 6), ((200, 0, place), (0, place, 200))[place % 2]).save(tmp_path / f"photos/{place}.png")
        lines.append(f"photos/{place}.png,{color},{('train', 'val', 'test')[place // 8]}")
    (tmp_path / "photos" / "1.mov").touch()
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    storage = RemoteFolder(f"s3://{BUCKET}/labeled")
    storage.upload(tmp_path, ["labels.csv", *(f"photos/{path.name}" for path in (tmp_path / "photos").iterdir())])
    given = ("--to=ingest", f"--set=ingest.dataset={storage.url}/labels.csv", "--set=ingest.splits=null")
    assert states(machine.report(*given))["ingest"] == "ran"
    assert machine.report(*given)["nodes"][0]["summary"] == {"train": 8, "validation": 8, "test": 8, "rejected": 0}
    storage.write("labels.csv", "\n".join(lines[:-2]).encode())
    assert "data: the source changed" in machine.run("--plan", *given)[1]
    code, output = machine.run("--to=ingest", f"--set=ingest.dataset={storage.url}/other.csv")
    assert code == 1
    assert "there are no objects of that name" in output


def test_a_machine_does_not_take_an_earlier_state_of_the_data_for_the_present_one(
    machine: Machine, tiny: Examples, tmp_path: Path
) -> None:
    """Two machines have their copies at the same path, as two machines with one user name have."""
    assert tiny.directory is not None
    names = [path.name for path in tiny.directory.iterdir()]
    data, here = RemoteFolder(f"s3://{BUCKET}/states/tiny/1.0.0"), tmp_path / "cache"
    ours = machine._replace(folder=here, root=f"s3://{BUCKET}/roots/states")
    given = ("--to=ingest", f"--set=ingest.dataset={data.url}")

    def ingest() -> str:
        """Returns the name of the copy that the Examples are about."""
        report = ours.report(*given)
        assert report["exit_code"] == 0, report
        (manifest,) = here.glob(f"*/states/ingest/{report['nodes'][0]['key']}/manifest.json")
        place: str = json.loads(manifest.read_bytes())["places"]["directory"]
        return place

    data.upload(tiny.directory, names)
    first = ingest()
    here.rename(tmp_path / "first machine")
    data.write("features.json", (tiny.directory / "features.json").read_bytes() + b"\n")
    second = ingest()
    here.rename(tmp_path / "second machine")
    (tmp_path / "first machine").rename(here)
    assert first.startswith(f"{data.url}#")
    assert ingest() == second != first


def test_the_line_runs_on_googles_storage(machine: Machine, gs: str, tiny: Examples, tmp_path: Path) -> None:
    assert tiny.directory is not None
    data = RemoteFolder(f"gs://{BUCKET}/data/tiny/1.0.0")
    data.upload(tiny.directory, [path.name for path in tiny.directory.iterdir()])
    one, other = (
        machine._replace(folder=tmp_path / name, root=f"gs://{BUCKET}/roots/one") for name in ("one", "other")
    )
    given = f"--set=ingest.dataset={data.url}"
    first = one.report(given)
    assert first["exit_code"] == 0, first
    assert set(states(first).values()) == {"ran"}
    assert set(states(other.report(given)).values()) == {"cached"}
    assert RemoteFolder(f"{one.root}/pushed").read("latest") == b"1\n"


def test_data_that_is_not_there_is_said(machine: Machine) -> None:
    code, output = machine.run("--to=ingest", f"--set=ingest.dataset=s3://{BUCKET}/nothing")
    assert code == 1
    assert f"ingest.dataset is 's3://{BUCKET}/nothing': there are no objects of that name" in output


def test_a_bucket_that_is_not_there_is_said(machine: Machine) -> None:
    code, output = machine._replace(root="s3://no-such-bucket/root").run()
    assert code == 1
    assert "no-such-bucket" in output
    assert "Traceback" not in output
