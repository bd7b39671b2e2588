from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks import many_classes


def test_predictions_are_probabilities_that_favour_the_label() -> None:
    found = many_classes.predictions(np.random.default_rng(0), 100, 7)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-5)
    assert 0.5 < (found.probabilities.argmax(axis=1) == found.labels).mean() < 1


def test_all_parts_are_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["many_classes", "--images", "1200", "--classes", "7"])
    many_classes.main()
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("1,200 images, 7 classes")
    starts = ("imports of", "figures by TFMA", "intervals and changes")
    assert [line.startswith(start) for line, start in zip(printed[1:4], starts, strict=True)] == [True] * 3
