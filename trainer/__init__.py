"""Train a GAN on a folder of pictures with MXNet."""

from trainer import device

device.prepare()  # mxnet reads its thread count and finds CUDA when it is imported, so before that
