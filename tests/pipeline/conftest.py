"""What several packages of tests use: a root with two runs."""

from __future__ import annotations

from tests.pipeline.report.conftest import two_runs

__all__ = ["two_runs"]
