"""Training the same GAN in PyTorch, as its DCGAN example does: nothing tuned.

Networks, losses, optimizers and the moving average are those of the recipe. How to compute them is
this module's own: number formats are asked for here, whatever the recipe says, and where the
example and our loop go about the same thing in different ways, this follows the example. The
generator's step uses the pictures that the discriminator has just seen, real and generated
pictures are propagated back one after the other, and in the generator's step gradients of the
discriminator's weights are computed too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from edgegan.runtime.errors import UserError

SLOPE = 0.2  # of the leaky ReLU
# The values of a recipe that the peer has another form of, or none of.
ONLY: dict[str, Any] = {
    "generator.network": "dcgan",
    "generator.kernel": 4,
    "generator.norm": "batch",
    "generator.activation": "relu",
    "generator.upsampling": "deconvolution",
    "generator.dropout": 0,
    "discriminator.network": "dcgan",
    "discriminator.kernel": 4,
    "discriminator.norm": "batch",
    "discriminator.normalise_first": False,
    "discriminator.activation": "leaky_relu",
    "discriminator.downsampling": "stride",
    "batches": "apart",
    "augmentation": [],
    "input_noise": None,
}


class PyTorchTraining:
    """Both networks, their optimizers and the generator's moving average, and one step of them.

    Args:
        recipe: a trainer's recipe as plain values.
        bfloat16: whether to compute forward and back in bfloat16, by torch.autocast; weights,
            their updates and the losses stay in float32.
        compiled: whether both networks go through torch.compile.
        channels_last: whether maps and weights lie with their channels side by side.

    Raises:
        UserError: the recipe asks for something that this training lacks.
    """

    def __init__(
        self,
        recipe: dict,
        bfloat16: bool = False,
        compiled: bool = False,
        channels_last: bool = False,
    ) -> None:
        for key, value in ONLY.items():
            part, _, name = key.rpartition(".")
            found = (recipe[part] if part else recipe)[name]
            if found != value:
                raise UserError(f"the PyTorch peer has no {key} {found!r}")
        torch.manual_seed(0)
        size = recipe["image_size"]
        self.recipe = recipe
        self.latent_size = recipe["latent"]["size"]
        self.generator = make_generator(self.latent_size, recipe["generator"]["width"], size)
        self.discriminator = make_discriminator(recipe["discriminator"]["width"], size)
        self.order = torch.channels_last if channels_last else torch.contiguous_format
        for network in (self.generator, self.discriminator):
            network.to(memory_format=self.order)
        self.average = copy.deepcopy(self.generator)
        if compiled:
            self.generator.compile(dynamic=False)
            self.discriminator.compile(dynamic=False)
        self.bfloat16 = bfloat16
        self.generator_optimizer = _optimizer(self.generator, recipe["generator"]["optimizer"])
        self.discriminator_optimizer = _optimizer(
            self.discriminator, recipe["discriminator"]["optimizer"]
        )
        if recipe.get("penalty"):
            raise UserError(f"the PyTorch peer has no penalty {recipe['penalty']['name']!r}")
        self.real_loss, self.generated_loss, self.generator_loss = _losses(recipe["objective"])
        self.clip = recipe["objective"].get("clip")
        self.step_count = 0

    def step(self, real_batches: Iterable[np.ndarray]) -> tuple[float, float]:
        """One generator step after its discriminator steps; returns both losses."""
        for _, batch in zip(range(self.recipe["discriminator_steps"]), real_batches):
            real = torch.from_numpy(batch).contiguous(memory_format=self.order)
            generated = self._forward(self.generator, torch.randn(len(real), self.latent_size))
            self.discriminator_optimizer.zero_grad()
            on_real = self.real_loss(self._forward(self.discriminator, real))
            on_real.backward()
            scores = self._forward(self.discriminator, generated.detach())
            on_generated = self.generated_loss(scores)
            on_generated.backward()
            self.discriminator_optimizer.step()
            if self.clip:
                with torch.no_grad():
                    for parameter in self.discriminator.parameters():
                        parameter.clamp_(-self.clip, self.clip)
        self.generator_optimizer.zero_grad()
        loss = self.generator_loss(self._forward(self.discriminator, generated))
        loss.backward()
        self.generator_optimizer.step()
        self.step_count += 1
        self._update_average()
        return on_real.item() + on_generated.item(), loss.item()

    def _forward(self, network: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bfloat16):
            return network(inputs).float()

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe["ema_decay"], (1 + self.step_count) / (10 + self.step_count))
        for mean, value in zip(
            self.average.state_dict().values(), self.generator.state_dict().values()
        ):
            if mean.is_floating_point():  # the rest is batch norm's count of batches
                mean.lerp_(value, 1 - decay)


def make_generator(latent_size: int, width: int, image_size: int) -> nn.Sequential:
    """Latents (N, latent_size) -> images (N, 3, S, S) in [-1, 1], S = image_size."""
    hidden = _channels(width, image_size)[::-1]
    layers: list[nn.Module] = [nn.Unflatten(1, (latent_size, 1, 1))]
    for depth, (inputs, outputs) in enumerate(zip([latent_size, *hidden], hidden)):
        stride, padding = (1, 0) if depth == 0 else (2, 1)
        layers += [
            nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
    layers += [nn.ConvTranspose2d(width, 3, 4, 2, 1), nn.Tanh()]
    return nn.Sequential(*layers).apply(_initialise)


def make_discriminator(width: int, image_size: int) -> nn.Sequential:
    """Images (N, 3, S, S) -> scores (N,), unbounded."""
    hidden = _channels(width, image_size)
    layers: list[nn.Module] = []
    for depth, (inputs, outputs) in enumerate(zip([3, *hidden], hidden)):
        layers.append(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=depth == 0))
        if depth:
            layers.append(nn.BatchNorm2d(outputs))
        layers.append(nn.LeakyReLU(SLOPE, inplace=True))
    layers += [nn.Conv2d(hidden[-1], 1, 4), nn.Flatten(0)]
    return nn.Sequential(*layers).apply(_initialise)


def _channels(width: int, image_size: int) -> list[int]:
    return [width << depth for depth in range(image_size.bit_length() - 3)]


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0, 0.02)


def _optimizer(network: nn.Module, recipe: dict) -> torch.optim.Optimizer:
    if recipe["name"] == "adam":
        betas = (recipe["beta1"], recipe["beta2"])
        return torch.optim.Adam(network.parameters(), recipe["learning_rate"], betas)
    if recipe["name"] == "rmsprop":
        return torch.optim.RMSprop(
            network.parameters(), recipe["learning_rate"], recipe["smoothing"]
        )
    raise UserError(f"the PyTorch peer has no optimizer {recipe['name']!r}")


Loss = Callable[[torch.Tensor], torch.Tensor]


def _losses(objective: dict) -> tuple[Loss, Loss, Loss]:
    """The discriminator's losses on real and generated scores, and the generator's."""
    name = objective["name"]
    cross_entropy = nn.BCEWithLogitsLoss()

    def is_real(scores: torch.Tensor) -> torch.Tensor:
        return cross_entropy(scores, torch.ones_like(scores))

    def is_generated(scores: torch.Tensor) -> torch.Tensor:
        return cross_entropy(scores, torch.zeros_like(scores))

    if name == "non_saturating":
        return is_real, is_generated, is_real
    if name == "minimax":
        return is_real, is_generated, lambda scores: -is_generated(scores)
    if name == "wasserstein":
        return lambda scores: -scores.mean(), torch.mean, lambda scores: -scores.mean()
    raise UserError(f"the PyTorch peer has no objective {name!r}")
