"""Checks that the job server and the cluster of a Beam runner answer, made within seconds before a graph is built."""

from __future__ import annotations

import os
import shutil
import socket
import urllib.error
import urllib.parse
import urllib.request

from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    JobServerOptions,
    PipelineOptions,
    PortableOptions,
    SparkRunnerOptions,
)

from pipeline.errors import UsageError

ANSWER_SECONDS = 5.0
IN_PROCESS = ("[local]", "[auto]", "[collection]")  # masters that need no cluster


def check_engine(runner: str, options: PipelineOptions) -> None:
    """Raises UsageError if the job server or the cluster does not answer, or what starts them is missing."""
    endpoint = options.view_as(PortableOptions).job_endpoint
    if endpoint and endpoint != "embed":
        _check_job_server(endpoint)
    elif runner == "FlinkRunner":
        _check_launch(options, "flink_job_server_jar")
        _check_flink(options.view_as(FlinkRunnerOptions).flink_master)
    elif runner == "SparkRunner":
        _check_launch(options, "spark_job_server_jar")
        _check_spark(options.view_as(SparkRunnerOptions).spark_master_url)


def _check_job_server(endpoint: str) -> None:
    host, _, port = endpoint.rpartition(":")
    try:
        socket.create_connection((host, int(port)), ANSWER_SECONDS).close()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"No job server answers at --job_endpoint={endpoint} ({error}).\n"
            "Start it, or give the HOST:PORT that it says it listens on."
        ) from error


def _check_flink(master: str) -> None:
    if master in IN_PROCESS:
        return
    url = master if "://" in master else f"http://{master}"
    try:
        urllib.request.urlopen(f"{url}/overview", timeout=ANSWER_SECONDS).close()
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise UsageError(
            f"No Flink cluster answers at --flink_master={master} ({reason}).\n"
            "Start it, or give the HOST:PORT of its JobManager's REST interface."
        ) from error


def _check_spark(master: str) -> None:
    """Checks for one standalone master. Of several, Spark finds the one that leads; YARN and others have no address."""
    if not master.startswith("spark://") or "," in master:
        return
    host, _, port = master.removeprefix("spark://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), ANSWER_SECONDS).close()
    except (OSError, OverflowError, ValueError) as error:
        raise UsageError(
            f"No Spark master answers at --spark_master_url={master} ({error}).\n"
            "Start it, or give the spark://HOST:PORT that the master's page shows."
        ) from error


def _check_launch(options: PipelineOptions, jar_option: str) -> None:
    """Checks for Java and the jar file, from which Beam starts the job server itself."""
    java = options.view_as(JobServerOptions).job_server_java_launcher
    if shutil.which(java) is None:
        raise UsageError(
            f"There is no {java}, with which Beam starts its job server.\n"
            "Install Java 11 or 17, or give --job_endpoint=HOST:PORT of a job server that runs."
        )
    jar = options.get_all_options()[jar_option]
    if jar and not urllib.parse.urlparse(jar).scheme and not os.path.exists(jar):
        raise UsageError(
            f"--{jar_option}={jar}: there is no such file.\n"
            "Leave the option out and Beam gets the jar from Maven Central, or give the path of one."
        )
