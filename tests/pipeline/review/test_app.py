"""Requests that no page of ours sends, and what the others note."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from components.ingest.corrections import apply_corrections
from components.ingest.layout import scan
from components.ingest.photo_tree import printable
from pipeline.review.app import make_app
from pipeline.review.opening import Review, open_review
from pipeline.review.pictures import LARGEST_SIDE_PIXELS
from pipeline.web.trusted import trust
from tests.pipeline.review.findings import FINDINGS, Reviewed, finding, record, write_photos


@pytest.fixture
def review(reviewed: Reviewed) -> Review:
    return open_review(reviewed.root, None, None, None)


@pytest.fixture
def client(review: Review) -> Iterator[TestClient]:
    with TestClient(make_app(review, trust(["testserver"]))) as client:
        yield client


def decide(client: TestClient, review: Review, item: Any, decision: Any, **given: Any) -> Any:
    return client.post("/decisions", json={"findings": review.digest, "item": item, "decision": decision, **given})


def test_decisions_are_noted(client: TestClient, review: Review, reviewed: Reviewed) -> None:
    answer = decide(client, review, 0, "label", label="dog")
    assert answer.status_code == 201
    assert answer.json()["decided"]
    assert decide(client, review, 1, "leave_out", picture=1).json()["decided"]
    assert decide(client, review, 2, "same").json()["said"] == "same"
    assert reviewed.decisions() == [
        ("cat/0.png", "label", "dog", ""),
        ("cat/2.png", "leave_out", "", ""),
        ("dog/2.png", "same", "", "dog/1.png"),
        ("dog/3.png", "same", "", "dog/1.png"),
    ]
    assert reviewed.lines()[0].why == "label_issue: looks like a dog"
    found = client.get("/next").json()
    assert ([each["number"] for each in found["items"]], found["left"], found["decided"]) == ([3, 4], 2, 3)


def test_same_is_said_of_the_photos_that_are_left(client: TestClient, review: Review, reviewed: Reviewed) -> None:
    decide(client, review, 2, "leave_out", picture=0)
    assert decide(client, review, 2, "not_same").json()["decided"]
    assert reviewed.decisions()[1:] == [("dog/3.png", "not_same", "", "dog/2.png")]


def test_a_label_that_somebody_gave_is_kept(tmp_path: Path) -> None:
    """The run has read an earlier decision: to keep what it shows is to keep that label, not the folder's."""
    reviewed = record(tmp_path)
    review = open_review(reviewed.root, None, None, None)
    shown = review.items[0]._replace(labels=("dog",), better_label="cat")
    corrected = review._replace(items=(shown, *review.items[1:]))
    with TestClient(make_app(corrected, trust(["testserver"]))) as client:
        decide(client, review, 0, "label", label="dog")
        decide(client, review, 0, "keep")
    assert [each[1:3] for each in reviewed.decisions()] == [("label", "dog"), ("label", "dog")]


def test_undo(client: TestClient, review: Review, reviewed: Reviewed) -> None:
    decide(client, review, 0, "leave_out")
    body = {"findings": review.digest, "item": 0}
    assert not client.post("/undo", json=body).json()["decided"]
    assert reviewed.decisions() == [("cat/0.png", "leave_out", "", ""), ("cat/0.png", "keep", "", "")]
    again = client.post("/undo", json=body)
    assert (again.status_code, again.json()["error"]) == (409, "There is no decision about this finding to take back.")


@pytest.mark.parametrize(
    ("given", "status", "reason"),
    [
        ({"decision": "delete"}, 400, "decision: expected label, leave_out, keep, found 'delete'."),
        ({"decision": "same"}, 400, "expected label, leave_out, keep, found 'same'"),
        ({"decision": ["keep"]}, 400, "found ['keep']"),
        ({"decision": "label", "label": "dgo"}, 400, "'dgo' is no class. Is dog meant?"),
        ({"decision": "label", "label": {}}, 400, "'{}' is no class."),
        ({"decision": "keep", "item": 5}, 404, "There is no finding 5."),
        ({"decision": "keep", "item": True}, 404, "There is no finding True."),
        ({"decision": "keep", "item": "0"}, 404, "There is no finding 0."),
        ({"decision": "keep", "picture": 1}, 404, "There is no photo 1 in this finding."),
        ({"decision": "keep", "findings": "others"}, 409, "The server shows other findings now. Load the page again."),
    ],
)
def test_what_makes_no_sense_is_refused(
    client: TestClient, review: Review, reviewed: Reviewed, given: dict[str, Any], status: int, reason: str
) -> None:
    answer = client.post("/decisions", json={"findings": review.digest, "item": 0, **given})
    assert answer.status_code == status
    assert reason in answer.json()["error"]
    assert not reviewed.file.exists()


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/decisions", content=body)
    assert answer.status_code in (400, 413)
    assert answer.json()["error"]


def test_a_decision_that_cannot_be_written_says_so(client: TestClient, review: Review, reviewed: Reviewed) -> None:
    (reviewed.photos / "cat" / "0.png").unlink()
    answer = decide(client, review, 0, "keep")
    assert answer.status_code == 500
    assert "Nothing was noted: No such file or directory" in answer.json()["error"]


def test_a_file_that_somebody_spoils_meanwhile_is_told(client: TestClient, reviewed: Reviewed) -> None:
    reviewed.file.write_text("nonsense\n")
    answer = client.get("/next")
    assert answer.status_code == 500
    assert "begins with 'nonsense'; expected the header" in answer.json()["error"]


def test_other_sites_are_kept_out(client: TestClient, review: Review, reviewed: Reviewed) -> None:
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
    assert client.get("/pictures/0/0", headers={"Host": "evil.example"}).status_code == 400
    body = {"findings": review.digest, "item": 0, "decision": "keep"}
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert client.post("/decisions", json=body, headers=headers).status_code == 403
    assert not reviewed.file.exists()
    assert client.get("/").headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")


def test_pictures_are_small_copies_without_metadata(client: TestClient, reviewed: Reviewed) -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    exif[0x0112] = 6  # turned
    Image.new("RGB", (3000, 2000), (9, 99, 9)).save(reviewed.photos / "cat" / "0.png", "JPEG", exif=exif)
    before = (reviewed.photos / "cat" / "0.png").read_bytes()
    answer = client.get("/pictures/0/0")
    shown = Image.open(io.BytesIO(answer.content))
    assert answer.headers["content-type"] == "image/jpeg"
    assert shown.height > shown.width
    assert max(shown.size) <= LARGEST_SIDE_PIXELS
    assert not shown.getexif()
    assert b"taken at home" not in answer.content
    assert (reviewed.photos / "cat" / "0.png").read_bytes() == before


@pytest.mark.parametrize("path", ["/pictures/0/1", "/pictures/9/0", "/pictures/0/-1", "/items/5", "/assets/../app.py"])
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_what_is_no_picture_says_why(client: TestClient, reviewed: Reviewed) -> None:
    (reviewed.photos / "cat" / "0.png").write_text("<script>")
    answer = client.get("/pictures/0/0")
    assert (answer.status_code, answer.json()["error"]) == (404, "This photo cannot be shown: not an image.")


def test_any_name_of_a_photo(tmp_path: Path) -> None:
    """What the page notes is what ingest finds, byte for byte."""
    names = ["a,b.png", 'say "hi".png', "two\nlines.png", "cr\r.png", "\udce9.png", " \u00e9\\xe9.png"]
    photos = write_photos(tmp_path / "photos")
    for number, name in enumerate(names):
        os.rename(photos / "cat" / f"{number}.png", photos / "cat" / name)
    findings = tuple(finding("odd_image", printable(f"cat/{name}")) for name in names)
    review = open_review(record(tmp_path, findings).root, None, None, None)
    with TestClient(make_app(review, trust(["testserver"]))) as client:
        for number in range(len(names)):
            assert client.get(f"/pictures/{number}/0").status_code == 200
            assert decide(client, review, number, "leave_out").status_code == 201
        assert client.get("/next").json()["left"] == 0
    layout = apply_corrections(scan(photos), photos, review.corrections)
    assert sorted(file for file, _ in layout.left_out) == sorted(f"cat/{name}" for name in names)


def test_a_thousand_classes_and_names_that_look_like_code(tmp_path: Path) -> None:
    names = ("bird", "cat", "dog", *(f"<b>class {number}</b>" for number in range(997)))
    reviewed = record(tmp_path, (*FINDINGS, finding("odd_image", "cat/4.png")), class_names=names)
    review = open_review(reviewed.root, None, None, None)
    with TestClient(make_app(review, trust(["testserver"]))) as client:
        page = client.get("/").text
        assert page.count("<option value=") == 1000 + 4
        assert "<b>" not in page
        assert decide(client, review, 0, "label", label=names[-1]).status_code == 201
    assert reviewed.decisions()[-1][2] == names[-1]
