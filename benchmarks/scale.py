r"""Runs the pipeline on datasets of growing size, and shows that neither its memory nor its time per image grows.

    python -m benchmarks.scale --images 1000 10000 100000 --work /tmp/scale
    python -m benchmarks.scale --images 1000 --stages ingest normalize train --training_steps 20 \
        --config benchmarks/configs/imagenet.json --work /tmp/imagenet

For each size, `benchmarks.synthetic_images` makes 224-pixel JPEG files, as a folder and as a prepared dataset. Every
component runs in a process of its own, with `pipeline.run` as a user would type it; "peak" is the memory of the largest
process that it needed (ru_maxrss). The stage "folder" ingests the folder; the other stages work on the prepared
dataset. Without --config a small network is trained. With it, normalize, train and evaluate are configured by the file,
except for the batch size and the number of training steps.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any, NamedTuple

from benchmarks.synthetic_images import SyntheticImages, split_sizes, write_folder, write_prepared

STAGES = ("folder", "ingest", "normalize", "train", "evaluate")
BATCH_SIZE = 32
REFERENCE_IMAGES = 10_000  # peaks of larger sizes are compared with the one here
SMALL: dict[str, Any] = {
    "train": {
        "recipe": "small_data",
        "widths": [8, 16, 16],
        "image_size_pixels": 224,
        "random_crop_area_fraction": [0.08, 1.0],
        "max_cache_megabytes": 100,
    },
    "evaluate": {"batch_size": 64, "thresholds": {"cross_entropy": {"max": 1e6}}},
}


class Measured(NamedTuple):
    """The measurement of one stage at one size."""

    stage: str
    images: int  # the number of images that the stage processed
    cores: int
    seconds: float  # of the component, without the start of the process
    peak_megabytes: float
    size: int  # the number of images in the dataset

    @property
    def milliseconds_per_image(self) -> float:
        """The time per image, in milliseconds."""
        return 1000 * self.seconds / self.images


class Line:
    """The pipeline at one size: its data, its config and its pipeline root."""

    def __init__(
        self,
        work: Path,
        image_count: int,
        class_count: int,
        training_steps: int,
        settings: Mapping[str, Any] = MappingProxyType(SMALL),
    ) -> None:
        self.settings = settings
        self.image_count, self.class_count, self.training_steps = image_count, class_count, training_steps
        self.folder = work / f"{image_count}-images"

    def prepare(self) -> None:
        """Writes the data, unless it is there already."""
        if not (self.folder / "done").exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            images = SyntheticImages(self.class_count)
            write_folder(self.folder / "images", images, self.image_count)
            write_prepared(self.folder / "prepared", images, self.image_count)
            (self.folder / "done").touch()

    def measure(self, stage: str, cores: int, beam_args: Sequence[str]) -> Measured:
        """Runs one stage, whose earlier stages must have run, and returns its measurement."""
        component = "ingest" if stage == "folder" else stage
        root = self.folder / ("root-folder" if stage == "folder" else "root")
        source = self.folder / ("images" if stage == "folder" else "prepared")
        report, peak = _run(self._config(source), root, component, cores, beam_args)
        node = next(node for node in report["nodes"] if node["component"] == component)
        if node["state"] != "ran":
            raise SystemExit(f"{component} at {self.image_count} images: {node['state']}. {report['reasons']}")
        return Measured(stage, self._worked_through(stage), cores, node["seconds"], peak, self.image_count)

    def _worked_through(self, stage: str) -> int:
        if stage == "train":
            return self.training_steps * BATCH_SIZE
        return split_sizes(self.image_count)["test"] if stage == "evaluate" else self.image_count

    def _config(self, source: Path) -> Path:
        epochs = self.training_steps / (split_sizes(self.image_count)["train"] // BATCH_SIZE)
        config = {
            **self.settings,
            "ingest": {"dataset": str(source), "splits": {"train": "train", "test": "test"}},
            "train": {**self.settings["train"], "batch_size": BATCH_SIZE, "epochs": epochs},
        }
        path = self.folder / f"{source.name}.json"
        path.write_text(json.dumps(config, indent=1))
        return path


def _run(
    config: Path, root: Path, component: str, cores: int, beam_args: Sequence[str]
) -> tuple[dict[str, Any], float]:
    """Runs `pipeline.run --to component`. Returns its report, and the peak memory of its largest process in MB."""
    command = [sys.executable, "-m", "pipeline.run", f"--config={config}", f"--pipeline_root={root}"]
    command += [f"--to={component}", f"--force={component}", "--output=json", *beam_args]
    started = lambda: os.sched_setaffinity(0, range(cores))  # noqa: E731
    with subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=started, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        reader = threading.Thread(target=lines.extend, args=(process.stdout,))
        reader.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        reader.join()
    if not lines:
        raise SystemExit(f"{' '.join(command)} ended with exit code {process.returncode}")
    return json.loads(lines[-1]), usage.ru_maxrss / 1024


def table(rows: Sequence[Measured]) -> str:
    """Returns a table with a row per stage and size: the medians of the times, and the highest peak."""
    by_place: dict[tuple[int, int, int], list[Measured]] = {}
    for row in rows:
        by_place.setdefault((STAGES.index(row.stage), row.cores, row.size), []).append(row)
    lines = [
        "| stage | cores | data set | images done | seconds | ms/image | peak MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for (stage, cores, size), runs in sorted(by_place.items()):
        seconds = median(row.seconds for row in runs)
        milliseconds = median(row.milliseconds_per_image for row in runs)
        lines.append(
            f"| {STAGES[stage]} | {cores} | {size:,} | {runs[0].images:,} | {seconds:.1f} | {milliseconds:.2f} | "
            f"{max(row.peak_megabytes for row in runs):.0f} |"
        )
    return "\n".join(lines)


def peak_ratios(rows: Sequence[Measured]) -> str:
    """Returns one line per stage: the peak at the largest size, divided by the peak at 10,000 images.

    If 10,000 images were not measured, the smallest size takes their place. Of several runs at one size the highest
    peak counts.
    """
    by_place: dict[tuple[str, int], dict[int, float]] = {}
    for row in rows:
        peaks = by_place.setdefault((row.stage, row.cores), {})
        peaks[row.size] = max(row.peak_megabytes, peaks.get(row.size, 0))
    lines = []
    for (stage, cores), peaks in by_place.items():
        base, largest = (REFERENCE_IMAGES if REFERENCE_IMAGES in peaks else min(peaks)), max(peaks)
        if base < largest:
            ratio = peaks[largest] / peaks[base]
            lines.append(f"{stage}, {cores} cores: peak at {largest:,} by peak at {base:,} images is {ratio:.3f}")
    return "\n".join(lines)


def main() -> None:
    """Measures all stages at all sizes, and prints the table, the ratios of peaks, and all figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Other options are passed to Beam: --direct_running_mode=multi_processing --direct_num_workers=2",
    )
    add = parser.add_argument
    add("--images", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    add("--classes", type=int, default=100)
    add("--cores", type=int, nargs="+", default=[len(os.sched_getaffinity(0))], help="1 2 1 2: takes turns; medians")
    add("--stages", nargs="+", choices=STAGES, default=STAGES)
    add("--training_steps", type=int, default=200, help=f"the number of steps of {BATCH_SIZE} images")
    add("--config", type=Path, help="takes normalize, train and evaluate from this file")
    add("--work", type=Path, required=True, help="a folder for data and roots; needs over 20 kB per image")
    add("--prepare_only", action="store_true", help="only makes the data")
    options, beam_args = parser.parse_known_args()
    settings = json.loads(options.config.read_bytes()) if options.config else SMALL
    rows = []
    for image_count in options.images:
        line = Line(options.work.absolute(), image_count, options.classes, options.training_steps, settings)
        line.prepare()
        for stage in () if options.prepare_only else options.stages:
            for cores in options.cores:
                rows.append(line.measure(stage, cores, beam_args))
                print(table(rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    if rows:
        print(table(rows))
        print(peak_ratios(rows) or "one size only: no peaks to compare")
        print(json.dumps([row._asdict() for row in rows]))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
