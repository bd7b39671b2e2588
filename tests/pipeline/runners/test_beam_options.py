from __future__ import annotations

import os

import pytest

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
