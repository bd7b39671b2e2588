from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest
from markupsafe import Markup

from pipeline.report.plots import ON_PAGE, learning_curve, reliability_diagram, trend
from pipeline.report.predictions import Bin

RECORDS = [
    {"epoch": 1, "loss": 2.0, "accuracy": 0.3, "validation_loss": 2.1, "validation_accuracy": 0.25},
    {"epoch": 2, "loss": 1.5, "accuracy": 0.5, "validation_loss": 1.8, "validation_accuracy": 0.4},
]
PLOTS = {
    "loss": lambda: learning_curve(RECORDS, "loss"),
    "one epoch": lambda: learning_curve(RECORDS[:1], "accuracy", percent=True),
    "without validation": lambda: learning_curve([{"epoch": 1, "loss": 2.0}], "loss"),
    "reliability": lambda: reliability_diagram([Bin(0.5, 1.0, 10, 0.8, 0.7), Bin(0.0, 0.5, 0, 0.0, 0.0)]),
    "trend": lambda: trend([0.7, None, 0.8], [120.0, 3.0, 90.0]),
}


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_belongs_to_the_page(name: str) -> None:
    plot = PLOTS[name]()
    assert isinstance(plot, Markup)
    ElementTree.fromstring(plot)  # is well-formed
    assert not any(colour in plot for colour in ON_PAGE)
    assert "var(--" in plot
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", plot)


def test_text_stays_text() -> None:
    plot = learning_curve(RECORDS, "accuracy", percent=True)
    assert plot is not None
    texts = re.findall(r">([^<>\n]+)</text>", plot)
    assert "training 50.0 %" in texts
    assert "validation 40.0 %" in texts


def test_a_metric_that_no_epoch_has_has_no_curve() -> None:
    assert learning_curve(RECORDS, "auc") is None
    assert learning_curve([], "loss") is None


def test_the_same_figures_give_the_same_plot() -> None:
    assert learning_curve(RECORDS, "loss") == learning_curve(RECORDS, "loss")
