"""Parses Swift files, and prints what the grammar does not know of each as JSON: {file: ["line: text", ...]}.

It runs in an environment of its own, which has tree-sitter's grammar of Swift.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import tree_sitter_swift
from tree_sitter import Language, Node, Parser

PARSER = Parser(Language(tree_sitter_swift.language()))


def faults(node: Node, source: bytes) -> Iterator[str]:
    if node.is_error or node.is_missing:
        yield f"{node.start_point[0] + 1}: {source[node.start_byte : node.end_byte].decode()[:80]!r}"
    for child in node.children:
        yield from faults(child, source)


def main(files: list[str]) -> None:
    sources = {file: Path(file).read_bytes() for file in files}
    print(json.dumps({file: list(faults(PARSER.parse(text).root_node, text)) for file, text in sources.items()}))


if __name__ == "__main__":
    main(sys.argv[1:])
