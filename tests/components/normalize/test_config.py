from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from components.normalize import NormalizeConfig


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"shard_examples": 0}, "greater than 0"),
        ({"shard_examples": "many"}, "valid integer"),
        ({"checks": {"leakage": "shout"}}, "'ignore', 'warn' or 'fail'"),
        ({"checks": {"leak": "warn"}}, "Extra inputs are not permitted"),
    ],
)
def test_impossible_values_are_refused(values: dict, text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        NormalizeConfig.model_validate(values)


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import sys, components.normalize; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "apache_beam", "tensorflow"} & set(found.stdout.split())
