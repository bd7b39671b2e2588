"""Which code a component is made of: a digest of every definition that its module can reach.

Only code counts. Comments, layout, docstrings and the descriptions of config keys do not, so that better words cost
nobody a training. A definition that nothing here refers to does not count either: a new field of `Push` does not
retrain the model.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import components

PACKAGES = ("components", "pipeline")
ROOT = Path(components.__file__).parent.parent
DIGEST_LENGTH = 12  # hexadecimal digits: enough to tell versions of one function apart
TOP = "<module>"  # everything in a module that is not a function or a class
ALL = "*"
FIELD = "Field"  # pydantic's


class Module(NamedTuple):
    """One module, as its text says it."""

    file: str  # components/train/loop.py
    digests: dict[str, str]  # by definition
    references: dict[str, frozenset[str]]  # by definition: the names that occur in it
    imports: dict[str, tuple[str, str]]  # by local name: the module and the name in it


def code_digests(module: str) -> dict[str, str]:
    """Returns digests by definition, such as {"components/train/loop.py:fit": "0a1b…"}, of all that a module can reach.

    Args:
        module: a dotted name, such as "components.train".
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


def digests_of(module: str) -> dict[str, str]:
    """Returns digests by definition, as `code_digests` does, of one module and not of what it can reach."""
    here = _module(module)
    return {f"{here.file}:{definition}": digest for definition, digest in here.digests.items()}


def _reached(name: str, definition: str) -> Iterator[tuple[str, str]]:
    """Yields the definitions that one needs: what it refers to, here and elsewhere, and what importing it runs."""
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
    module = Module(path.relative_to(ROOT).as_posix(), {}, {}, {})
    for definition, statements in _definitions(ast.parse(path.read_bytes())).items():
        referring: list[ast.AST] = []
        shape = repr([_shape(statement, referring) for statement in statements])
        module.digests[definition] = hashlib.sha256(shape.encode()).hexdigest()[:DIGEST_LENGTH]
        module.references[definition] = frozenset(node.id for node in referring if isinstance(node, ast.Name))
        module.imports.update(_imports(referring, name))
    return module


def _path(name: str) -> Path | None:
    """Returns the module's file. It is found by path, since Python's own look-up would import the packages above it."""
    base = ROOT.joinpath(*name.split("."))
    return next((path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()), None)


def _definitions(tree: ast.Module) -> dict[str, list[ast.stmt]]:
    """Returns the module's functions and classes by name, and all its other statements under TOP."""
    found: dict[str, list[ast.stmt]] = {TOP: []}
    for statement in tree.body[1:] if _has_docstring(tree) else tree.body:
        name = statement.name if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) else TOP
        found.setdefault(name, []).append(statement)
    return found


def _imports(nodes: Iterable[ast.AST], module: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yields what the package's own import statements bind, at the top or inside of a function."""
    for node in nodes:
        if isinstance(node, ast.Import):
            ours = [alias for alias in node.names if _package(alias.name) in PACKAGES]
            yield from ((alias.asname or _package(alias.name), (alias.name, ALL)) for alias in ours)
        if isinstance(node, ast.ImportFrom):
            if node.level:
                raise ImportError(f"{module}: write the module's full name; relative imports are not followed.")
            if _package(node.module or "") in PACKAGES:
                yield from ((alias.asname or alias.name, _target(node.module or "", alias)) for alias in node.names)


def _package(module: str) -> str:
    return module.partition(".")[0]


def _target(module: str, alias: ast.alias) -> tuple[str, str]:
    """Returns a name in a module, or a whole module."""
    whole = f"{module}.{alias.name}"
    return (whole, ALL) if _path(whole) is not None else (module, alias.name)


def _shape(node: Any, referring: list[ast.AST]) -> Any:
    """Returns the tree without positions and words for people; adds its names and imports to `referring`.

    `ast.dump` would differ from one Python version to the next, and further passes take as long as this one.
    """
    if isinstance(node, list):
        return [_shape(item, referring) for item in node]
    if not isinstance(node, ast.AST):
        return node
    if isinstance(node, (ast.Name, ast.Import, ast.ImportFrom)):
        referring.append(node)
    shapes = []
    for name in node._fields:
        value = _without_words(node, name)
        if value is not None and value != []:
            shapes.append((name, _shape(value, referring)))
    return type(node).__name__, shapes


def _without_words(node: ast.AST, name: str) -> Any:
    """Returns a field of the node, less a docstring, or the description of a config key."""
    value: Any = getattr(node, name, None)
    if name == "body" and _has_docstring(node):
        return value[1:]
    if name == "keywords" and isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == FIELD:
        return [keyword for keyword in value if keyword.arg != "description"]
    return value


def _has_docstring(node: ast.AST) -> bool:
    documented = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None
