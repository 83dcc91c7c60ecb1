"""The edge: a generator's ONNX file and a seed in; images, grids and face counts out.

Needs numpy, onnxruntime, OpenCV, Pillow, platformdirs, simplejpeg and tqdm; nothing that trains.
"""
