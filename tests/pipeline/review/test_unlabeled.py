"""Photos without labels: those that would teach most are asked about first, and become training images."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from components.component import Workspace
from components.corrections_file import read_corrections
from components.ingest import Ingest, IngestConfig
from pipeline.errors import UsageError
from pipeline.predict.row import failed, predicted
from pipeline.predict.rows_folder import RowsFolder
from pipeline.predict.served import Prediction
from pipeline.review import unlabeled
from pipeline.review.__main__ import main
from pipeline.review.app import make_app
from pipeline.review.opening import Review
from pipeline.review.photo_vectors import FOLDER
from pipeline.review.unlabeled import open_unlabeled
from pipeline.web.trusted import trust
from tests.components.ingest import running
from tests.pipeline.review.embedded import Embedded, embed
from tests.pipeline.review.findings import CLASSES, PHOTOS


@pytest.fixture
def embedded(tmp_path: Path) -> Embedded:
    return embed(tmp_path)


def choose(embedded: Embedded, count: int = 100, folder: Path | None = None, **places: Any) -> Review:
    given = {"run": None, "source": None, "corrections": None, **places}
    return open_unlabeled(
        embedded.root, **given, unlabeled=str(folder or embedded.inbox), count=count, report=lambda done, total: None
    )


def chosen(review: Review) -> list[str]:
    return [file for item in review.items for file in item.files]


def test_each_photo_comes_with_its_likeliest_classes(embedded: Embedded) -> None:
    review = choose(embedded)
    likeliest = {item.files[0]: item.better_label for item in review.items}
    assert {likeliest[f"../inbox/clear {number}.png"] == CLASSES[number % 3] for number in range(6)} == {True}
    assert len(likeliest) == 8
    assert all(set(item.reason.split(" or ")) < set(CLASSES) for item in review.items)


def test_vectors_are_kept_by_the_bytes_of_photos(embedded: Embedded) -> None:
    before = choose(embedded)
    (kept,) = embedded.root.glob(f"{FOLDER}/*/*.npz")
    written = kept.stat().st_mtime_ns
    os.rename(embedded.inbox / "clear 0.png", embedded.inbox / "renamed.png")
    after = choose(embedded)
    assert [file.replace("clear 0", "renamed") for file in chosen(before)] == chosen(after)
    assert [each.stat().st_mtime_ns for each in embedded.root.glob(f"{FOLDER}/*/*.npz")] == [written]
    kept.write_bytes(kept.read_bytes()[:1000])
    assert chosen(choose(embedded)) == chosen(after)
    assert {path.suffix for path in kept.parent.iterdir()} == {".npz"}


def test_what_somebody_has_decided_is_not_asked_again_and_a_run_takes_it_up(
    embedded: Embedded, workspace: Workspace
) -> None:
    review = choose(embedded, 4)
    with TestClient(make_app(review, trust(["testserver"]))) as client:
        for number, (decision, label) in enumerate([("label", "dog"), ("leave_out", ""), ("label", "cat")]):
            given = {"findings": review.digest, "item": number, "decision": decision, "label": label}
            answer = client.post("/decisions", json=given)
            assert (answer.status_code, answer.json()["decided"]) == (201, True)
        answer = client.post("/undo", json={"findings": review.digest, "item": 2})
        assert answer.json()["decided"] is False
        for decision in ("keep", "same"):
            given = {"findings": review.digest, "item": 3, "decision": decision}
            assert "expected label, leave_out" in client.post("/decisions", json=given).json()["error"]
    first, second, third, _ = chosen(review)
    lines = [each[:4] for each in read_corrections(embedded.corrections).decisions]
    assert [(file, decision, label) for file, _, decision, label in lines] == [
        (first, "add", "dog"),
        (second, "leave_out", ""),
        (third, "add", "cat"),
        (third, "leave_out", ""),
    ]
    later = chosen(choose(embedded))
    assert len(later) == 6
    assert third in later
    assert {first, second}.isdisjoint(later)

    examples = running.run(Ingest(IngestConfig(dataset=str(embedded.photos))), workspace)
    assert sum(examples.example_counts.values()) == len(CLASSES) * PHOTOS + 1
    assert examples.corrections == {"add": 1}


def test_what_cannot_be_read_is_passed_over_and_named(embedded: Embedded, capfd: pytest.CaptureFixture[str]) -> None:
    (embedded.inbox / "broken.jpg").write_bytes(b"no photo")
    (embedded.inbox / "notes.txt").write_text("no photo")
    os.symlink(embedded.inbox / "nowhere.png", embedded.inbox / "gone.png")
    review = choose(embedded)
    assert len(chosen(review)) == 8
    assert review.unreadable == ("../inbox/broken.jpg", "../inbox/gone.png")
    assert main([f"--pipeline_root={embedded.root}", f"--unlabeled={embedded.inbox}", "--list"]) == 0
    said = "2 photos cannot be read and are passed over: ../inbox/broken.jpg, ../inbox/gone.png\n"
    assert said in capfd.readouterr().err


def test_what_cannot_be_asked_about_is_said(embedded: Embedded, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "1.jpg").write_bytes(b"no photo")
    for folder, reason in (
        (tmp_path / "nowhere", "nowhere is no folder"),
        (tmp_path / "empty", "there are no photos about which nobody has decided"),
        (tmp_path / "broken", "none of 1 photos can be read: ../broken/1.jpg"),
        (embedded.photos / "cat", "whose folders are classes. Move it out of there"),
    ):
        with pytest.raises(UsageError, match=reason):
            choose(embedded, folder=folder)


def test_of_predicted_photos_those_of_which_the_model_was_least_sure_are_looked_at(
    embedded: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, between = RowsFolder(str(tmp_path / "rows")), ["new/between, 6.png", "new/between, 7.png"]
    rows.claim({"input": str(embedded.inbox), "version": 1, "version_digest": "abc"})
    likely = {f"clear {number}.png": 0.99 for number in range(6)} | dict.fromkeys(between, 0.5)
    told = [predicted(file, 1, Prediction({"cat": each}, True)) for file, each in likely.items()]
    rows.write("1", [*told, failed("broken.jpg", 1, "not an image")])
    monkeypatch.setattr(unlabeled, "_FEWEST_CANDIDATES", 0)
    monkeypatch.setattr(unlabeled, "_CANDIDATES_EACH", 1)
    review = choose(embedded, 2, Path(rows.place))
    assert sorted(chosen(review)) == [f"../inbox/{file}" for file in between]
    with TestClient(make_app(review, trust(["testserver"]))) as client:
        given = {"findings": review.digest, "item": 0, "decision": "label", "label": "dog"}
        assert client.post("/decisions", json=given).status_code == 201
    later = chosen(choose(embedded, 2, Path(rows.place)))
    assert chosen(review)[0] not in later
    assert len(later) == 2


def test_a_list_for_those_who_label_elsewhere(embedded: Embedded, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = [f"--pipeline_root={embedded.root}", f"--unlabeled={embedded.inbox}", "--count=2", "--list"]
    assert main(arguments) == 0
    said = capfd.readouterr()
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [set(line) for line in lines] == [{"file", "likeliest", "probability"}] * 2
    assert all(Path(line["file"]).is_file() for line in lines)
    assert "embedded 8 of 8 photos" in said.err
