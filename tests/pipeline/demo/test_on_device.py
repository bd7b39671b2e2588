"""What the server has for pages that caption photos by themselves; `test_on_device_browser.py` does that."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.pipeline.demo.conftest import CARD, Demo, add_litert, serving, wait_for_model

MODULE = "litert/core/dist/index.js"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stands in for what `make on-device` fetches: the files that the server looks at."""
    folder = tmp_path_factory.mktemp("packages")
    module = folder / "node_modules" / "@litertjs" / "core" / "dist" / "index.js"
    module.parent.mkdir(parents=True)
    module.write_text('import { createWasmLib } from "@litertjs/wasm-utils";\n')
    (module.parents[1] / "litert.wasm").write_bytes(b"\0asm")
    return folder


@pytest.fixture(scope="module")
def demo(sample_root: Path, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    root = tmp_path_factory.mktemp("demo")
    shutil.copytree(sample_root / "pushed" / "1", root / "pushed" / "1")
    add_litert(root / "pushed" / "1")
    with serving(root, f"--on_device={packages}") as demo:
        wait_for_model(demo)
        yield demo


def get(demo: Demo, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{demo.url}on-device/{path}", headers=headers)


def test_a_page_is_told_what_it_must_know_of_the_model(demo: Demo) -> None:
    about = get(demo, "model").json()
    card = json.loads((demo.pushed / "1" / CARD).read_text())
    assert about["version"] == 1
    assert (about["height"], about["width"]) == (32, 32)
    assert about["class_names"] == card["class_names"]
    assert about["nouns"][:2] == ["an airplane", "an automobile"]
    assert about["confidence"] == card["confidence"]
    assert about["bytes"] == len(get(demo, about["file"]).content)


def test_only_the_worker_may_compile_webassembly(demo: Demo) -> None:
    policy = get(demo, "worker.js").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; ")
    assert "'unsafe-" not in policy
    for path in ("model", "models/1", MODULE, "litert/core/litert.wasm", "../assets/worker.js", "../"):
        assert "wasm" not in get(demo, path).headers["content-security-policy"], path


def test_litert_is_served_from_here_with_the_types_that_browsers_ask_for(demo: Demo) -> None:
    module = get(demo, MODULE)
    assert module.headers["content-type"].startswith("text/javascript")
    assert module.text == 'import { createWasmLib } from "../../wasm-utils/dist/index.js";\n'
    assert get(demo, "litert/core/litert.wasm").headers["content-type"] == "application/wasm"
    assert get(demo, "litert/../../../package.json").status_code == 404


def test_a_model_that_the_browser_has_is_not_sent_again(demo: Demo) -> None:
    first = get(demo, "models/1")
    again = get(demo, "models/1", **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert get(demo, "models/2").json() == {"error": "Version 2 of the model cannot be read."}


def test_a_version_without_a_litert_file_says_what_to_publish(demo: Demo) -> None:
    card = demo.pushed / "1" / CARD
    before = card.read_text()
    try:
        card.write_text(json.dumps({**json.loads(before), "files": []}))
        answer = get(demo, "model")
    finally:
        card.write_text(before)
    assert answer.status_code == 404
    assert answer.json()["error"] == "Version 1 has no LiteRT file: push one with `litert` in push.variants."


def test_without_litert_the_chat_works_and_says_how_to_fetch_it(tmp_path: Path) -> None:
    with serving(tmp_path, f"--on_device={tmp_path}") as demo:
        assert httpx.get(demo.url).status_code == 200
        answer = get(demo, "model")
        assert answer.status_code == 404
        assert answer.json()["error"] == "The server has no LiteRT: run `make on-device`, and start it again."
        assert get(demo, MODULE).status_code == 404
