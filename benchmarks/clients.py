"""Asks every client that is at hand about the same test photos, and compares their answers with the evaluated model's.

    make test-mediapipe on-device
    MEDIAPIPE=.venv-mediapipe/bin/python python -m benchmarks.clients --pipeline_root pipeline_output --images 1000

The photos are test images of the version's own evaluation, drawn evenly, in the model's size, as PNG files. A client
that is not at hand is named, and left out. "same" counts photos with the evaluated model's top class. "ties" are those
with another one where the model's two likeliest classes are closer than push.max_probability_difference, as in push's
own proof; "other" are the rest. So it is for the columns "of the file", which compare a client with what push's proof
computes of the same file: what a file loses by its compression is no fault of a client. Exit code 1 if a client
differs from that proof by more than ties, or fails.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from PIL import Image

from benchmarks.client_programs.asked import CLIENTS, SAVED_MODEL, Answered, NotAtHandError, Probabilities, Task
from components.push import PushConfig
from components.push.comparison import compare
from components.push.evaluated_images import EvaluatedImages, read_evaluated_images
from components.push.exports import predict
from components.registry.layout import EXTRA
from pipeline import api
from pipeline.errors import UsageError
from pipeline.lineage import trace
from pipeline.predict.served import find_version

SHOWN_PHOTOS = 10
ROW = "{:<3} {:<46} {:<28} {:>5} {:>5} {:>5} {:>9} | {:>5} {:>5} {:>9}"


@dataclass(frozen=True)
class Differences:
    """How many photos have another top class than in what a client is compared with, and by how much scores differ."""

    same: int
    ties: int  # another class, where the two likeliest classes were closer than push.max_probability_difference
    other: int
    largest: float  # difference of a probability

    @classmethod
    def of(cls, probabilities: Probabilities, expected: EvaluatedImages) -> Differences:
        """Compares as push's proof does."""
        found = compare(probabilities, expected, PushConfig().max_probability_difference)
        same = round(found.agreement * found.images)
        return cls(same, found.undecided, found.images - same - found.undecided, found.max_probability_difference)


@dataclass(frozen=True)
class Row:
    """One client with one file."""

    client: str
    file: str
    model: Differences  # from the evaluated model
    proof: Differences  # from what push's proof computes of the same file
    top: tuple[tuple[str, float], ...]  # the likeliest class of the first photos, and its probability


def main() -> int:
    """Prints a row for each client and file, what each said of the first photos, and all of it as JSON."""
    options = make_parser().parse_args()
    try:
        version = find_version(options.pipeline_root, options.version).resolve()
        with tempfile.TemporaryDirectory() as folder:
            task = make_task(version, options.images, Path(folder))
            failures: list[str] = []
            rows = list(ask(task, options.clients, failures))
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print_first_photos(rows, task)
    print(json.dumps({"images": len(task.photos), "rows": [asdict(row) for row in rows], "failures": failures}))
    return int(bool(failures) or any(row.proof.other for row in rows))


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline_root", type=Path, default=Path("pipeline_output"), metavar="DIR")
    parser.add_argument("--version", type=int, help="the latest one if not given")
    parser.add_argument("--images", type=int, default=1000, help="at most so many of the test split")
    parser.add_argument("--clients", nargs="+", choices=CLIENTS, default=list(CLIENTS), metavar="CLIENT")
    return parser


def make_task(version: Path, most: int, folder: Path) -> Task:
    """Reads the test images of a version's evaluation, and writes them as PNG files into `folder`.

    Raises UsageError if the root no longer has what the version was evaluated on.
    """
    run = api.open_run(version.parents[1], trace(version).run_id)
    if run.examples is None or run.model is None or run.evaluation is None:
        raise UsageError(f"{version.parents[1]} no longer has what version {version.name} was evaluated on.")
    megapixels = (most + 0.5) * run.model.image_height * run.model.image_width / 1e6
    evaluated = read_evaluated_images(run.examples, run.model, run.evaluation, folder, megapixels)
    photos = tuple(folder / f"{index:05}.png" for index in range(len(evaluated.labels)))
    for pixels, photo in zip(evaluated.images, photos, strict=True):
        Image.fromarray(pixels).save(photo, compress_level=1)
    return Task(version, evaluated, photos)


def ask(task: Task, clients: Iterable[str], failures: list[str]) -> Iterator[Row]:
    """Asks the clients one after another, prints a row for each of their files, and yields it.

    What a client that fails says is added to `failures`; the next one is asked all the same.
    """
    print(f"version {task.version.name}, {len(task.photos)} photos of the test split")
    print(ROW.format("", "", "", "of", "the", "model", "", "of", "the", "file"))
    print(ROW.format("", "client", "file", "same", "ties", "other", "max |dp|", "ties", "other", "max |dp|"))
    proven: dict[str, EvaluatedImages] = {SAVED_MODEL: task.evaluated}
    count = 0
    for client in clients:
        try:
            for answered in CLIENTS[client](task):
                count += 1
                yield _print_row(count, _row(answered, task, proven))
        except NotAtHandError as error:
            print(f"{client} was not asked: {error}.", flush=True)
        except Exception as error:  # clients raise whatever their parts raise
            failures.append(f"{client} failed: {' '.join(str(error).split())[:1000]}")
            print(failures[-1], flush=True)


def _row(answered: Answered, task: Task, proven: dict[str, EvaluatedImages]) -> Row:
    if answered.file not in proven:
        file = task.version / EXTRA / answered.file
        probabilities = predict(file, task.evaluated.images, task.class_names)
        proven[answered.file] = replace(task.evaluated, probabilities=probabilities)
    first = answered.probabilities[:SHOWN_PHOTOS]
    return Row(
        client=answered.client,
        file=answered.file,
        model=Differences.of(answered.probabilities, task.evaluated),
        proof=Differences.of(answered.probabilities, proven[answered.file]),
        top=tuple((task.class_names[each.argmax()], float(each.max())) for each in first),
    )


def _print_row(number: int, row: Row) -> Row:
    model, proof = row.model, row.proof
    cells = (model.same, model.ties, model.other, f"{model.largest:.7f}", proof.ties, proof.other)
    print(ROW.format(number, row.client, row.file, *cells, f"{proof.largest:.7f}"), flush=True)
    return row


def print_first_photos(rows: Sequence[Row], task: Task) -> None:
    """Prints what each client answered on the first photos, a line for each client, numbered as in the table."""
    expected = [task.class_names[each] for each in task.evaluated.probabilities[:SHOWN_PHOTOS].argmax(1)]
    labels = [task.class_names[each] for each in task.evaluated.labels[:SHOWN_PHOTOS]]
    width = max(map(len, task.class_names)) + 7
    for name, cells in (("labels", labels), ("model", expected)):
        print(f"{name:<7}", *(f"{cell:<{width}}" for cell in cells))
    for number, row in enumerate(rows, 1):
        print(f"{number:<7}", *(f"{f'{name} {probability:.4f}':<{width}}" for name, probability in row.top))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.exit(main())
