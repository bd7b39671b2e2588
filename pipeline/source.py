"""What code a component is made of: a digest of every definition that its module can reach.

Only code counts: comments, docstrings and layout do not, so that a reworded comment costs nobody a training. A
definition that nothing here refers to does not count either: a new field of `Push` does not retrain the model.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import components

PACKAGE = "components"
ROOT = Path(components.__file__).parent.parent
DIGEST_LENGTH = 12  # hexadecimal digits: enough to tell versions of one function apart
TOP = "<module>"  # everything in a module that is not a function or a class
ALL = "*"


class Module(NamedTuple):
    """One module, as its text says it."""

    file: str  # components/train/loop.py
    digests: dict[str, str]  # by definition
    references: dict[str, frozenset[str]]  # by definition: the names that occur in it
    imports: dict[str, tuple[str, str]]  # by local name: the module and the name in it


def code_digests(module: str) -> dict[str, str]:
    """Digests by definition, such as {"components/train/loop.py:fit": "0a1b…"}, of all that a module can reach.

    Args:
        module: a dotted name inside `components`, such as "components.train".
    """
    found: dict[str, str] = {}
    waiting, seen = [(module, ALL)], {(module, ALL)}
    while waiting:
        name, definition = waiting.pop()
        here = _module(name)
        if definition in here.digests:
            found[f"{here.file}:{definition}"] = here.digests[definition]
        new = set(_reached(name, definition)) - seen
        waiting += new
        seen |= new
    return dict(sorted(found.items()))


def _reached(name: str, definition: str) -> Iterator[tuple[str, str]]:
    """The definitions that one of them needs: what it refers to, here and elsewhere, and what importing it runs."""
    module = _module(name)
    yield name, TOP
    if "." in name:
        yield name.rpartition(".")[0], TOP
    if definition == ALL:
        yield from ((name, each) for each in module.digests)
    for reference in module.references.get(definition, ()):
        if reference in module.digests:
            yield name, reference
        elif reference in module.imports:
            yield module.imports[reference]


@cache
def _module(name: str) -> Module:
    path = _path(name)
    if path is None:
        raise ModuleNotFoundError(f"{name} is imported but is no module below {ROOT}.")
    tree = ast.parse(path.read_bytes())
    definitions = _definitions(tree)
    return Module(
        file=path.relative_to(ROOT).as_posix(),
        digests={each: _digest(nodes) for each, nodes in definitions.items()},
        references={each: frozenset(_names(nodes)) for each, nodes in definitions.items()},
        imports=dict(_imports(tree, name)),
    )


def _path(name: str) -> Path | None:
    """The module's file. By path, since Python's own look-up would import the packages above it."""
    base = ROOT.joinpath(*name.split("."))
    return next((path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()), None)


def _definitions(tree: ast.Module) -> dict[str, list[ast.stmt]]:
    """The module's functions and classes by name, and all its other statements under TOP."""
    found: dict[str, list[ast.stmt]] = {TOP: []}
    for statement in tree.body:
        name = statement.name if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) else TOP
        found.setdefault(name, []).append(statement)
    return found


def _names(nodes: Iterable[ast.stmt]) -> Iterator[str]:
    return (each.id for node in nodes for each in ast.walk(node) if isinstance(each, ast.Name))


def _imports(tree: ast.Module, module: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """What the package's own import statements bind, at the top or inside of a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            ours = [alias for alias in node.names if alias.name.partition(".")[0] == PACKAGE]
            yield from ((alias.asname or PACKAGE, (alias.name, ALL)) for alias in ours)
        if isinstance(node, ast.ImportFrom):
            if node.level:
                raise ImportError(f"{module}: write the module's full name; relative imports are not followed.")
            if (node.module or "").partition(".")[0] == PACKAGE:
                yield from ((alias.asname or alias.name, _target(node.module or "", alias)) for alias in node.names)


def _target(module: str, alias: ast.alias) -> tuple[str, str]:
    """A name in a module, or a whole module."""
    whole = f"{module}.{alias.name}"
    return (whole, ALL) if _path(whole) is not None else (module, alias.name)


def _digest(nodes: list[ast.stmt]) -> str:
    return hashlib.sha256(repr([_shape(node) for node in nodes]).encode()).hexdigest()[:DIGEST_LENGTH]


def _shape(node: Any) -> Any:
    """The tree without positions and docstrings. `ast.dump` would differ from one Python version to the next."""
    if isinstance(node, list):
        return [_shape(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
    if _has_docstring(node):
        fields["body"] = fields["body"][1:]
    return type(node).__name__, [(name, _shape(value)) for name, value in fields.items()]


def _has_docstring(node: ast.AST) -> bool:
    documented = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None
