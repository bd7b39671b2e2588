"""Requests that no page of ours sends, and what every answer carries."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

from pipeline.demo.app import NAME_CHARACTERS, clean
from pipeline.web.requests import RefusedError
from tests.pipeline.demo.conftest import Demo, serving


def say(demo: Demo, body: object = None, **headers: str) -> httpx.Response:
    given = {"member": "Ada", "text": "Hello"} if body is None else body
    return httpx.post(f"{demo.url}messages", json=given, headers=headers)


@pytest.mark.parametrize("path", ["", "assets/page.js", "shared/base.css", "thumbnails/1", "nowhere"])
def test_every_answer_forbids_what_the_page_does_not_need(demo: Demo, path: str) -> None:
    headers = httpx.get(demo.url + path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_only_its_own_names_are_answered(demo: Demo) -> None:
    refused = httpx.get(demo.url, headers={"Host": "evil.example"})
    assert refused.status_code == 400
    said = "evil.example is no name of this server. Start it with --allow_host NAME if it shall be one."
    assert refused.json() == {"error": said}
    port = httpx.URL(demo.url).port
    for own in ("localhost", "LOCALHOST", socket.gethostname(), "127.0.0.1", "[::1]"):
        assert httpx.get(demo.url, headers={"Host": f"{own}:{port}"}).status_code == 200, own
    for other in ("", "10.9.8.7", "127.0.0.1.evil.example", "[::1", "[::2]:80", "local host"):
        assert httpx.get(demo.url, headers={"Host": other}).status_code == 400, other


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_another_site_cannot_write(demo: Demo, headers: dict[str, str]) -> None:
    for answer in (say(demo, **headers), demo.upload(b"x", **headers)):
        assert answer.status_code == 403
        assert answer.json() == {"error": "This request comes from another site."}
    assert say(demo, Origin=demo.url.rstrip("/")).status_code == 201


def test_open_to_the_network_it_still_answers_to_known_names_only(tmp_path: Path) -> None:
    """Else another site could point its own name to this machine, and its page could read the chat."""
    with serving(tmp_path, "--host=0.0.0.0", "--allow_host=Chat.example", "--allow_host=10.9.8.7") as demo:
        port = httpx.URL(demo.url).port

        def status(host: str, address: str = "127.0.0.1") -> int:
            return httpx.get(f"http://{address}:{port}/", headers={"Host": f"{host}:{port}"}).status_code

        for own in ("0.0.0.0", "127.0.0.1", "localhost", socket.gethostname(), "chat.example", "10.9.8.7"):
            assert status(own) == 200, own
        for other in ("evil.example", "chat.example.evil.example", "10.9.8.8", "127.0.0.9"):
            assert status(other) == 400, other
        assert status("127.0.0.9", "127.0.0.9") == 200  # the address that the request arrived at
        assert say(demo, Origin=f"http://evil.example:{port}", Host=f"evil.example:{port}").status_code == 400


@pytest.mark.parametrize("host", ["::1", "::"])
def test_ipv6_addresses_are_names_too(tmp_path: Path, host: str) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with serving(tmp_path, f"--host={host}") as demo:
        port = httpx.URL(demo.url).port
        url = f"http://[::1]:{port}"
        assert demo.url == f"http://[{host}]:{port}/"
        assert httpx.get(url).status_code == 200
        message = {"member": "Ada", "text": "Hello"}
        assert httpx.post(f"{url}/messages", json=message, headers={"Origin": url}).status_code == 201
        assert httpx.get(url, headers={"Host": f"[0:0:0:0:0:0:0:1]:{port}"}).status_code == 200
        assert httpx.get(url, headers={"Host": "[2001:db8::1]"}).status_code == 400


def test_behind_a_proxy_its_page_may_write(tmp_path: Path) -> None:
    """A proxy may put its own view of the server into the header Host, or leave what the browser sent."""
    with serving(tmp_path, "--origin=https://chat.example/", "--origin=http://[2001:db8::1]:8443") as demo:
        ours = {"Sec-Fetch-Site": "same-origin"}
        for origin in ("https://chat.example", "http://[2001:db8::1]:8443"):
            assert say(demo, Origin=origin, **ours).status_code == 201
            assert demo.upload(b"x", Origin=origin, **ours).status_code == 422
        assert say(demo, Host="chat.example", Origin="https://chat.example", **ours).status_code == 201
        for origin in ("https://evil.example", "http://chat.example", "https://chat.example:444", "null"):
            assert say(demo, Origin=origin).status_code == 403, origin


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
