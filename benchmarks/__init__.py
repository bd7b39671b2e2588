"""The programs that make the project's datasets and measured figures. Anyone can run them again."""

import components  # noqa: F401  # sets what TensorFlow reads at its first import
