"""`python -m pipeline.demo`: serves the chat on this machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from components import leave_onednn_to_tensorflow
from pipeline.errors import ExitCode, UsageError
from pipeline.store.opening import DEFAULT_ROOT, open_versions
from pipeline.text import print_any_text
from pipeline.web.serving import add_address_options, listen, parse_address, serve, trusted_by

PACKAGES = Path(__file__).parents[2] / "build" / "on-device"  # where `make on-device` puts them


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves the chat until it is interrupted. Returns the exit code."""
    print_any_text()
    options = parse_address(make_parser(), arguments)
    try:
        registry = open_versions(options.pipeline_root)
        listening = listen(options.host, options.port)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except OSError as error:
        print(f"error: what is published in {options.pipeline_root} cannot be read: {error}", file=sys.stderr)
        return ExitCode.FAILED
    leave_onednn_to_tensorflow()
    from pipeline.demo.app import make_app

    app = make_app(registry, trusted_by(options), options.on_device or PACKAGES)
    serve(app, listening, options.host, f"follows {registry.place}", app.state.room.close)
    return ExitCode.DONE


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.demo",
        description="Serves a small chat: drop a photo, and the published model writes the caption. It follows new "
        "pushes and rollbacks, and keeps everything in memory. Only this machine can reach it unless --host says "
        "otherwise.",
    )
    parser.add_argument(
        "--pipeline_root", default=str(DEFAULT_ROOT), metavar="DIR", help="the pipeline root; also s3:// and gs://"
    )
    parser.add_argument(
        "--on_device",
        type=Path,
        metavar="DIR",
        help="where `make on-device` put LiteRT's WebAssembly, with which pages caption photos without sending them "
        "(default: build/on-device of this project)",
    )
    add_address_options(parser, port=8000)
    return parser


if __name__ == "__main__":
    sys.exit(main())
