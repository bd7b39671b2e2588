from __future__ import annotations

import signal
import sys
import time

import pytest

from pipeline.orchestrator.lost_interrupts import lost_interrupts_sent_again


class Held:
    """An object during whose end Ctrl-C comes."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def _pythons_own_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)  # pytest's would warn
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)


def end_an_object_and_wait() -> None:
    with lost_interrupts_sent_again(0.1):
        held = Held()
        del held  # Python ignores what is raised here
        time.sleep(60)


def test_an_interrupt_that_comes_while_an_object_ends_is_not_lost_and_ends_the_wait() -> None:
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        end_an_object_and_wait()
    assert time.monotonic() - started < 50


def test_other_errors_are_left_to_python(capfd: pytest.CaptureFixture[str]) -> None:
    class Failing:
        def __del__(self) -> None:
            raise ValueError("in the end")

    with lost_interrupts_sent_again(0.0):
        failing = Failing()
        del failing
        time.sleep(0.1)
    assert "in the end" in capfd.readouterr().err
    assert sys.unraisablehook is sys.__unraisablehook__
