from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.runs import main as runs
from pipeline.store.opening import open_store


def test_a_root_that_no_record_can_name_is_refused(tmp_path: Path) -> None:
    place = f"{tmp_path}/caf\udce9"  # so Python reads a byte that is no UTF-8
    with pytest.raises(UsageError) as refused:
        open_store(place)
    assert "has a name that is not text in utf-8, so that no record could name it. Choose another" in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a*b", "a?b", "a[b]"])
def test_a_root_that_tensorflow_takes_for_a_pattern_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runs([f"--pipeline_root={tmp_path / name}"]) == 2
    assert "which TensorFlow reads as a pattern" in capsys.readouterr().err
