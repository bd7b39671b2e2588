"""Measures the run after a few photos more: what each component takes when most of the work is known.

    python -m benchmarks.more_photos --work /tmp/more_photos --photos 30

A folder of photos as `benchmarks.few_photos` makes it runs once; then each class gets one photo more to train on, and
it runs again. Prints the second run's seconds by component, and its processor time with all its processes.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
from pathlib import Path

from benchmarks.few_photos import TEST_PHOTOS, add_settings, make_photos, run

ROW = "{:<12} {:>9} {:<10}"


def main() -> None:
    """Prints a row for each component of the second run, and one for the whole command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for photos and pipeline roots")
    parser.add_argument("--photos", type=int, default=30, help="photos of each class in the first run")
    parser.add_argument("--test_photos", type=int, default=TEST_PHOTOS, help="photos of each class to judge by")
    parser.add_argument("--recipe", default="transfer")
    add_settings(parser)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=options.work))
    photos, held = work / "photos", work / "held"
    make_photos(photos, options.photos + 1, options.test_photos)
    name = f"{options.photos}.jpg"
    for folder in (photos / "train").iterdir():
        (held / folder.name).mkdir(parents=True)
        shutil.move(folder / name, held / folder.name / name)
    run(photos, options.recipe, work / "root", options.settings, "first")
    shutil.copytree(held, photos / "train", dirs_exist_ok=True)
    used_before = _processor_seconds()
    seconds, record = run(photos, options.recipe, work / "root", options.settings, "second")
    used = _processor_seconds() - used_before
    print(ROW.format("component", "seconds", "state"))
    for node in record["nodes"]:
        print(ROW.format(node["component"], f"{node['seconds']:.1f}", node["state"]))
    print(f"{seconds:.1f} s in all, {used:.1f} s of processor time; {record['state']}")


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
