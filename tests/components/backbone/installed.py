"""The backbones whose weights are installed: the first is a requirement, the others are an extra."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

from components.backbone.weights import PACKAGES


def _is_installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


INSTALLED = tuple(backbone for backbone, package in PACKAGES.items() if _is_installed(package))
