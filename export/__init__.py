"""Turn a trained generator into one verified, self-describing ONNX file."""
