"""Near copies are noted as the same, all at once, and ingest keeps them on one side of each split."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import pytest

from components.component import Workspace
from components.corrections_file import Correction, append_corrections
from components.ingest import Ingest, IngestConfig
from pipeline.config import DEFAULT_PATH, load_config
from pipeline.errors import UsageError
from pipeline.orchestrator.execution import Execution
from pipeline.orchestrator.plan import Selection
from pipeline.orchestrator.run_record import RunFolder
from pipeline.review.__main__ import main
from pipeline.review.decisions import Decisions
from pipeline.review.keep_together import Noted, keep_together
from pipeline.review.opening import open_review
from pipeline.run import NODES, plan_config
from pipeline.run import keep_together as keep_together_after
from pipeline.store.local_store import Store
from tests.components.ingest import running
from tests.components.ingest.test_folder import stored_files
from tests.pipeline.review.findings import RUN, Reviewed, finding, record, write_photos

DRAWN = ("validation", "test")
PAIR, BURST = ("cat/1.png", "cat/2.png"), ("dog/1.png", "dog/2.png", "dog/3.png")


@pytest.fixture
def drawn(tmp_path: Path) -> Reviewed:
    """A run whose splits ingest has drawn, of 36 photos: the pair and the burst are near copies."""
    return record(tmp_path, drawn_splits=DRAWN)


def note(reviewed: Reviewed, run: str | None = None) -> Noted:
    return keep_together(reviewed.root, run, None, None)


def test_each_group_is_noted_once(drawn: Reviewed) -> None:
    assert note(drawn)[:3] == (2, 5, 0)
    assert drawn.decisions() == [
        ("cat/2.png", "same", "", "cat/1.png"),
        ("dog/2.png", "same", "", "dog/1.png"),
        ("dog/3.png", "same", "", "dog/2.png"),
    ]
    assert note(drawn)[:3] == (0, 0, 0)
    assert len(drawn.lines()) == 3


def test_a_group_that_has_grown_gets_what_is_new_in_it(drawn: Reviewed, tmp_path: Path) -> None:
    note(drawn)
    grown = (finding("near_copy", "cat/0.png", *PAIR), finding("near_copy", *reversed(BURST)))
    record(tmp_path, grown, "20261123-101500-11aa", {"inspect": {"number": 2}}, drawn_splits=DRAWN)
    assert note(drawn)[:3] == (1, 3, 0)
    assert drawn.decisions()[3:] == [("cat/1.png", "same", "", "cat/0.png")]


def test_what_people_have_said_is_kept(drawn: Reviewed) -> None:
    decisions = Decisions(drawn.file, drawn.photos)
    decisions.decide(["cat/2.png"], "not_same", other="cat/1.png")
    decisions.decide(["dog/3.png"], "leave_out")
    before = len(drawn.lines())
    assert note(drawn)[:3] == (1, 2, 0)
    assert drawn.decisions()[before:] == [("dog/2.png", "same", "", "dog/1.png")]


def test_what_was_taken_back_is_left_to_people(drawn: Reviewed) -> None:
    note(drawn)
    decisions = Decisions(drawn.file, drawn.photos)
    (pair,) = [item for item in open_review(drawn.root, None, None, None).items if item.files == PAIR]
    assert decisions.undo(pair)
    assert note(drawn)[:3] == (0, 0, 1)
    decisions.decide(["cat/2.png"], "same", other="cat/1.png")
    assert note(drawn)[:3] == (0, 0, 0)


def test_a_group_under_two_labels_or_of_too_many_is_left_to_people(tmp_path: Path) -> None:
    found = (
        finding("near_copy", "cat/1.png", "dog/1.png"),
        finding("near_copy", *(f"bird/{number}.png" for number in range(4))),
    )
    assert note(record(tmp_path, found, drawn_splits=DRAWN))[:3] == (0, 0, 2)


def test_a_group_across_a_split_that_is_given_is_left_to_people(tmp_path: Path) -> None:
    (pair, burst) = (finding("near_copy", *group) for group in (PAIR, BURST))
    first, *others = pair.images
    across = pair.model_copy(update={"images": (first.model_copy(update={"split": "test"}), *others)})
    reviewed = record(tmp_path, (across, burst), drawn_splits=("validation",))
    assert note(reviewed)[:3] == (1, 3, 1)
    assert {file for file, *_ in reviewed.decisions()} <= set(BURST)


def test_a_photo_that_is_gone_is_passed_over(drawn: Reviewed) -> None:
    (drawn.photos / "dog" / "1.png").unlink()
    assert note(drawn)[:3] == (2, 4, 0)
    assert drawn.decisions()[1:] == [("dog/3.png", "same", "", "dog/2.png")]


def test_lines_about_other_bytes_do_not_count(drawn: Reviewed) -> None:
    append_corrections(drawn.file, [Correction("cat/2.png", "0" * 64, "not_same", other="cat/1.png")])
    assert note(drawn).groups == 2


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"drawn_splits": ()}, f"The splits of run {RUN} are given"),
        ({"drawn_splits": (), "source": ""}, "was not made of files"),
    ],
)
def test_what_cannot_be_kept_together_is_refused(tmp_path: Path, fields: dict[str, Any], reason: str) -> None:
    reviewed = record(tmp_path, **fields)
    with pytest.raises(UsageError, match=reason):
        note(reviewed)
    assert not reviewed.file.exists()


def test_damaged_findings_are_refused(drawn: Reviewed) -> None:
    (file,) = drawn.root.rglob("findings.jsonl")
    file.write_bytes(b" damaged" + file.read_bytes()[8:])
    with pytest.raises(UsageError, match=r"is damaged: line 1 is no finding"):
        note(drawn)
    assert not drawn.file.exists()


def test_a_file_that_cannot_be_written_is_refused(drawn: Reviewed) -> None:
    drawn.file.mkdir()
    with pytest.raises(UsageError, match=r"corrections.csv cannot be written"):
        note(drawn)


def test_the_command_says_what_was_noted(drawn: Reviewed, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [f"--pipeline_root={drawn.root}", "--keep_together"]
    assert main(arguments) == 0
    assert capsys.readouterr().out == (
        f"5 photos in 2 groups of near copies are noted as the same in {drawn.file}: the next run keeps each group in "
        "one split.\n"
    )
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"There is nothing to note in {drawn.file}.\n"


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        (DRAWN, "5 photos in 2 groups of near copies are noted as the same in"),
        ((), f"near copies are not noted: The splits of run {RUN} are given"),
    ],
)
def test_a_run_notes_them_if_the_config_says_so(tmp_path: Path, splits: tuple[str, ...], said: str) -> None:
    reviewed = record(tmp_path, drawn_splits=splits)
    assert at_the_end_of_a_run(reviewed, "warn") == ""
    assert at_the_end_of_a_run(reviewed, "keep_together").startswith(said)
    assert len(reviewed.lines()) == (3 if splits else 0)


def at_the_end_of_a_run(reviewed: Reviewed, action: str) -> str:
    """What is printed after the recorded run, with a config that says what is done about near copies."""
    settings = [f"ingest.dataset={reviewed.photos}", f"inspect.near_copies_across_splits={action}"]
    config, store = load_config(DEFAULT_PATH, settings), Store(reviewed.root)
    plan = plan_config(config, store, Selection(NODES, last="inspect"))
    run, out = RunFolder(reviewed.root, RUN), io.StringIO()
    keep_together_after(Execution(config, plan, run, run.read(), out, 0.0))  # type: ignore[arg-type]
    return out.getvalue()


def test_runs_that_take_it_up_come_to_rest(tmp_path: Path, workspace: Workspace) -> None:
    """The second run draws other splits, in which the same groups are found in another order; the third one, none."""
    photos = write_photos(tmp_path / "photos")
    keys, sides = [], []
    groups = [BURST]
    for number in range(3):
        component = Ingest(IngestConfig(dataset=str(photos)))
        keys.append(component.fingerprint(workspace.root, {}))
        (workspace.folder / str(number)).mkdir()
        examples = running.run(component, dataclasses.replace(workspace, folder=workspace.folder / str(number)))
        sides.append(stored_files(examples))
        if not number:
            groups.append(_cut(sides[0]))
        found = [finding("near_copy", *sorted(group, key=lambda file: (sides[-1][file], file))) for group in groups]
        run_id = f"20261124-10150{number}-11aa"
        reviewed = record(
            tmp_path, tuple(found), run_id, {"inspect": {"number": number}}, drawn_splits=examples.drawn_splits
        )
        note(reviewed, run_id)
    assert keys[0] != keys[1] == keys[2]
    assert examples.kept_together == 5
    assert all(len({sides[2][file] for file in group}) == 1 for group in groups)


def _cut(sides: dict[str, str]) -> tuple[str, str]:
    """Two birds, of which the test split has one."""
    birds = sorted(file for file in sides if file.startswith("bird/"))
    return next(file for file in birds if sides[file] == "train"), next(file for file in birds if sides[file] == "test")
