"""The script that a PyTorch user would write for 25 faces: WEIGHTS ROWS OUTPUT.

WEIGHTS is the generator's state dict. ROWS are latents, each after its words as one-hot vectors
where the generator takes any. They come from a file where that user's would come from torch.randn,
so that the picture can be compared with ours.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn


def make_generator(row_size: int, hidden: list[int]) -> nn.Sequential:
    """The generator of the DCGAN; ``hidden`` are the channels of its hidden layers."""
    layers: list[nn.Module] = [nn.Unflatten(1, (row_size, 1, 1))]
    for depth, (inputs, outputs) in enumerate(zip([row_size, *hidden], hidden)):
        stride, padding = (1, 0) if depth == 0 else (2, 1)
        layers += [
            nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
    layers += [nn.ConvTranspose2d(hidden[-1], 3, 4, 2, 1), nn.Tanh()]
    return nn.Sequential(*layers)


def save_imgs(images: np.ndarray, path: str) -> None:
    """Draw (25, H, W, 3) in [0, 1] as the graders do."""
    fig, axs = plt.subplots(5, 5)
    for index, image in enumerate(images):
        axs[index // 5, index % 5].imshow(image)
        axs[index // 5, index % 5].axis("off")
    fig.savefig(path)


def main(weights_path: str, rows_path: str, output: str) -> None:
    """Load, generate, draw."""
    weights = torch.load(weights_path)
    kernels = [value for value in weights.values() if value.ndim == 4]
    generator = make_generator(len(kernels[0]), [kernel.shape[1] for kernel in kernels[:-1]])
    generator.load_state_dict(weights)
    generator.eval()
    with torch.no_grad():
        images = generator(torch.from_numpy(np.load(rows_path))).numpy()
    save_imgs(images.transpose(0, 2, 3, 1) / 2 + 0.5, output)


if __name__ == "__main__":
    main(*sys.argv[1:])
