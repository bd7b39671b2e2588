"""The check that a component's inputs belong together: they must have been made from the same artifacts."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.store.manifest import Manifest

SHOWN_DIGITS = 12


def disagreement(component: str, inputs: Iterable[Manifest]) -> str:
    """Returns why these inputs of a component do not belong together; an empty text if they do.

    A manifest holds the digests of the artifacts that it was made from. One level upstream is enough: the levels above
    were checked when those artifacts were used.
    """
    seen: dict[str, tuple[str, str]] = {}  # by component: a digest, and the component whose manifest has it
    for manifest in inputs:
        said = {manifest.component: manifest.digest}
        said |= {used.component: manifest.identity.inputs[name] for name, used in manifest.inputs.items()}
        for name, digest in said.items():
            other, who = seen.setdefault(name, (digest, manifest.component))
            if other != digest:
                return (
                    f"{component} would take artifacts that do not belong together: {who} is of the {name} artifact "
                    f"{other[:SHOWN_DIGITS]}, {manifest.component} of {digest[:SHOWN_DIGITS]}. "
                    "Run without --from, or start with an earlier component."
                )
    return ""
