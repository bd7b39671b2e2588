"""The pipeline from Python, for notebooks: run a config, open what a run made, classify photos with a published model.

from pipeline import api

run = api.run({"evaluate": {"thresholds": {"accuracy": {"min": 0.75}}}})
print(run.state, run.evaluation.metrics["accuracy"])
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.config import PipelineConfig, load_config, make_config
from pipeline.config.document import SCHEMA_KEY, apply_setting
from pipeline.errors import UsageError
from pipeline.orchestrator.run_artifacts import RunArtifacts, find_run, gather
from pipeline.predict.caption import caption
from pipeline.predict.served import LoadingError, find_version, load
from pipeline.store.opening import DEFAULT_ROOT, open_store
from pipeline.text import print_any_text

if TYPE_CHECKING:
    from pipeline.predict.served import ServedModel

__all__ = [
    "Classification",
    "Classifier",
    "LoadingError",
    "RunArtifacts",
    "RunFailedError",
    "UsageError",
    "load_version",
    "open_run",
    "run",
]


class RunFailedError(Exception):
    """A run in which a component failed. The text says which, why, and where the log is."""


def run(
    config: Mapping[str, Any] | str | Path,
    *,
    pipeline_root: str | Path = DEFAULT_ROOT,
    runner: str = "DirectRunner",
    settings: Sequence[str] = (),
    beam_args: Sequence[str] = (),
) -> RunArtifacts:
    """Runs what is not cached, as `python -m pipeline.run` does, and returns what the run made or reused.

    Progress goes to stdout, and what libraries log goes to the run's log. No signal handler is installed, so this works
    in any thread. An interrupt (Ctrl-C, or the notebook's stop button) ends the run, and the same call resumes it.

    Args:
        config: the sections of a config file, or the path of one.
        pipeline_root: a folder, or an s3:// or gs:// URL, for all results.
        runner: a Beam runner.
        settings: changes such as "train.epochs=3", applied to the config in this order.
        beam_args: options of Beam, such as "--direct_running_mode=multi_processing".

    Returns:
        The artifacts. `state` says how the run ended: "pushed", "nothing new", "nothing to do", "completed" or
        "not blessed"; `reasons` says why nothing was published.

    Raises:
        UsageError: the config or an option cannot be used.
        RunFailedError: a component failed. The same call resumes the run.
        KeyboardInterrupt: the run was interrupted.
    """
    from pipeline.orchestrator.execution import begin
    from pipeline.orchestrator.plan import Selection
    from pipeline.orchestrator.root_lock import running
    from pipeline.orchestrator.run_record import new_run_id
    from pipeline.orchestrator.run_summary import failures
    from pipeline.run import NODES, graph_runner, keep_together, page_writer, plan_config, prepare_store

    print_any_text()
    checked = _load(config, settings)
    store = prepare_store(str(pipeline_root), runner, beam_args)
    command = _command(config, pipeline_root, runner, settings, beam_args)
    with running(store.root):
        plan = plan_config(checked, store, Selection(NODES))
        execution = begin(checked, plan, new_run_id(), command, sys.stdout)
        failure = execution.work(graph_runner(execution, runner, beam_args))
        record, _ = execution.finish(failure, page_writer(execution))
        if record.state not in ("failed", "interrupted"):
            keep_together(execution)
    if record.state == "interrupted":
        raise KeyboardInterrupt(failure)
    if record.state == "failed":
        raise RunFailedError(f"{' '.join(failures(record, failure))} The log is {execution.run.log}.")
    return gather(store.root, record.run_id, store)


def open_run(pipeline_root: str | Path = DEFAULT_ROOT, run_id: str = "latest") -> RunArtifacts:
    """Returns the artifacts of a run that has ended; those that are in object storage are fetched.

    Args:
        pipeline_root: the folder or URL that the run wrote to.
        run_id: the run's name, the beginning of it, or "latest".

    Raises:
        UsageError: there is no such run, or several names begin so.
    """
    store = open_store(str(pipeline_root))
    store.fetch_shared("")
    return gather(store.root, find_run(store.root, run_id, store.url), store)


class Classification(NamedTuple):
    """The prediction of a published model for one photo."""

    photo: Path
    class_name: str  # the most likely class
    probability: float  # of that class, 0-1
    caption: str  # names the class only if the model is confident enough
    probabilities: dict[str, float]  # by class, the most likely first


@dataclass(frozen=True)
class Classifier:
    """A published version in memory. Threads may share it."""

    model: ServedModel

    @property
    def version(self) -> int:
        """The number of the version."""
        return self.model.version

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that it tells apart."""
        return self.model.card.class_names

    def classify(self, photos: Iterable[str | Path], member: str = "…") -> list[Classification]:
        """Classifies image files of any size and of any kind that ingest reads, in their order.

        Args:
            photos: paths of image files.
            member: who uploaded the photos, for the captions.

        Raises:
            UsageError: a file is not an image, or cannot be read.
        """
        return [self._classify(Path(photo), member) for photo in _several(photos)]

    def _classify(self, photo: Path, member: str) -> Classification:
        from components.images.photos import UnreadableError

        try:
            answer = self.model.predict(self.model.read(photo))
        except UnreadableError as error:
            raise UsageError(f"{photo}: {error}. Expected an image file.") from error
        said = caption(member, answer.named)
        return Classification(photo, answer.class_name, answer.probability, said, answer.probabilities)


def load_version(pipeline_root: str | Path = DEFAULT_ROOT, version: int | None = None) -> Classifier:
    """Loads a published version, which takes some seconds; the latest unless a number is given.

    Raises:
        UsageError: there is no such version, or no such root.
        LoadingError: the version is damaged, or the object storage cannot be reached.
    """
    from pipeline.orchestrator.console import libraries_write_to

    folder = find_version(pipeline_root, version)
    with libraries_write_to(Path(os.devnull), sys.stdout):
        return Classifier(load(folder))


def _load(config: Mapping[str, Any] | str | Path, settings: Sequence[str]) -> PipelineConfig:
    """Reads and checks a config. Raises UsageError."""
    if not isinstance(config, Mapping):
        return load_config(Path(config), settings)
    try:
        document = json.loads(json.dumps(dict(config)))  # a copy: settings change it
    except (TypeError, ValueError) as error:
        raise UsageError(f"config: {error}. Expected what a JSON file can hold.") from error
    document.pop(SCHEMA_KEY, None)
    for setting in settings:
        apply_setting(document, setting)
    return make_config(document, "config" + (" with settings" if settings else ""))


def _command(
    config: Mapping[str, Any] | str | Path,
    pipeline_root: str | Path,
    runner: str,
    settings: Sequence[str],
    beam_args: Sequence[str],
) -> tuple[str, ...]:
    """Returns this call as the arguments of `pipeline.run`, for the run's record, which also holds the whole config."""
    said = "<dict>" if isinstance(config, Mapping) else str(config)
    options = (f"--config={said}", f"--pipeline_root={pipeline_root}", f"--runner={runner}")
    return ("pipeline.api.run", *options, *(f"--set={setting}" for setting in settings), *beam_args)


def _several(photos: Iterable[str | Path]) -> Iterable[str | Path]:
    """Refuses a single path, whose characters would be taken for paths."""
    if isinstance(photos, (str, Path)):
        raise UsageError(f"classify({str(photos)!r}): expected a list of paths. Write classify([{str(photos)!r}]).")
    return photos
