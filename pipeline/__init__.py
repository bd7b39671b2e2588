"""The pipeline: the component graph, the orchestrator that runs it, the artifact store, and the commands."""

import importlib.util
import sys

if importlib.util.find_spec("pydantic") is None:  # the first package that any command needs
    raise ImportError(
        f"{sys.executable} lacks this project's packages. Activate its environment, `source .venv/bin/activate` in the "
        "project's folder, and type the command again. `make run` makes the environment."
    )
