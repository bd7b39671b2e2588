"""Downloads and prepares a dataset by its name in TensorFlow Datasets."""

from __future__ import annotations

import difflib
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import tensorflow_datasets as tfds

from components.component import ComponentError, Workspace
from components.ingest import IngestConfig
from components.ingest.sources import EMBEDDED, find_prepared, missing_path, name_parts, tfds_data_dir

_ANSWER_SECONDS = 5
_HOSTS_ASKED = 3
_PORTS = {"http": 80, "https": 443, "ftp": 21}


def download(config: IngestConfig, workspace: Workspace) -> Path:
    """Downloads and prepares a dataset, and returns its folder, below `workspace.root / "datasets"`.

    Raises ComponentError if there is no such dataset, or it cannot be downloaded and prepared.
    """
    if missing := missing_path(config.dataset):
        raise ComponentError(missing)
    datasets = workspace.root / "datasets"
    builder = _builder(config.dataset, datasets / (name_parts(config.dataset)["namespace"] or ""))
    manual = tfds_data_dir(config.data_dir) / "downloads" / "manual"
    _check_manual(config.dataset, builder, manual)
    if not _is_fetched(builder, datasets / "downloads" / builder.name, manual):
        _check_hosts(config.dataset, builder)
    workspace.report(0, 1, f"TFDS downloads and prepares {config.dataset}")
    try:
        builder.download_and_prepare(download_config=_download_config(workspace, manual))
    except Exception as error:  # builders by many authors may raise anything
        prepared = find_prepared(config.dataset, datasets)
        if prepared is None:
            raise _refusal(config.dataset, _in_short(error)) from error
        return prepared  # another run has prepared it meanwhile
    return Path(builder.data_dir)


def refuse_unknown(dataset: str) -> None:
    """Raises ComponentError if TFDS knows no such dataset. One of a namespace may be known: TFDS asks the network."""
    parts = name_parts(dataset)
    try:
        if not parts["namespace"]:
            tfds.builder_cls(parts["name"])
    except tfds.core.DatasetNotFoundError:
        raise _unknown(dataset) from None


def _unknown(dataset: str) -> ComponentError:
    embedded = (place.name for place in EMBEDDED.iterdir() if place.is_dir())
    known = [*embedded, *tfds.list_builders(with_community_datasets=False)]
    near = difflib.get_close_matches(name_parts(dataset)["name"], known) or ["cifar10_sample", "cifar10", "mnist"]
    message = f"ingest.dataset is {dataset!r}: TFDS knows no such dataset. Did you mean {', '.join(near)}"
    here = f", or the folder ./{dataset}" if Path(dataset).is_dir() else ""
    return ComponentError(f"{message}{here}?")


def _builder(dataset: str, data_dir: Path) -> tfds.core.DatasetBuilder:
    try:
        return tfds.builder(dataset, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        raise _unknown(dataset) from None
    except Exception as error:  # constructors of builders may raise anything, for an unknown version for instance
        raise _refusal(dataset, _in_short(error)) from error


def _check_manual(dataset: str, builder: tfds.core.DatasetBuilder, manual: Path) -> None:
    """Raises ComponentError for a dataset that only a person may download, if its files are not there."""
    if builder.MANUAL_DOWNLOAD_INSTRUCTIONS and not (manual.is_dir() and any(manual.iterdir())):
        instructions = " ".join(builder.MANUAL_DOWNLOAD_INSTRUCTIONS.split())
        raise _refusal(dataset, f"its files must be put into {manual} by hand ({instructions})")


def _is_fetched(builder: tfds.core.DatasetBuilder, downloads: Path, manual: Path) -> bool:
    """Returns whether some of the dataset's files are there already, from an earlier attempt or put there by hand."""
    by_hand = [manual / info.filename for info in (builder.url_infos or {}).values() if info.filename]
    earlier = [file for file in downloads.rglob("*") if ".tmp." not in str(file.relative_to(downloads))]
    return any(file.is_file() for file in by_hand + earlier)


def _check_hosts(dataset: str, builder: tfds.core.DatasetBuilder) -> None:
    """Raises ComponentError in seconds if no host can be reached; TFDS takes minutes to find that out.

    It checks nothing if a proxy is configured.
    """
    if getproxies():
        return
    addresses = {(url.hostname, url.port or _PORTS.get(url.scheme)) for url in map(urlsplit, builder.url_infos or ())}
    asked = sorted((host, port) for host, port in addresses if host and port)[:_HOSTS_ASKED]
    failures = [failure for host, port in asked if (failure := _why_unreachable(host, port))]
    if failures and len(failures) == len(asked):
        raise _refusal(dataset, failures[0])


def _why_unreachable(host: str, port: int) -> str | None:
    try:
        socket.create_connection((host, port), _ANSWER_SECONDS).close()
    except OSError as error:
        return f"{host} cannot be reached ({error.strerror or error})"
    return None


def _download_config(workspace: Workspace, manual: Path) -> tfds.download.DownloadConfig:
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

    options = PipelineOptions(list(workspace.beam_args))
    # Beam's DirectRunner would first look for another runner on the network.
    local = options.view_as(StandardOptions).runner in (None, "DirectRunner")
    return tfds.download.DownloadConfig(
        beam_options=options,
        beam_runner="apache_beam.runners.portability.fn_api_runner.FnApiRunner" if local else None,
        manual_dir=manual if manual.is_dir() else None,
        try_download_gcs=False,
    )


def _in_short(error: BaseException) -> str:
    """Returns the original cause of the error, in one line."""
    while deeper := error.__cause__ or error.__context__:
        error = deeper
    text = re.sub(r"^Failed to construct dataset .*?}\": ", "", " ".join(str(error).split()))
    line = f"{type(error).__name__}: {text}"
    return line if len(line) <= 300 else f"{line[:300]} ..."


def _refusal(dataset: str, reason: str) -> ComponentError:
    help_ = "; `python -m benchmarks.prepare_cifar10` prepares it without that host" if dataset == "cifar10" else ""
    return ComponentError(f"{dataset} could not be downloaded and prepared: {reason}{help_}")
