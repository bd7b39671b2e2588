from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from apache_beam.options.pipeline_options import SetupOptions

from pipeline.runners import DIRECT_RUNNER
from pipeline.runners.beam_options import make_options


@pytest.mark.parametrize("words", [["--s3_secret_access_key=told"], ["--s3_secret_access_key", "told"]])
def test_beam_whose_workers_log_their_options_does_not_hear_of_credentials(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")
    options = make_options(DIRECT_RUNNER, ["--direct_num_workers", "2", *words]).get_all_options(drop_default=True)
    assert options["direct_num_workers"] == 2
    assert "told" not in str(options)
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == "told"


def test_a_worker_sets_what_tensorflow_reads_before_anything_can_import_tensorflow() -> None:
    plugins = make_options("FlinkRunner", []).view_as(SetupOptions).beam_plugins
    worker = f"""
import json, os, sys
from apache_beam.runners.worker.sdk_worker_main import _import_beam_plugins
_import_beam_plugins({plugins})
print(json.dumps(["tensorflow" in sys.modules, os.environ.get("TF_ENABLE_ONEDNN_OPTS")]))
"""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    said = subprocess.run([sys.executable, "-c", worker], env=bare, capture_output=True, text=True, check=True).stdout
    assert json.loads(said) == [False, "true"]
