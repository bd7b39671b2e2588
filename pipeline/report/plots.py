"""The plots of a page as SVG, with real text in the page's font and colors that follow its light or dark mode."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pipeline.report.predictions import Bin

# Placeholders that are replaced by the page's own colors once the SVG is drawn.
INK, MUTED, LINE, ACCENT, BAD = "#010203", "#010204", "#010205", "#010206", "#010207"
ON_PAGE = {INK: "currentColor", MUTED: "var(--muted)", LINE: "var(--line)", ACCENT: "var(--accent)", BAD: "var(--bad)"}

PERCENT = FuncFormatter(lambda fraction, _: f"{100 * fraction:g} %")
TREND_WIDTH_RUNS = 12  # fewer runs do not fill the plot's width

STYLE: Any = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "report",  # the same figure gives the same file
    "font.size": 9,
    "text.color": MUTED,
    "text.parse_math": False,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
}


def learning_curve(records: Sequence[dict[str, Any]], metric: str, *, percent: bool = False) -> Markup | None:
    """Returns the plot of a metric by epoch, for training and, if there is one, validation.

    Returns None if no epoch has the metric. With `percent`, the metric is a fraction and is shown in percent.
    """
    training = [(record["epoch"], record[metric]) for record in records if metric in record]
    validation = [
        (record["epoch"], record[f"validation_{metric}"]) for record in records if f"validation_{metric}" in record
    ]
    if not training:
        return None
    with mpl.rc_context(STYLE):
        figure, axes = _figure(4.6, 2.7)
        training_above = not validation or training[-1][1] >= validation[-1][1]
        _line(axes, training, "training", MUTED, percent=percent, above=training_above)
        _line(axes, validation, "validation", ACCENT, percent=percent, above=not training_above)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
        axes.margins(x=0.02)
        if len(training) == 1:
            axes.set_xlim(training[0][0] - 0.5, training[0][0] + 0.5)
        if percent:
            axes.yaxis.set_major_formatter(PERCENT)
        return _svg(figure, f"{metric} by epoch, in training and validation")


def _line(
    axes: Axes, points: Sequence[tuple[float, float]], label: str, color: str, *, percent: bool, above: bool
) -> None:
    """Draws a line with its label at its end, above or below it."""
    if not points:
        return
    x, y = zip(*points, strict=True)
    axes.plot(x, y, color=color, marker="o" if len(points) == 1 else None, markersize=4)
    figure = f"{100 * y[-1]:.1f} %" if percent else f"{y[-1]:.3f}"
    axes.annotate(
        f"{label} {figure}",
        (x[-1], y[-1]),
        xytext=(6, 0),
        textcoords="offset points",
        va="bottom" if above else "top",
        color=color,
        annotation_clip=False,
    )


def reliability_diagram(bins: Sequence[Bin]) -> Markup:
    """Returns the plot of accuracy by confidence with the diagonal, and of the number of images by confidence."""
    filled = [each for each in bins if each.images]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 4.2), layout="constrained")
        axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
        axes.plot((0, 1), (0, 1), color=MUTED, linewidth=0.9, linestyle=(0, (3, 3)))
        for each in filled:
            # The bar is the accuracy. The line from it to the mean confidence, on the diagonal, is the error.
            axes.bar(each.low, each.accuracy, each.high - each.low, align="edge", color=ACCENT, alpha=0.32)
            axes.plot((each.confidence,) * 2, (each.accuracy, each.confidence), color=BAD, linewidth=1.4)
            axes.plot(each.confidence, each.accuracy, "o", color=ACCENT, markersize=4)
            counts.bar(each.low, each.images, each.high - each.low, align="edge", color=MUTED, alpha=0.5)
        axes.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="were right")
        counts.set(xlabel="confidence", ylabel="images")
        counts.yaxis.set_major_locator(MaxNLocator(nbins=2, integer=True))
        counts.xaxis.set_major_formatter(PERCENT)
        axes.yaxis.set_major_formatter(PERCENT)
        return _svg(figure, "accuracy by confidence, against the diagonal on which both are equal")


def trend(accuracies: Sequence[float | None], seconds: Sequence[float]) -> Markup:
    """Returns the plot of accuracy and of minutes by run, the oldest first; a run may have no accuracy (None)."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 3.0), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.6, 1))
        points = [(run, value) for run, value in enumerate(accuracies, start=1) if value is not None]
        above.plot(*zip(*points, strict=True), color=ACCENT, marker="o", markersize=3.5)
        below.bar(range(1, len(seconds) + 1), [each / 60 for each in seconds], width=0.6, color=MUTED, alpha=0.5)
        above.set_ylabel("accuracy")
        below.set(ylabel="minutes", xlabel="run", xlim=(0.5, max(len(seconds), TREND_WIDTH_RUNS) + 0.5))
        above.yaxis.set_major_formatter(PERCENT)
        above.yaxis.set_major_locator(MaxNLocator(nbins=4))
        below.yaxis.set_major_locator(MaxNLocator(nbins=3))
        below.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True))
        return _svg(figure, "accuracy and minutes by run")


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Returns a figure of a size in inches; one of the 72 points of an inch is one pixel of the page on a phone."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _svg(figure: Figure, description: str) -> Markup:
    """Returns the figure as SVG for a page: without a prologue, a fixed size, or ids that could clash."""
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text.replace("xlink:href", "href")
    text = re.sub(r' id="\w+_\d+"', "", text)
    text = re.sub(
        r'^<svg [^>]*?(viewBox="[^"]*")[^>]*>', rf'<svg \1 role="img" aria-label="{escape(description)}">', text
    )
    for color, on_page in ON_PAGE.items():
        text = text.replace(color, on_page)
    return Markup(text)
