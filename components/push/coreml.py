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
from components.push import PushConfig, Variant
from components.registry.layout import PROVENANCE

# Tensors with fewer weights stay float16: they are a small part of the file, and compression harms the first and
# last layers most. With int8, so do the smallest ones that together hold about this fraction of the weights: of
# EfficientNet-Lite0 those are the first blocks, the smaller depthwise filters and the head.
COMPRESSED_WEIGHTS = 512
FLOAT16_FRACTION = 0.05
# For tensors with fewer weights, coremltools needs scikit-learn's k-means; from here on it uses its own.
PALETTIZED_WEIGHTS = 10_000

VARIANTS = tuple(variant for variant in get_args(Variant) if not variant.startswith("litert"))

METADATA_CHARACTERS = 1000
METADATA_DEPTH = 4
# Keys that tell where the pipeline keeps its files. They are left out of files that go into apps.
PLACES = frozenset({"folder", "places"})


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

    def __init__(self, source: Source, config: PushConfig) -> None:
        self._source, self._config = source, config
        self._float16: ct.models.MLModel | None = None
        self._neuralnetwork: ct.models.MLModel | None = None

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

    def _converted(self, variant: Variant) -> ct.models.MLModel:
        if variant in ("neuralnetwork", "neuralnetwork_float16"):
            bits = 16 if variant == "neuralnetwork_float16" else 32
            if self._neuralnetwork is None:
                self._neuralnetwork = self._convert(convert_to="neuralnetwork")
            return _with_bits(self._neuralnetwork, bits)
        if variant == "float32":
            return self._ml_program(ct.precision.FLOAT32)
        if self._float16 is None:
            self._float16 = self._ml_program(ct.precision.FLOAT16)
        return self._float16 if variant == "float16" else _compressed(self._float16, variant, self._config.sparsity)

    def _ml_program(self, precision: ct.precision) -> ct.models.MLModel:
        target = ct.target[self._config.deployment_target]
        return self._convert(
            convert_to="mlprogram", compute_precision=precision, minimum_deployment_target=target, skip_model_load=True
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


def _compressed(model: ct.models.MLModel, variant: Variant, sparsity: float) -> ct.models.MLModel:
    cto = ct.optimize.coreml
    if variant == "int8":
        quantizer = cto.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=_int8_threshold(model))
        return cto.linear_quantize_weights(model, cto.OptimizationConfig(quantizer))
    if variant == "pruned":
        pruner = cto.OpMagnitudePrunerConfig(target_sparsity=sparsity, weight_threshold=COMPRESSED_WEIGHTS)
        return cto.prune_weights(model, cto.OptimizationConfig(pruner))
    bits = int(variant.removeprefix("palettized"))
    palettizer = cto.OpPalettizerConfig(mode="kmeans", nbits=bits, weight_threshold=PALETTIZED_WEIGHTS)
    return cto.palettize_weights(model, cto.OptimizationConfig(palettizer))


def _int8_threshold(model: ct.models.MLModel) -> int:
    """Returns the number of weights above which a tensor is quantized to int8."""
    tensors = ct.optimize.coreml.get_weights_metadata(model, weight_threshold=COMPRESSED_WEIGHTS).values()
    sizes = np.sort([tensor.val.size for tensor in tensors])
    small = sizes[sizes.cumsum() <= FLOAT16_FRACTION * sizes.sum()]
    return max([COMPRESSED_WEIGHTS, *small.tolist()])


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
