"""The names by which requests may call the server, and the origins of its page behind a proxy."""

from __future__ import annotations

import argparse
import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")
PORTS = {"http": 80, "https": 443}  # which browsers leave out


@dataclass(frozen=True)
class Trusted:
    """The hosts, as `host_of` returns them, and the origins, as browsers send them, that the server trusts."""

    hosts: frozenset[str]
    origins: frozenset[str] = frozenset()


def trust(hosts: Iterable[str], origins: Iterable[str] = ()) -> Trusted:
    """Returns trust in `hosts`, in `origins` and their hosts, and in the names of this machine."""
    machine = socket.gethostname()
    named = {*LOOPBACK, machine, machine.partition(".")[0], *hosts}
    behind_proxy = {host_of(urlsplit(origin).netloc) for origin in origins}
    return Trusted(frozenset({*map(one_spelling, named), *behind_proxy} - {""}), frozenset(origins))


def parse_host(text: str) -> str:
    """Returns the name or address that an option gives. Raises argparse.ArgumentTypeError if it is neither."""
    host = one_spelling(text.removeprefix("[").removesuffix("]"))
    if not _is_address(host) and not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", host):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a name or an address without a port, as chat.example")
    return host


def parse_origin(text: str) -> str:
    """Returns an origin such as https://chat.example, as browsers write it. Raises argparse.ArgumentTypeError."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in PORTS or parts.path.strip("/") or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a scheme and a host, as https://chat.example")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port in (None, PORTS[parts.scheme]) else f":{port}")


def host_of(netloc: str) -> str:
    """Returns the host of `chat.example:8000` or `[::1]:8000`, in one spelling; empty if it cannot be read."""
    try:
        return one_spelling(urlsplit(f"//{netloc}").hostname or "")
    except ValueError:
        return ""


def one_spelling(host: str) -> str:
    """Returns an address as `ipaddress` writes it, IPv4 if it stands for that, and a name in lower case."""
    if not _is_address(host):
        return host.lower()
    address = ipaddress.ip_address(host)
    return str(getattr(address, "ipv4_mapped", None) or address)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
