"""Requests that no page of ours sends, and what every answer carries."""

from __future__ import annotations

import httpx
import pytest

from pipeline.demo.app import NAME_CHARACTERS, clean
from pipeline.demo.uploads import RefusedError
from tests.pipeline.demo.conftest import Demo


def say(demo: Demo, body: object = None, **headers: str) -> httpx.Response:
    given = {"member": "Ada", "text": "Hello"} if body is None else body
    return httpx.post(f"{demo.url}messages", json=given, headers=headers)


@pytest.mark.parametrize("path", ["", "assets/page.js", "thumbnails/1", "nowhere"])
def test_every_answer_forbids_what_the_page_does_not_need(demo: Demo, path: str) -> None:
    headers = httpx.get(demo.url + path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_only_its_own_name_is_answered(demo: Demo) -> None:
    assert httpx.get(demo.url, headers={"Host": "evil.example"}).status_code == 400
    port = httpx.URL(demo.url).port
    assert httpx.get(demo.url, headers={"Host": f"localhost:{port}"}).status_code == 200


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_another_site_cannot_write(demo: Demo, headers: dict[str, str]) -> None:
    for answer in (say(demo, **headers), demo.upload(b"x", **headers)):
        assert answer.status_code == 403
        assert answer.json() == {"error": "This request comes from another site."}
    assert say(demo, Origin=demo.url.rstrip("/")).status_code == 201


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([], 'Expected JSON: {"member": "Ada", "text": "Hello"}.'),
        ({"member": "Ada"}, 'Expected JSON: {"member": "Ada", "text": "Hello"}.'),
        ({"member": "Ada", "text": 7}, "text is missing."),
        ({"member": "\n", "text": "Hello"}, "member: expected 1 to 40 characters, found 0."),
        ({"member": "Ada", "text": "x" * 2001}, "text: expected 1 to 2000 characters, found 2001."),
    ],
)
def test_a_message_that_cannot_be_shown_is_refused(demo: Demo, body: object, reason: str) -> None:
    answer = say(demo, body)
    assert answer.status_code == 400
    assert answer.json()["error"] == reason


def test_a_message_is_bounded_in_bytes(demo: Demo) -> None:
    assert say(demo, {"member": "Ada", "text": "x" * 20_000}).status_code == 413


def test_a_photo_without_a_member_is_refused(demo: Demo) -> None:
    answer = demo.upload(b"x", member="")
    assert (answer.status_code, answer.json()["error"]) == (400, "member: expected 1 to 40 characters, found 0.")


@pytest.mark.parametrize("path", ["assets/../app.py", "assets/%2e%2e/app.py", "assets/..%2fapp.py"])
def test_nothing_else_is_served(demo: Demo, path: str) -> None:
    assert httpx.get(demo.url + path).status_code == 404


def test_names_are_one_line_of_visible_characters() -> None:
    assert clean(" Ada\n\tLovelace\u202e\0 ", NAME_CHARACTERS, "member") == "Ada Lovelace"
    assert clean("👩\u200d🔬", NAME_CHARACTERS, "member") == "👩\u200d🔬"
    with pytest.raises(RefusedError, match="expected 1 to 40 characters, found 41"):
        clean("x" * 41, NAME_CHARACTERS, "member")
