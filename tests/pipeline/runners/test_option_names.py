from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.errors import UsageError
from pipeline.runners.option_names import DIRECT_RUNNER, check_names


def test_names_that_beam_has_are_known_without_importing_it() -> None:
    options = ["--direct_num_workers=2", "--train_resource_hints=min_ram=1GB", "--s3_endpoint_url", "http://here"]
    code = f"""
import sys
from pipeline.runners.option_names import check_names
check_names("DirectRunner", {options!r})
check_names("FlinkRunner", ["--of_another=x"])
print("apache_beam" in sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


@pytest.mark.parametrize("runner", ["flinkrunner", "Prism", "my.module.Runner"])
def test_runners_that_beam_finds_are_known(runner: str) -> None:
    check_names(runner, [])


@pytest.mark.parametrize("runner", ["NoRunner", "", "Direct Runner"])
def test_a_runner_that_beam_does_not_have_is_refused(runner: str) -> None:
    with pytest.raises(UsageError, match=rf"--runner={runner}: Beam has no such runner. It has .*FlinkRunner"):
        check_names(runner, [])


def test_a_name_that_nobody_has_is_refused() -> None:
    with pytest.raises(UsageError, match="--epochs: neither this command nor Beam's DirectRunner knows this option"):
        check_names(DIRECT_RUNNER, ["--epochs=3"])
