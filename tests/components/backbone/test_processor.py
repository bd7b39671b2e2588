from __future__ import annotations

from pathlib import Path

import pytest

from components.backbone.processor import multiplies_bfloat16


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx512f avx512_bf16 umip", True), ("fpu amx_bf16", True), ("fpu avx2 avx512f", False), ("", False)],
)
def test_flags_of_the_processor_decide(flags: str, expected: bool, tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: none\n")
    assert multiplies_bfloat16(file) is expected


def test_where_nothing_describes_the_processor_the_answer_is_no(tmp_path: Path) -> None:
    assert not multiplies_bfloat16(tmp_path / "missing")
