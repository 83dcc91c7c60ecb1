"""Train a GAN on a folder of pictures with MXNet."""
