"""Checks, before training starts, that Core ML accepts a network and that its conversion can be verified."""

from __future__ import annotations

import contextlib
import errno
import functools
import gc
import logging
import tempfile
from collections.abc import Iterator
from typing import Any

from components.component import ComponentError

# The operations of Core ML's intermediate language that push can execute, and so verify, on any machine.
VERIFIABLE_OPERATIONS = frozenset(
    {
        "add",
        "avg_pool",
        "batch_norm",
        "cast",
        "concat",
        "const",
        "conv",
        "expand_dims",
        "gelu",
        "linear",
        "matmul",
        "max_pool",
        "mul",
        "pad",
        "real_div",
        "reduce_max",
        "reduce_mean",
        "relu",
        "relu6",
        "reshape",
        "reverse",
        "sigmoid",
        "silu",
        "softmax",
        "squeeze",
        "sub",
        "tanh",
        "threshold",
        "transpose",
    }
)


def refuse_unconvertible(concrete_function: Any, height: int, width: int) -> None:
    """Converts a network, trained or not, and raises ComponentError if Core ML does not accept it. Takes some 2 to 5 s.

    Args:
        concrete_function: image float32 (n or 1, height, width, 3), 0-255, named `image` -> {"probabilities":
            float32 (n or 1, classes)}: a `tf.function`'s concrete function. Its variables must be kept alive.
        height: of the image, in pixels.
        width: of the image, in pixels.
    """
    program = convert(concrete_function, height, width, convert_to="milinternal")
    found = {operation.op_type for operation in program.functions["main"].operations}
    if unverifiable := sorted(found - VERIFIABLE_OPERATIONS):
        raise ComponentError(
            f"The network converts to Core ML operations that nothing here can verify: {', '.join(unverifiable)}. "
            f"Use layers that give only: {', '.join(sorted(VERIFIABLE_OPERATIONS))}."
        )


def convert(concrete_function: Any, height: int, width: int, **options: Any) -> Any:
    """Returns what `coremltools.convert` makes of the function, quietly. The only input is an RGB image called `image`.

    Raises:
        ComponentError: coremltools cannot convert it, or it does not have exactly one output.
        OSError: there is no room for its temporary files.
    """
    outputs = concrete_function.structured_outputs
    if list(outputs) != ["probabilities"]:
        raise ComponentError(
            f"The signature `pixels` gives {', '.join(outputs) or 'nothing'}; a classifier for Core ML gives one "
            "tensor, `probabilities`."
        )
    try:
        with quiet_coremltools() as coremltools:
            image = coremltools.ImageType(
                name="image", shape=(1, height, width, 3), color_layout=coremltools.colorlayout.RGB
            )
            return coremltools.convert([concrete_function], source="tensorflow", inputs=[image], **options)
    except OSError:
        raise
    # The converter raises whatever its many passes raise: ValueError, NotImplementedError, KeyError, RuntimeError.
    except Exception as error:
        raise ComponentError(
            f"Core ML cannot take this network: coremltools said `{_first_line(error)}`. Change the layer that it "
            "names (exact GELU, for one: use the tanh approximation)."
        ) from error


@contextlib.contextmanager
def quiet_coremltools() -> Iterator[Any]:
    """Yields coremltools without its warnings (that this is no Mac) and its progress bars (which have no switch).

    Raises OSError if coremltools cannot write its temporary files; coremltools itself raises RuntimeError then.
    """
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    import coremltools
    from tqdm import tqdm

    shown = tqdm.__init__
    tqdm.__init__ = functools.partialmethod(shown, disable=True)
    gc.freeze()  # coremltools collects garbage itself, several times: not among all that TensorFlow holds
    try:
        yield coremltools
    except RuntimeError as error:
        if "FileWriter" in str(error):
            raise OSError(errno.EIO, "coremltools cannot write its files", tempfile.gettempdir()) from error
        raise
    finally:
        gc.unfreeze()
        tqdm.__init__ = shown


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]
