from __future__ import annotations

import socket
from pathlib import Path

import pytest

from components.component import ComponentError
from pipeline.orchestrator.component_run import ComponentRun
from pipeline.orchestrator.run_record import RunFolder
from pipeline.orchestrator.same_code import code_by_file, require_same_code
from tests.pipeline.toys import Count, CountConfig, FactorConfig, Multiply

TOYS = "tests.pipeline.toys"


def test_the_code_of_a_component_and_of_what_runs_it_is_told_by_file() -> None:
    normalize, push = code_by_file("components.normalize"), code_by_file("components.push")
    assert "components/normalize/__init__.py" in normalize.keys() - push.keys()
    shared = normalize.keys() & push.keys()
    assert {"pipeline/store/packing.py", "pipeline/orchestrator/component_run.py"} <= shared
    assert not any(file.startswith(("pipeline/report/", "pipeline/predict/")) for file in normalize)


def test_the_code_of_bulk_prediction_is_that_of_its_workers() -> None:
    code = code_by_file("pipeline.predict.bulk")
    workers = {f"pipeline/predict/{name}.py" for name in ("bulk", "photo_source", "published", "row", "served")}
    assert workers | {"components/images/photos.py", "components/registry/remote_copy.py"} <= code.keys()
    assert code.keys().isdisjoint({"pipeline/predict/bulk_command.py", "components/train/loop.py"})


def test_the_same_code_is_no_matter_and_nothing_is_compared_if_nothing_was_sent() -> None:
    require_same_code("ingest", TOYS, code_by_file(TOYS))
    require_same_code("ingest", TOYS, {})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pipeline/store/packing.py": "0"}, r"1 file differs \(pipeline/store/packing\.py\)"),
        (
            {f"components/{letter}.py": "0" for letter in "abcd"},
            r"4 files differ \(components/a\.py, .*c\.py, \.\.\.\)",
        ),
    ],
)
def test_another_version_of_the_code_is_refused_by_name(change: dict[str, str], said: str) -> None:
    with pytest.raises(ComponentError, match=rf"^Worker {socket.gethostname()}:\d+ has other code .*ingest: {said}"):
        require_same_code("ingest", TOYS, {**code_by_file(TOYS), **change})


def test_a_worker_with_other_code_begins_nothing(tmp_path: Path) -> None:
    code = {**code_by_file(TOYS), "components/component.py": "0"}
    run = ComponentRun(Count(CountConfig()), (), tmp_path, "one", code=code)
    with pytest.raises(ComponentError, match="has other code than the command, and so does not begin ingest"):
        run.run()
    assert "has other code" in RunFolder(tmp_path, "one").read_node("ingest").reason
    assert not (tmp_path / "ingest").exists()


def test_no_part_of_a_scan_is_done_with_other_code(tmp_path: Path) -> None:
    numbers = ComponentRun(Count(CountConfig()), (), tmp_path, "one").run()
    upstream = (Count(CountConfig()),)
    lookup = ComponentRun(Multiply(FactorConfig()), upstream, tmp_path, "one").open(numbers)
    other = ComponentRun(Multiply(FactorConfig()), upstream, tmp_path, "one", code={"components/component.py": "0"})
    for part in (
        lambda: other.list_shards(lookup, numbers),
        lambda: other.begin(lookup, 3, numbers),
        lambda: other.combine(lookup, numbers, results=[3]),
    ):
        with pytest.raises(ComponentError, match="has other code than the command, and so does not begin normalize"):
            part()
    assert RunFolder(tmp_path, "one").scanned_by("normalize") == []
