"""The commands of the pages, typed one after another in folders that are prepared as the pages say.

Small networks and few images make them quick: what is typed is what is printed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from components.artifacts import Examples

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
LESSONS = ("first-run", "your-own-photos", "reading-the-report", "publish-and-roll-back", "iphone-app")
# Pages that are read in this order, in one folder. The pages of benchmarks are none: theirs take minutes to hours.
COURSES = {"tutorial": tuple(DOCS / "tutorial" / f"{name}.md" for name in LESSONS)} | {
    page.relative_to(DOCS).as_posix(): (page,)
    for kind in ("how-to", "concepts", "reference")
    for page in sorted((DOCS / kind).glob("*.md"))
    if "```bash" in page.read_text(encoding="utf-8")
}

CLUSTER = "needs an engine: tests/flink, spark and prism type their like, the others are in the support matrix"
BUCKET = "needs a bucket: tests/test_object_storage.py has a server of its own"
PROCESSES = "starts worker processes: tests/pipeline/predict/test_bulk_killed.py types its like"
SUITE = "part of this suite"
REWRITES = "writes the reference pages anew: tests/docs/test_generated.py compares them"
SERVER = "takes a port that may be in use: tests/pipeline/demo and review start the server"
REVIEWED = "trains on features of a large network: tests/pipeline/review goes from findings to what ingest applies"
NO_SERVER = "TensorFlow Serving is not at hand"
EXAMPLE_SERVER = "takes a port that may be in use: tests/examples/test_uvicorn.py asks the server without one"
NOT_TYPED = {
    "make docs": REWRITES,
    "make test-flink": CLUSTER,
    "make test-spark": CLUSTER,
    "make test-prism": CLUSTER,
    "python -m pytest tests/components/train/test_recipes.py": SUITE,
    "python -m pytest -m long tests/components/push/test_recipes.py": SUITE,
    "python -m pytest tests/components/evaluate/test_evaluate.py tests/components/evaluate/test_measures.py": SUITE,
    "python -m pytest tests/components/push/test_verification.py tests/components/push/test_coreml.py": SUITE,
    "python -m benchmarks.train --recipe small_data --runs 3": "trains on all of CIFAR-10, for an hour",
    "python -m pipeline.run --set ingest.dataset=./photos --set train.recipe=finetune_keras": "downloads weights",
    "python -m pipeline.run --set ingest.dataset=./photos --set train.recipe=finetune": "trains a large network",
    "python -m pipeline.run --set ingest.dataset=./photos --set train.recipe=transfer": "the README types its like",
    "make on-device": "needs npm and a network",
    """python -m pipeline.run --set 'push.variants=["float16", "litert"]'""": "trains a large network",
    "python -m pipeline.demo": SERVER,
    "python -m pipeline.review": SERVER,
    "python -m pipeline.review --unlabeled ./inbox": SERVER,
    "python -m pipeline.review --unlabeled ./predictions": SERVER,
    "python -m pipeline.review --keep_together": REVIEWED,
    "python -m pipeline.run --set ingest.dataset=./photos "
    "--set inspect.near_copies_across_splits=keep_together": REVIEWED,
    "python -m pipeline.review --pipeline_root=s3://BUCKET/line": BUCKET,
    "python -m pipeline.run --set ingest.dataset=./photos --set inspect={}": REVIEWED,
    "python -m pipeline.run --set ingest.dataset=./photos --set ingest.corrections=./corrections.csv "
    "--set inspect={}": REVIEWED,
    "python -m pipeline.demo --host 0.0.0.0 --port 8000": SERVER,
    'tensorflow_model_server --model_name=classifier --model_base_path="$PWD/pipeline_output/pushed" '
    "--rest_api_port=8501": NO_SERVER,
    r"""curl --data "{\"signature_name\": \"encoded\", \"instances\": [{\"image_bytes\": {\"b64\": \"$(base64 < """
    r"""frog.jpg | tr -d '\n')\"}}]}" localhost:8501/v1/models/classifier:predict""": NO_SERVER,
    'docker run -p 8501:8501 -e MODEL_NAME=classifier -v "$PWD/pipeline_output/pushed:/models/classifier:ro" '
    "tensorflow/serving": NO_SERVER,
    "aws s3 cp --recursive pipeline_output/pushed/7 s3://BUCKET/served/v7/7": BUCKET,
    "model_signing verify key pipeline_output/pushed/1 --signature pipeline_output/pushed/1/assets.extra/model.sig "
    "--public_key signing_key.pub": "needs the package model-signing, which brings many others",
    "kubectl apply -f classifier.yaml": CLUSTER,
    "kubectl wait --for=condition=Ready --timeout=300s inferenceservice/classifier": CLUSTER,
    "MODEL=pipeline_output/pushed/latest uvicorn --app-dir examples/uvicorn serve:app --port 8000": EXAMPLE_SERVER,
    "curl --data-binary @frog.jpg localhost:8000/classify": EXAMPLE_SERVER,
    "python -m pipeline.run --pipeline_root=s3://BUCKET/line --set ingest.dataset=s3://BUCKET/photos --plan": BUCKET,
    "python -m pipeline.run --pipeline_root=s3://BUCKET/line --set ingest.dataset=s3://BUCKET/photos": BUCKET,
    "python -m pipeline.runs --pipeline_root=s3://BUCKET/line": BUCKET,
    "python -m pipeline.run --pipeline_root=s3://BUCKET/line --from=train --to=train "
    "--set train.max_disk_megabytes=4000": BUCKET,
    "python -m pipeline.push --pipeline_root=s3://BUCKET/line --rollback": BUCKET,
    "python -m pipeline.predict --pipeline_root=s3://BUCKET/line photo.jpg": BUCKET,
    "python -m pipeline.gc --pipeline_root=s3://BUCKET/line": BUCKET,
    "python -m pipeline.runs --pipeline_root=gs://BUCKET/line": BUCKET,
    "python -m pipeline.predict --input=./photos --output=./photo_predictions "
    "--direct_running_mode=multi_processing --direct_num_workers=2": PROCESSES,
    "python -m pipeline.predict --runner=FlinkRunner --flink_master=HOST:8081 --environment_type=PROCESS "
    """--environment_config='{"command": "/opt/line/boot"}' --setup_file=./setup.py """
    "--artifacts_dir=s3://BUCKET/artifacts --pipeline_root=s3://BUCKET/line --input=s3://BUCKET/inbox "
    "--output=s3://BUCKET/predictions --parallelism=8": CLUSTER,
    "docker build --tag REGISTRY/line:1 .": "needs docker",
    "docker push REGISTRY/line:1": "needs docker",
    "pip install 'apache-beam[gcp]==2.77.0'": "changes the environment",
    "pip install onnx onnxruntime tf2onnx": "changes the environment",
    "python -m pipeline.run --runner=SparkRunner --spark_master_url=spark://HOST:7077 "
    "--spark_job_server_jar=/opt/line/job-server.jar --files_to_stage=/opt/line/job-server.jar "
    """--environment_type=PROCESS --environment_config='{"command": "/opt/line/boot"}' --setup_file=./setup.py """
    "--artifacts_dir=s3://BUCKET/artifacts --environment_cache_millis=120000 --pipeline_root=s3://BUCKET/line "
    "--set ingest.dataset=s3://BUCKET/photos": CLUSTER,
    "python -m pipeline.run --runner=SparkRunner --spark_master_url='local[2]' "
    "--spark_job_server_jar=/opt/line/job-server.jar --environment_type=LOOPBACK": CLUSTER,
    "python -m pipeline.run --runner=FlinkRunner --flink_master=HOST:8081 --environment_type=PROCESS "
    """--environment_config='{"command": "/opt/line/boot"}' --setup_file=./setup.py """
    "--flink_job_server_jar=/opt/line/job-server.jar --artifacts_dir=s3://BUCKET/artifacts "
    "--pipeline_root=s3://BUCKET/line --set ingest.dataset=s3://BUCKET/photos --parallelism=2 "
    "--environment_cache_millis=3000": CLUSTER,
    "python -m pipeline.run --runner=FlinkRunner --flink_version=1.19 --flink_master=localhost:8081 "
    "--environment_type=EXTERNAL --environment_config=localhost:50000 --pipeline_root=/shared/line "
    "--parallelism=2": CLUSTER,
    "go install github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0": CLUSTER,
    "prism --job_port 8073 --serve_http=false": CLUSTER,
    "python -m pipeline.run --runner=PortableRunner --job_endpoint=localhost:8073 --environment_type=LOOPBACK": CLUSTER,
    "python -m pipeline.run --runner=DataflowRunner --project=PROJECT --region=europe-west4 --num_workers=1 "
    "--max_num_workers=1 --experiments=no_use_multiple_sdk_containers --temp_location=gs://BUCKET/tmp "
    "--pipeline_root=gs://BUCKET/line --sdk_container_image=REGISTRY/line:1 --disk_size_gb=100": CLUSTER,
}
# These train anew, which takes twenty seconds each.
TRAINING = (
    "tutorial",
    "how-to/warm-start.md",
    "how-to/choose-a-recipe.md",
    "concepts/caching.md",
    "concepts/the-gate.md",
)
# The gate refuses some of the models of which the pages tell, and may refuse small ones: exit code 3.
MAY_BE_REFUSED = ("evaluate.thresholds=", "--config=photos_config.json")

# Learns the three colors of `tiny` in seconds.
QUICK = {"widths": [8, 8, 16], "resolution_schedule": [[0.0, 1.0]], "batch_size": 24}


def lines(block: str) -> Iterator[str]:
    """The commands of a block as they are typed, without comments; a backslash joins lines."""
    for line in re.sub(r" *\\\n *", " ", block).splitlines():
        if (words := line.strip()) and not words.startswith("#"):
            yield words


def commands(page: Path) -> Iterator[str]:
    for block in re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        yield from lines(block)


def write_config(path: Path, document: dict[str, dict[str, Any]]) -> None:
    document["train"] = {**QUICK, **document.get("train", {})}
    path.write_text(json.dumps(document))


class Reader:
    """Someone who follows pages in a folder: saves the files that they print, and types the commands."""

    def __init__(self, place: Path) -> None:
        self.place = place
        # Whoever reads has the environment active, and starts in the folder of the repository.
        path = f"{place / '.venv' / 'bin'}:/usr/bin:/bin"
        # Of a `make` that runs these tests its own settings would come along.
        own = {
            name: value for name, value in os.environ.items() if name not in ("PYTHON", "VENV", "MAKEFLAGS", "MFLAGS")
        }
        self.environment = {**own, "PYTHONPATH": str(REPOSITORY), "PATH": path}

    def follow(self, page: Path) -> None:
        steps = r"```(python|json|bash)\n(.*?)```|Change `([^`]*)` to `([^`]*)` in `([^`]*)`"
        for language, block, old, new, file in re.findall(steps, page.read_text(encoding="utf-8"), flags=re.DOTALL):
            if file:
                self.change(self.place / file, old, new)
            elif language == "bash":
                for line in lines(block):
                    if line not in NOT_TYPED:
                        self.type(line)
            else:
                self.save(block)

    def change(self, path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert old in text, f"{old} is not in {path.name}"
        path.write_text(text.replace(old, new))

    def save(self, block: str) -> None:
        if "new_photos" in block:
            (self.place / "make_photos.py").write_text(block.replace("range(100)", "range(20)"))
        elif block.lstrip().startswith("{") and '"./photos"' in block:
            self.save_photos_config(json.loads(block))

    def save_photos_config(self, document: dict[str, dict[str, Any]]) -> None:
        """As printed, but for a network that is small, and a gate that lets it through."""
        document["train"]["image_size_pixels"] = 32
        document["evaluate"]["thresholds"]["accuracy"]["min"] = 0
        write_config(self.place / "photos_config.json", document)

    def type(self, line: str) -> None:
        if line.startswith("make "):
            line = self.made(line)
        if line.startswith("python -m pipeline.schedule") and "--emit" not in line:
            self.start_and_stop(line)
            return
        typed = ["bash", "-o", "pipefail", "-c", self.with_own_runs(line)]
        finished = subprocess.run(typed, cwd=self.place, env=self.environment, capture_output=True, text=True)
        fine = (0, 3) if any(each in line for each in MAY_BE_REFUSED) else (0,)
        assert finished.returncode in fine, f"{line}\n{finished.stdout}{finished.stderr}"

    def made(self, line: str) -> str:
        """What `make` would type where the environment is ready."""
        dry = [*line.split(), "--dry-run", "--assume-old=.venv/.ready", f"--file={REPOSITORY / 'Makefile'}"]
        finished = subprocess.run(dry, cwd=self.place, env=self.environment, capture_output=True, text=True, check=True)
        typed = finished.stdout.strip()
        assert typed.startswith(".venv/bin/python -m pipeline.run "), typed  # nothing that makes the environment anew
        return typed

    def with_own_runs(self, line: str) -> str:
        """The page's names of runs stand for the newest ones of the reader that have a report."""
        names = re.findall(r"\b20\d{6}-\d{6}\b|\bRUN_[AB]\b", line)
        root = re.search(r"--pipeline_root=(\S+)", line)
        runs = self.place / (root[1] if root else "pipeline_output") / "runs"
        own = sorted(page.parent.name for page in runs.glob("*/report.html"))[-len(names) :] if names else []
        assert len(own) == len(names), f"{line}: {own} have a report"
        for name, run in zip(names, own, strict=True):
            line = line.replace(name, run)
        return line

    def start_and_stop(self, line: str) -> None:
        """A schedule says what it waits for, and ends when it is told to."""
        typed = ["bash", "-c", f"exec {line}"]
        with subprocess.Popen(typed, cwd=self.place, env=self.environment, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            said = child.stdout.readline()
            child.send_signal(signal.SIGTERM)
        assert said.startswith(("scheduled by", "watching")), f"{line}: {said}"
        assert child.returncode == 0, line


def prepare(folder: Path) -> Reader:
    """A folder with an environment, and the photos that the pages name."""
    (folder / ".venv").symlink_to(sys.prefix)  # as `make run` leaves one
    (folder / "holiday").mkdir()
    register_heif_opener()
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8))
    for name in ("frog.png", "frog.jpg", "photo.jpg", "holiday/frog.jpg", "holiday/plane.heic"):
        photo.save(folder / name)
    return Reader(folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny: Examples) -> Path:
    """A folder with a short config, and after its first run. Not to be written to: copy it."""
    folder = tmp_path_factory.mktemp("trained")
    train = {"recipe": "small_data", "epochs": 5}
    gate = {"thresholds": {"accuracy": {"min": 0.4}}}
    document: dict[str, dict[str, Any]] = {"ingest": {"dataset": str(tiny.directory)}, "train": train, "evaluate": gate}
    write_config(folder / "pipeline_config.json", document)
    prepare(folder).type("python -m pipeline.run")
    return folder


@pytest.mark.parametrize(
    "course", [pytest.param(course, marks=[pytest.mark.long] if course in TRAINING else []) for course in COURSES]
)
def test_the_commands_of_a_page_can_be_typed(course: str, trained: Path, tmp_path: Path) -> None:
    reader = prepare(tmp_path)
    if course == "how-to/fine-tune.md":  # a pretrained network does not take the short config
        shutil.copy(REPOSITORY / "pipeline_config.json", tmp_path)
    else:
        shutil.copy(trained / "pipeline_config.json", tmp_path)
        shutil.copytree(trained / "pipeline_output", tmp_path / "pipeline_output", symlinks=True)
    if course in ("how-to/serve.md", "how-to/demo-chat.md"):  # there are versions to go back to
        pushed = tmp_path / "pipeline_output" / "pushed"
        for number in ("2", "3", "4", "5"):
            shutil.copytree(pushed / "1", pushed / number)
    for page in COURSES[course]:
        reader.follow(page)


def test_every_lesson_is_followed() -> None:
    assert sorted(COURSES["tutorial"]) == sorted((DOCS / "tutorial").glob("*.md"))


def test_what_is_not_typed_is_on_a_page() -> None:
    printed = {line for pages in COURSES.values() for page in pages for line in commands(page)}
    assert set(NOT_TYPED) <= printed, set(NOT_TYPED) - printed


@pytest.mark.parametrize("line", [line for line in NOT_TYPED if line.startswith("python -m pytest")])
def test_the_tests_that_a_page_names_are_there(line: str) -> None:
    assert [word for word in line.split() if word.startswith("tests/") and not (REPOSITORY / word).is_file()] == []
