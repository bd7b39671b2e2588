"""Says whether the packages that make and run ONNX files are installed: they are an extra of this project."""

from __future__ import annotations

from importlib.util import find_spec

from components.component import ComponentError

PACKAGES = ("onnx", "onnxruntime", "tf2onnx")  # the extra `onnx` of setup.py


def require_onnx_packages() -> None:
    """Raises ComponentError unless all packages are installed. It imports none of them."""
    if missing := [package for package in PACKAGES if find_spec(package) is None]:
        raise ComponentError(
            f"The variant onnx in push.variants needs {' and '.join(missing)}, not installed here. Run `pip install "
            f"{' '.join(missing)}`, or leave the variant out."
        )
