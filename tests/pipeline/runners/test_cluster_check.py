from __future__ import annotations

import socket
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.errors import UsageError
from pipeline.runners.cluster_check import check_engine


@pytest.fixture
def nobody() -> str:
    """The address of a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def refusal(*options: str, runner: str = "FlinkRunner") -> str:
    with pytest.raises(UsageError) as refused:
        check_engine(runner, PipelineOptions([*options]))
    text = str(refused.value)
    assert len(text.splitlines()) == 2
    return text


def test_a_cluster_that_is_not_there_is_named(nobody: str) -> None:
    text = refusal(f"--flink_master={nobody}", "--job_server_java_launcher=sh")
    assert f"No Flink cluster answers at --flink_master={nobody} ([Errno" in text
    assert "REST interface" in text


def test_a_spark_master_that_is_not_there_is_named(nobody: str) -> None:
    text = refusal(f"--spark_master_url=spark://{nobody}", "--job_server_java_launcher=sh", runner="SparkRunner")
    assert f"No Spark master answers at --spark_master_url=spark://{nobody} ([Errno" in text
    assert "the master's page" in text


@pytest.mark.parametrize("port", ["", ":none"])
def test_a_job_server_that_is_not_there_is_named(nobody: str, port: str) -> None:
    text = refusal(f"--job_endpoint={nobody}{port}")
    assert f"No job server answers at --job_endpoint={nobody}{port} (" in text


@pytest.mark.parametrize("engine", ["flink", "spark"])
def test_a_jar_that_is_not_there_is_named(tmp_path: Path, engine: str) -> None:
    given = f"--{engine}_job_server_jar={tmp_path}/server.jar"
    text = refusal(given, "--job_server_java_launcher=sh", runner=f"{engine.title()}Runner")
    assert f"{given}: there is no such file." in text


def test_java_that_is_not_there_is_named() -> None:
    assert "There is no jawa, with which" in refusal("--job_server_java_launcher=jawa")


def test_what_is_there_is_not_refused() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        check_engine("PortableRunner", PipelineOptions([f"--job_endpoint=127.0.0.1:{listening.getsockname()[1]}"]))
    check_engine("FlinkRunner", PipelineOptions(["--flink_master=[local]", "--job_server_java_launcher=sh"]))
    for master in ("local[2]", "yarn", "spark://one:7077,other:7077"):
        check_engine("SparkRunner", PipelineOptions([f"--spark_master_url={master}", "--job_server_java_launcher=sh"]))
    check_engine("DirectRunner", PipelineOptions([]))
