"""The start program of a Beam worker on a machine without containers: it installs the job's code and runs the worker.

    python boot.py --id=ID --provision_endpoint=HOST:PORT

An engine starts it this way for `--environment_type=PROCESS`. The file imports nothing from this project: its machine
needs only the installed requirements. The project's code comes with the job (`--setup_file=./setup.py`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

WATCH_SECONDS = 1.0
PACKAGES = (".tar.gz", ".whl")


def main() -> None:
    """Runs the worker. It ends when the engine's process that started it ends."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--id", required=True)
    parser.add_argument("--provision_endpoint", required=True)
    options, _ = parser.parse_known_args()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    folder = Path(tempfile.mkdtemp(prefix=f"beam-worker-{os.getpid()}-"))
    _log_to(folder / "log.txt")
    os.environ["WORKER_ID"] = options.id  # before Beam's modules are imported: they read it then
    info = _provision(options.provision_endpoint)
    install(_fetch(info, folder), folder / "code")
    sys.path.insert(0, str(folder / "code"))
    os.environ.update(environment(info))
    os.chdir(folder)
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


def environment(info: Any) -> dict[str, str]:
    """Returns the environment variables that Beam's worker reads, from a ProvisionInfo."""
    from google.protobuf import json_format, text_format

    found = {
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
    }
    for service in ("control", "logging", "status"):
        endpoint = getattr(info, f"{service}_endpoint")
        if endpoint.url:
            found[f"{service.upper()}_API_SERVICE_DESCRIPTOR"] = text_format.MessageToString(endpoint)
    return found


def install(packages: list[Path], folder: Path) -> None:
    """Installs the staged packages into `folder`, for this worker alone. Raises CalledProcessError if pip fails."""
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--no-compile"]
    if packages:
        subprocess.run([sys.executable, "-m", "pip", "install", *options, f"--target={folder}", *packages], check=True)


def _provision(endpoint: str) -> Any:
    """Returns the job's ProvisionInfo from the engine."""
    from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc

    stub = beam_provision_api_pb2_grpc.ProvisionServiceStub(_channel(endpoint))
    return stub.GetProvisionInfo(beam_provision_api_pb2.GetProvisionInfoRequest()).info


def _fetch(info: Any, folder: Path) -> list[Path]:
    """Copies the files that were staged with the job into the folder. Returns the Python packages among them."""
    from apache_beam.portability.api import beam_artifact_api_pb2_grpc
    from apache_beam.runners.portability.artifact_service import resolve_artifacts
    from apache_beam.runners.portability.stager import Stager

    stub = beam_artifact_api_pb2_grpc.ArtifactRetrievalServiceStub(_channel(info.artifact_endpoint.url))
    fetched = resolve_artifacts(info.dependencies, stub, folder)
    files = [Path(path).replace(folder / name) for path, name, _ in Stager.extract_staging_tuple_iter(fetched)]
    return [path for path in files if path.name.endswith(PACKAGES)]


def _channel(endpoint: str) -> Any:
    import grpc
    from apache_beam.runners.worker.worker_id_interceptor import WorkerIdInterceptor

    return grpc.intercept_channel(grpc.insecure_channel(endpoint), WorkerIdInterceptor())


def _log_to(path: Path) -> None:
    """Sends stdout and stderr to a file: a pipe that nobody reads would block the worker after 64 KB."""
    with path.open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())


def _end_with(parent: int) -> None:
    """Ends this process with its engine: otherwise it would go on beside the worker that retries its component."""
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
