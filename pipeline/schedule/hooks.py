"""The hooks that are told how a run ended: the run's JSON report goes to a command's stdin, or to a URL by POST."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Mapping
from typing import Any, Literal

Event = Literal["success", "failure", "not_blessed"]
TIMEOUT_SECONDS = 60.0
EVENTS: dict[str, Event] = {
    "pushed": "success",
    "completed": "success",
    "not blessed": "not_blessed",
    "failed": "failure",
    "usage error": "failure",
}


def tell(hooks: Mapping[Event, str], report: Mapping[str, Any]) -> str:
    """Runs the hook for the outcome of a run, if there is one. Returns why the hook failed, or an empty string."""
    event = None if report.get("nothing_to_do") else EVENTS.get(report["status"])
    hook = hooks.get(event) if event else None
    if not hook:
        return ""
    body = json.dumps({"event": event, **report}).encode()
    try:
        if hook.startswith(("http://", "https://")):
            request = urllib.request.Request(hook, body, {"Content-Type": "application/json"})
            urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS).close()
        else:
            subprocess.run(hook, shell=True, input=body, timeout=TIMEOUT_SECONDS, check=True)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return f"the hook on {event}, {hook!r}, failed: {error}"
    return ""
