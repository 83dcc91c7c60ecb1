"""Turn a trained generator into one verified, self-describing ONNX file."""

import trainer  # noqa: F401 (makes mxnet ready before it is imported, or says that it is missing)
