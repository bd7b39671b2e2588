from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from pipeline.demo.__main__ import main
from tests.pipeline.demo.conftest import Demo


def test_a_port_in_use_is_named(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    port = urlsplit(demo.url).port
    assert main([f"--port={port}"]) == 2
    expected = f"error: 127.0.0.1:{port} cannot be used: Address already in use. Try another --host or --port.\n"
    assert capsys.readouterr().err == expected


def test_a_port_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--port=99999"])
    assert "--port 99999: expected 0 to 65535" in capsys.readouterr().err


def test_only_this_machine_is_let_in(demo: Demo) -> None:
    url = urlsplit(demo.url)
    assert url.hostname == "127.0.0.1"
    elsewhere = [info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    for address in {each for each in elsewhere if not str(each).startswith("127.")}:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((str(address), url.port), timeout=5)


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--allow_host=chat.example:8000", "'chat.example:8000': expected a name or an address without a port"),
        ("--allow_host=*", "'*': expected a name or an address without a port"),
        ("--origin=chat.example", "'chat.example': expected a scheme and a host, as https://chat.example"),
        ("--origin=https://chat.example/chat", "'https://chat.example/chat': expected a scheme and a host"),
        ("--origin=https://chat.example:port", "'https://chat.example:port': expected a scheme and a host"),
        ("--origin=null", "'null': expected a scheme and a host"),
    ],
)
def test_what_is_no_name_or_origin_is_refused(option: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([option])
    assert reason in capsys.readouterr().err
