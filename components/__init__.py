"""The components of the pipeline. They know neither each other, nor the orchestrator, nor the runner."""

import os

# TensorFlow reads this once, at its first import. On AMD CPUs it makes training 1.6 to 2.4 times as fast. It is "true",
# which means the same as "1", to tell it from what somebody has set.
ONEDNN, OURS = "TF_ENABLE_ONEDNN_OPTS", "true"
os.environ.setdefault(ONEDNN, OURS)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

NO_HOME = "/dev/null"  # nothing can be written below it
# Without HOME and an entry in the user table, as in some containers, a library that Keras imports would raise.
if os.path.expanduser("~") == "~":
    os.environ["HOME"] = NO_HOME


def leave_onednn_to_tensorflow() -> None:
    """Lets TensorFlow decide about oneDNN, as in any server, unless somebody has set it. Call it before the import.

    For processes that classify one image at a time: for that, oneDNN takes two to five times as long on processors
    without AVX-512, where TensorFlow by itself does without it.
    """
    if os.environ.get(ONEDNN) == OURS:
        del os.environ[ONEDNN]
