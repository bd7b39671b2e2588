from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path

from pipeline.schedule.hooks import tell

FAILED = {"run_id": "one", "status": "failed", "reasons": ["the disk is full"]}


def test_a_command_gets_the_report_on_stdin(tmp_path: Path) -> None:
    assert tell({"failure": f"cat > {tmp_path}/told"}, FAILED) == ""
    assert json.loads((tmp_path / "told").read_text()) == {"event": "failure", **FAILED}


def test_an_address_gets_the_report_by_post() -> None:
    told: list[bytes] = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

    with http.server.HTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.handle_request).start()
        assert tell({"success": f"http://127.0.0.1:{server.server_port}/"}, {"status": "pushed"}) == ""
    assert json.loads(told[0]) == {"event": "success", "status": "pushed"}


def test_only_the_hook_of_the_event_is_told_and_a_run_with_nothing_to_do_is_no_event(tmp_path: Path) -> None:
    hooks = {"failure": f"touch {tmp_path}/failure", "not_blessed": f"touch {tmp_path}/not_blessed"}
    tell(hooks, {"status": "not blessed"})
    tell(hooks, {"status": "nothing to do"})
    tell(hooks, {"status": "nothing new"})
    tell({"not_blessed": f"touch {tmp_path}/again"}, {"status": "not blessed", "nothing_to_do": True})
    tell(hooks, {"status": "pushed"})
    assert [path.name for path in tmp_path.iterdir()] == ["not_blessed"]


def test_a_hook_that_fails_is_said_and_no_more() -> None:
    assert "the hook on failure, 'exit 3', failed" in tell({"failure": "exit 3"}, FAILED)
    assert "failed: <urlopen error" in tell({"failure": "http://127.0.0.1:9/"}, FAILED)
