"""Keeps workers from computing with other code than that of the command: what they make would be no one's."""

from __future__ import annotations

import functools
import hashlib
from collections import defaultdict
from collections.abc import Mapping

from components.component import ComponentError
from pipeline.orchestrator.code_digest import DIGEST_LENGTH, ROOT, code_digests, digests_of
from pipeline.orchestrator.run_record import this_worker

_FOLDERS = ("pipeline/orchestrator", "pipeline/store", "pipeline/runners")  # what works beside a component
_NAMED = 3


@functools.cache
def code_by_file(module: str) -> dict[str, str]:
    """Returns a digest of the code in each file that decides how workers do the work of this module.

    Args:
        module: a dotted name such as "components.train" or "pipeline.predict.bulk".

    Returns:
        Digests by file, such as {"components/train/loop.py": "0a1b…"}. As in a cache key, only code counts.
    """
    lines: dict[str, list[str]] = defaultdict(list)
    for definition, digest in [*code_digests(module).items(), *_of_the_line().items()]:
        lines[definition.partition(":")[0]].append(f"{definition} {digest}")
    return {
        file: hashlib.sha256("\n".join(sorted(of_file)).encode()).hexdigest()[:DIGEST_LENGTH]
        for file, of_file in lines.items()
    }


@functools.cache
def _of_the_line() -> dict[str, str]:
    files = (path for folder in _FOLDERS for path in sorted((ROOT / folder).glob("[!_]*.py")))
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files)
    return {name: digest for each in names for name, digest in digests_of(each).items()}


def require_same_code(work: str, module: str, sent: Mapping[str, str]) -> None:
    """Raises ComponentError, which names this worker and files, if its code differs from what `code_by_file` returned.

    Nothing is compared if nothing was sent. `work` says in words what does not begin then.
    """
    here = code_by_file(module) if sent else {}
    differing = sorted(file for file in here.keys() | sent.keys() if here.get(file) != sent.get(file))
    if differing:
        named = ", ".join(differing[:_NAMED]) + (", ..." if len(differing) > _NAMED else "")
        files = "1 file" if len(differing) == 1 else f"{len(differing)} files"
        raise ComponentError(
            f"Worker {this_worker()} has other code than the command, and so does not begin {work}: {files} "
            f"differ{'s' if len(differing) == 1 else ''} ({named}). Give the command --setup_file=./setup.py, which "
            "sends its code, or install the same version on all workers."
        )
