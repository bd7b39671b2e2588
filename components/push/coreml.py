"""Converts a trained model to Core ML files, with the names, descriptions and metadata that Xcode shows."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import coremltools as ct
import numpy as np

from components.component import ComponentError
from components.convertible import convert, quiet_coremltools
from components.push import OLDEST_IOS, PushConfig, Variant
from components.push.activations import quantize_activations
from components.push.compression import Tensor, compress, weight_tensors
from components.push.mlprogram import read_mlprogram
from components.push.smallest import SearchImages, SmallestSearch
from components.push.trial import Trial, squared_changes
from components.registry.layout import PROVENANCE

VARIANTS = tuple(variant for variant in get_args(Variant) if not variant.startswith(("litert", "onnx")))

METADATA_CHARACTERS = 1000
METADATA_DEPTH = 4
# Keys that tell where the pipeline works and keeps its files. They are left out of files that go into apps.
PLACES = frozenset({"folder", "places", "host"})


@dataclass(frozen=True)
class Source:
    """The model to convert, and the texts that its files carry."""

    loaded: Any  # the SavedModel, kept because its signatures do not keep their variables alive
    height: int
    width: int
    class_names: tuple[str, ...]
    version: str
    description: str
    metadata: dict[str, str]  # user-defined: the lineage


class CoreMLConverter:
    """A converter of one model to any number of variants.

    Intermediate models that several variants need are made once.
    """

    def __init__(
        self,
        source: Source,
        config: PushConfig,
        calibration_images: np.ndarray | None = None,
        search_images: SearchImages | None = None,
    ) -> None:
        """Takes `calibration_images`, uint8 (n, height, width, 3), and those by which `smallest` is searched."""
        self._source, self._config = source, config
        self._calibration_images, self._search_images = calibration_images, search_images
        self._float16: dict[str, ct.models.MLModel] = {}  # by deployment target
        self._neuralnetwork: ct.models.MLModel | None = None
        self._search: SmallestSearch | None = None

    def save(self, variant: Variant, file: Path) -> None:
        """Writes `file`, a `.mlpackage` folder or `.mlmodel`, and reads it back.

        Raises:
            ComponentError: the network cannot be converted, or the file does not hold what was written.
        """
        model = self.make(variant)
        model.save(str(file))
        require_written(model, file)

    def make(self, variant: Variant) -> ct.models.MLModel:
        """Returns the variant, in memory.

        Raises:
            ComponentError: the network cannot be converted, or Core ML has no such variant.
        """
        if variant not in VARIANTS:
            raise ComponentError(f"Core ML has no variant {variant!r}. Expected one of {', '.join(VARIANTS)}.")
        with quiet_coremltools():
            return self._described(self._converted(variant))

    def allow_less(self) -> bool:
        """Lets the next `smallest` file lose less accuracy; returns whether that is possible."""
        return self._search is not None and self._search.allow_less()

    @property
    def smallest_weights(self) -> str:
        """The precisions of the last `smallest` file, for the card."""
        return self._search.text if self._search else ""

    def costliest(self, variant: Variant, file: Path, images: np.ndarray) -> Tensor | None:
        """Returns the tensor of a compressed file that alone moves the probabilities most, if it is known.

        `images` are uint8 (n, height, width, 3), RGB.
        """
        with quiet_coremltools():
            tensors = weight_tensors(self._in_float16(variant))
        if not tensors:
            return None
        trial = Trial(read_mlprogram(Path(self._in_float16(variant).package_path)), tensors)
        changes = squared_changes(trial, read_mlprogram(file), tensors, images)
        return max(tensors, key=lambda tensor: changes[tensor.name])

    def _converted(self, variant: Variant) -> ct.models.MLModel:
        if variant in ("neuralnetwork", "neuralnetwork_float16"):
            bits = 16 if variant == "neuralnetwork_float16" else 32
            if self._neuralnetwork is None:
                self._neuralnetwork = self._convert(convert_to="neuralnetwork")
            return _with_bits(self._neuralnetwork, bits)
        if variant == "float32":
            return self._ml_program(ct.precision.FLOAT32, self._config.deployment_target)
        model = self._in_float16(variant)
        if variant == "float16":
            return model
        if variant == "smallest":
            return self._smallest(model)
        if variant == "int8_activations":
            return compress(quantize_activations(model, self._images()), "int8", self._config.sparsity)
        return compress(model, variant, self._config.sparsity)

    def _smallest(self, model: ct.models.MLModel) -> ct.models.MLModel:
        if self._search is None:
            images = self._search_images or SearchImages(self._images(), len(self._images()))
            self._search = SmallestSearch(model, self._config, images)
        return self._search.find()

    def _images(self) -> np.ndarray:
        if self._calibration_images is None:
            raise ComponentError("int8_activations and smallest need images of the training split; none were given.")
        return self._calibration_images

    def _in_float16(self, variant: Variant) -> ct.models.MLModel:
        target = max(self._config.deployment_target, OLDEST_IOS.get(variant, "iOS15"))
        if target not in self._float16:
            self._float16[target] = self._ml_program(ct.precision.FLOAT16, target)
        return self._float16[target]

    def _ml_program(self, precision: ct.precision, target: str) -> ct.models.MLModel:
        return self._convert(
            convert_to="mlprogram",
            compute_precision=precision,
            minimum_deployment_target=ct.target[target],
            skip_model_load=True,
        )

    def _convert(self, **options: Any) -> ct.models.MLModel:
        names = ct.ClassifierConfig(list(self._source.class_names))
        function = self._source.loaded.signatures["pixels"]
        return convert(function, self._source.height, self._source.width, classifier_config=names, **options)

    def _described(self, model: ct.models.MLModel) -> ct.models.MLModel:
        """Returns the model with the names and descriptions that Xcode and Vision show."""
        spec, source = model.get_spec(), self._source
        probabilities = spec.description.predictedProbabilitiesName  # its name differs by kind of file
        # With rename_inputs=False, coremltools 9.0 does not rename the layer of a neural network that computes them.
        ct.utils.rename_feature(spec, probabilities, "classProbability")
        described = ct.models.MLModel(spec, weights_dir=model.weights_dir, skip_model_load=True)
        described.author = self._config.author
        described.license = self._config.license
        described.version = source.version
        described.short_description = source.description
        described.input_description["image"] = f"RGB image, {source.width} x {source.height} pixels (width x height)"
        described.output_description["classLabel"] = "The most likely class"
        described.output_description["classProbability"] = "The probability of each class, 0 to 1"
        described.user_defined_metadata["com.apple.coreml.model.preview.type"] = "imageClassifier"
        described.user_defined_metadata.update(source.metadata)
        return described


def lineage_metadata(lineage: dict[str, Any], prefix: str = "lineage") -> dict[str, str]:
    """Returns the lineage as user-defined metadata, which holds strings that Xcode shows.

    Long nested values become one entry for each key. A value that is still too long, such as the digests of all code,
    is replaced by its own digest.
    """
    entries: dict[str, str] = {}
    for key, value in _without_places(lineage).items():
        name = f"{prefix}.{key}"
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
        if len(text) <= METADATA_CHARACTERS:
            entries[name] = text
        elif isinstance(value, dict) and name.count(".") < METADATA_DEPTH:
            entries.update(lineage_metadata(value, name))
        else:
            entries[name] = f"sha256 {hashlib.sha256(text.encode()).hexdigest()}, in full in {PROVENANCE}"
    return entries


def _without_places(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_places(each) for key, each in value.items() if key not in PLACES}


def _with_bits(model: ct.models.MLModel, bits: int) -> ct.models.MLModel:
    if bits == 32:
        return model
    from coremltools.models.neural_network.quantization_utils import quantize_weights

    with contextlib.redirect_stdout(io.StringIO()):  # it prints every layer
        quantized = quantize_weights(model, nbits=bits)
    # It returns a model on macOS, and a bare specification elsewhere.
    spec = quantized.get_spec() if isinstance(quantized, ct.models.MLModel) else quantized
    return ct.models.MLModel(spec, skip_model_load=True)


def require_written(model: ct.models.MLModel, file: Path) -> None:
    """Raises ComponentError unless the file is, bit for bit, the model: some C++ streams ignore a full disk."""
    same = ct.utils.load_spec(str(file)) == model.get_spec()
    if model.weights_dir is not None:
        weights = Path(model.weights_dir).relative_to(model.package_path)
        same &= _digests(Path(model.weights_dir)) == _digests(file / weights)
    if not same:
        raise ComponentError(
            f"{file.name} was written, but reads back otherwise: is the disk full or failing? Push again."
        )


def _digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
