"""Layers that oneDNN computes in bfloat16, in mxnet's place, while a network is trained.

From the first of these layers to the last, maps stay in bfloat16 and a pixel's channels lie side by
side. Parameters and the statistics of batch norms are mxnet's, in float32, where they always are.
"""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Union

import numpy as np

from edgegan.trainer import onednn
from edgegan.trainer.framework import HybridBlock, NDArray, Parameter, autograd, mx, nn
from edgegan.trainer.layers import (
    Composite,
    Convolution,
    Mirrored,
    SpectralNorm,
    TransposedConvolution,
)
from edgegan.trainer.onednn import Descriptor, Memory, Primitive, Shape
from edgegan.trainer.tape import Tape

MOST_PATCHES = 4  # a side: for more of them, copying patches takes longer than it saves
Product = Union[onednn.Convolution, onednn.InnerProduct]
CONVOLUTIONS = (Convolution, TransposedConvolution)
GRADIENTS = {
    onednn.WEIGHTS: onednn.GRADIENT_OF_WEIGHTS,
    onednn.BIAS: onednn.GRADIENT_OF_BIAS,
    onednn.SCALE: onednn.GRADIENT_OF_SCALE,
    onednn.SHIFT: onednn.GRADIENT_OF_SHIFT,
}


def compute_by_onednn(network: HybridBlock) -> bool:
    """Let oneDNN compute a sequence of layers, if it can compute all that have weights.

    Layers without weights at either end, such as the last activation, stay mxnet's.

    Returns:
        Whether it can. If not, nothing has changed.
    """
    layers = list(network) if isinstance(network, nn.HybridSequential) else []
    with_weights = [number for number, layer in enumerate(layers) if [*layer.collect_params()]]
    if not with_weights:
        return False
    first, last = with_weights[0], with_weights[-1] + 1
    while last < len(layers) and _slope(layers[last]) is not None:
        last += 1
    if not _are_known(layers[first:last]):
        return False
    network._children.clear()
    network.add(*layers[:first], Segment(layers[first:last]), *layers[last:])
    return True


class Segment(Composite):
    """Layers that oneDNN computes in training, and mxnet in use.

    Maps (N, C, H, W) -> maps, float32 both. What is recorded goes on a ``Tape``.
    """

    def __init__(self, layers: Sequence[HybridBlock]) -> None:
        super().__init__(prefix="")
        self.core = nn.HybridSequential(prefix="")
        self.core.add(*layers)
        self._stages = _stages(layers)
        self._programs: dict[tuple[int, ...], _Program] = {}

    def forward(self, x: NDArray, *others: Any) -> NDArray:
        if not autograd.is_training():
            return self.core(x)
        if x.shape not in self._programs:
            self._programs[x.shape] = _Program(self._stages, x.shape)
        return self._programs[x.shape].forward(x)


def _are_known(layers: Sequence[HybridBlock]) -> bool:
    """Whether these are convolutions, batch norms, ReLUs and mirrors, with convolutions first."""
    return isinstance(layers[0], CONVOLUTIONS) and all(
        _is_plain_convolution(layer)
        or _is_plain_norm(layer)
        or isinstance(layer, Mirrored)
        or _slope(layer) is not None
        for layer in layers
    )


def _is_plain_convolution(layer: HybridBlock) -> bool:
    """Whether it is one of square kernels, in one group, and nothing besides."""
    if not isinstance(layer, CONVOLUTIONS) or isinstance(layer, SpectralNorm) or layer.act:
        return False
    options = layer._kwargs
    square = all(len(set(options[name])) == 1 for name in ("kernel", "stride", "pad"))
    return square and options["num_group"] == 1 and set(options["dilate"]) == {1}


def _is_plain_norm(layer: HybridBlock) -> bool:
    """Whether it is a batch norm of channels, by their batch, with a scale."""
    if not isinstance(layer, nn.BatchNorm):
        return False
    options = layer._kwargs
    return options["axis"] == 1 and not options["fix_gamma"] and not options["use_global_stats"]


def _slope(layer: HybridBlock) -> float | None:
    """Of a ReLU or a leaky one, below 0; None of other layers."""
    if isinstance(layer, nn.LeakyReLU):
        return float(layer._alpha)
    return 0.0 if isinstance(layer, nn.Activation) and layer._act_type == "relu" else None


def _stages(layers: Sequence[HybridBlock]) -> list[_Stage]:
    stages: list[_Stage] = []
    for layer in layers:
        slope = _slope(layer)
        if isinstance(layer, CONVOLUTIONS):
            stages.append(_ConvolutionStage(layer))
        elif isinstance(layer, Mirrored):
            stages.append(_MirrorStage())
        elif isinstance(layer, nn.BatchNorm):
            stages.append(_NormStage(layer))
        elif slope == 0 and isinstance(stages[-1], _NormStage):
            stages[-1].relu = True
        else:
            assert slope is not None
            stages.append(_ActivationStage(slope))
    return stages


class _Program:
    """A segment's work for batches of one shape."""

    def __init__(self, stages: Sequence[_Stage], shape: Shape) -> None:
        self.stages = stages
        self.shapes = [tuple(shape)]
        for stage in stages:
            self.shapes.append(stage.target(self.shapes[-1]))
        # At what goes into each stage, and at what comes out at last; of one backward pass a time.
        self.gradients = _memories(stages, self.shapes)
        self.free: list[_Pass] = []

    def forward(self, x: NDArray) -> NDArray:
        """What the segment makes of maps; what its backward pass needs goes on the tape."""
        current = self.free.pop() if self.free else _Pass(self)
        y = current.forward(x, Tape.current)
        if not autograd.is_recording():
            self.free.append(current)
            return y
        if Tape.current is None:
            raise RuntimeError("a segment was recorded without a tape")
        Tape.current.add(current, x, y)
        return y


def _memories(stages: Sequence[_Stage], shapes: Sequence[Shape]) -> list[Memory]:
    """For what goes into each stage, and for what comes out at last."""
    memories = [Memory(onednn.maps(shapes[0]))]
    for stage, shape in zip(stages, shapes[1:]):
        memories.append(memories[-1] if stage.in_place else Memory(onednn.maps(shape)))
    return memories


class _Pass:
    """One pass through a program, forward and back, as a tape records it."""

    def __init__(self, program: _Program) -> None:
        self._program = program
        memories = _memories(program.stages, program.shapes)
        maps = [_Maps(*each) for each in zip(program.shapes, memories, program.gradients)]
        self._parts = [
            stage.between(source, target)
            for stage, source, target in zip(program.stages, maps, maps[1:])
        ]
        first, last = maps[0], maps[-1]
        self._enter = _Border(first.shape, first.memory, inwards=True)
        self._leave = _Border(last.shape, last.memory, inwards=False)
        self._enter_back = _Border(last.shape, last.gradient, inwards=True)
        self._leave_back = _Border(first.shape, first.gradient, inwards=False)
        self._tape: Tape | None = None

    def forward(self, x: NDArray, tape: Tape | None) -> NDArray:
        """Maps of the segment's last layer, from those for its first, both float32 (N, C, H, W)."""
        self._tape = tape
        self._enter(x)
        for part in self._parts:
            part.forward(tape)
        y = mx.nd.empty(self._program.shapes[-1], ctx=x.context)
        self._leave(y)
        return y

    def backward(self, gradient: NDArray, wanted: bool) -> NDArray | None:
        learns = any(stage.learns for stage in self._program.stages)
        self._enter_back(gradient)
        for number, part in reversed(list(enumerate(self._parts))):
            part.backward(self._tape, wanted or number > 0, learns)
        self._program.free.append(self)
        if not wanted:
            return None
        found = mx.nd.empty(self._program.shapes[0], ctx=gradient.context)
        self._leave_back(found)
        return found

    def finish(self) -> None:
        for stage in self._program.stages:
            stage.finish()


class _Border:
    """Copies between mxnet's maps, float32 (N, C, H, W), and a segment's."""

    def __init__(self, shape: Shape, maps: Memory, *, inwards: bool) -> None:
        self._outside = Memory(Descriptor.of(shape, onednn.FLOAT32, onednn.NCHW), own=False)
        self._inwards = inwards
        ends = (self._outside, maps) if inwards else (maps, self._outside)
        self._copy = onednn.copying(*ends)

    def __call__(self, array: NDArray) -> None:
        self._outside.point_to(_readable(array) if self._inwards else _writable(array))
        self._copy()


class _Maps(NamedTuple):
    """Maps between two stages, and their gradient; both (N, C, H, W) in bfloat16."""

    shape: Shape
    memory: Memory
    gradient: Memory


class _Stage(ABC):
    """A layer."""

    in_place = False
    """Whether it writes over what it takes, which the stage before must not need any more."""

    def __init__(self) -> None:
        self.learned: dict[int, _Learned] = {}  # by what they are to the layer's primitives

    @property
    def learns(self) -> bool:
        """Whether it has parameters that are to learn now."""
        return any(each.parameter.grad_req != "null" for each in self.learned.values())

    def finish(self) -> None:
        """Hand over the gradients of its parameters."""
        for each in self.learned.values():
            each.finish()

    def target(self, source: Shape) -> tuple[int, ...]:
        """The shape of what it makes of maps of a shape."""
        return tuple(source)

    @abstractmethod
    def between(self, source: _Maps, target: _Maps) -> _StagePass:
        """Its pass from these maps to those, and back."""


class _StagePass(ABC):
    """A stage's work for certain maps."""

    @abstractmethod
    def forward(self, tape: Tape | None) -> None:
        """Compute the target."""

    @abstractmethod
    def backward(self, tape: Tape | None, wanted: bool, learns: bool) -> None:
        """Compute the source's gradient, where wanted, and those of parameters that learn."""


class _ActivationStage(_Stage):
    """Leaky ReLU, or ReLU, which has a slope of 0."""

    in_place = True

    def __init__(self, slope: float) -> None:
        super().__init__()
        self._slope = slope

    def between(self, source: _Maps, target: _Maps) -> _StagePass:
        return _ActivationPass(onednn.LeakyRelu(source.shape, self._slope), source, target)


class _ActivationPass(_StagePass):
    def __init__(self, relu: onednn.LeakyRelu, source: _Maps, target: _Maps) -> None:
        self._forward = relu.forward.on(
            {onednn.SOURCE: source.memory, onednn.TARGET: target.memory}
        )
        gradients = {
            onednn.GRADIENT_OF_SOURCE: source.gradient,
            onednn.GRADIENT_OF_TARGET: target.gradient,
        }
        self._backward = relu.backward.on({onednn.TARGET: target.memory, **gradients})

    def forward(self, tape: Tape | None) -> None:
        self._forward()

    def backward(self, tape: Tape | None, wanted: bool, learns: bool) -> None:
        self._backward()


class _MirrorStage(_Stage):
    """``layers.Mirrored``."""

    def target(self, source: Shape) -> tuple[int, ...]:
        count, channels, *sides = source
        return (count, 2 * channels, *sides)

    def between(self, source: _Maps, target: _Maps) -> _StagePass:
        return _MirrorPass(source, target)


class _MirrorPass(_StagePass):
    def __init__(self, source: _Maps, target: _Maps) -> None:
        halves = [Memory(source.gradient.descriptor) for _ in range(2)]
        self._add = onednn.adding(halves, source.gradient)
        self._source = _pixels(source.shape, source.memory)
        self._halves = [_pixels(source.shape, half) for half in halves]
        both, gradients = (
            _pixels(target.shape, memory) for memory in (target.memory, target.gradient)
        )
        channels = source.shape[1]
        self._plain, self._reversed = both[..., :channels], both[:, :, ::-1, channels:]
        self._gradients = gradients[..., :channels], gradients[:, :, ::-1, channels:]

    def forward(self, tape: Tape | None) -> None:
        self._plain[:] = self._source
        self._reversed[:] = self._source

    def backward(self, tape: Tape | None, wanted: bool, learns: bool) -> None:
        for half, gradient in zip(self._halves, self._gradients):
            half[:] = gradient
        self._add()


class _NormStage(_Stage):
    """A batch norm, with ReLU after it where ``relu`` is set."""

    def __init__(self, layer: nn.BatchNorm) -> None:
        super().__init__()
        self.layer = layer
        self.relu = False
        self.learned = {
            onednn.SCALE: _Learned(layer.gamma),
            onednn.SHIFT: _Learned(layer.beta),
        }

    def between(self, source: _Maps, target: _Maps) -> _StagePass:
        return _NormPass(self, source, target)


class _NormPass(_StagePass):
    def __init__(self, stage: _NormStage, source: _Maps, target: _Maps) -> None:
        options = stage.layer._kwargs
        norm = onednn.BatchNorm(source.shape, options["eps"], relu=stage.relu)
        self._keep = options["momentum"]
        self._running = stage.layer.running_mean, stage.layer.running_var
        size = onednn.vector(source.shape[1])
        self._statistics = Memory(size), Memory(size)
        kept = dict(zip((onednn.MEAN, onednn.VARIANCE), self._statistics))
        if stage.relu:
            kept[onednn.WORKSPACE] = Memory(norm.forward.descriptor(onednn.WORKSPACE))
        given = {kind: each.packed(size, size) for kind, each in stage.learned.items()}
        found = {kind: each.gradient(size, size) for kind, each in stage.learned.items()}
        kept[onednn.SOURCE] = source.memory
        self._forward = _Computation(norm.forward, {**kept, onednn.TARGET: target.memory}, given)
        gradients = {
            onednn.GRADIENT_OF_SOURCE: source.gradient,
            onednn.GRADIENT_OF_TARGET: target.gradient,
        }
        scale = {onednn.SCALE: given[onednn.SCALE].memory}
        self._backward = _Learning(norm.backward, {**kept, **scale, **gradients}, found)

    def forward(self, tape: Tape | None) -> None:
        self._forward(tape)

    def backward(self, tape: Tape | None, wanted: bool, learns: bool) -> None:
        self._backward(learns)
        # Here, as mxnet does it on a CPU: what never goes backward leaves the statistics alone.
        for running, found in zip(self._running, self._statistics):
            numbers = _writable(running.data())
            numbers *= self._keep
            numbers += (1 - self._keep) * found.float32


class _ConvolutionStage(_Stage):
    """A convolution, or a transposed one: by products of patches where maps are small.

    Of both it is the smaller maps that have a pixel for each patch of the larger ones.
    """

    def __init__(self, layer: HybridBlock) -> None:
        super().__init__()
        self.transposed = isinstance(layer, TransposedConvolution)
        self.outputs = layer._channels
        self.kernel, self.stride, self.padding = (
            layer._kwargs[name][0] for name in ("kernel", "stride", "pad")
        )
        self._further = layer._kwargs["adj"][0] if self.transposed else 0  # rows of the larger maps
        self.learned = {onednn.WEIGHTS: _Learned(layer.weight)}
        if layer.bias is not None:
            self.learned[onednn.BIAS] = _Learned(layer.bias)

    def target(self, source: Shape) -> tuple[int, ...]:
        count, _, *sides = source
        if self.transposed:
            more = self.kernel - 2 * self.padding + self._further
            sides = [(side - 1) * self.stride + more for side in sides]
        else:
            more = 2 * self.padding - self.kernel
            sides = [(side + more) // self.stride + 1 for side in sides]
        return (count, self.outputs, *sides)

    def between(self, source: _Maps, target: _Maps) -> _StagePass:
        large, small = (target, source) if self.transposed else (source, target)
        has_bias = onednn.BIAS in self.learned
        by_patches = (
            small.shape[2] <= MOST_PATCHES and self.kernel % self.stride == 0 == self._further
        )
        if by_patches and not (has_bias and self.transposed):
            patches = _Patches(large.shape, small.shape, self)
            kind = _TransposedPatchPass if self.transposed else _PatchPass
            return kind(self, patches, source, target)
        convolution = onednn.Convolution(
            source.shape,
            target.shape,
            self.kernel,
            self.stride,
            (self.padding, self.padding - self._further),
            transposed=self.transposed,
            bias=has_bias,
        )
        return _ConvolutionPass(self, convolution, source, target)

    def for_forward(self, product: Product) -> dict[int, _Packed]:
        """The parameters as the forward primitive wants them."""
        order = product.forward.descriptor(onednn.WEIGHTS)
        return {
            kind: each.packed(*self._orders(kind, product, order))
            for kind, each in self.learned.items()
        }

    def for_source(self, product: Product) -> dict[int, _Packed]:
        """Those that the gradient at the source takes."""
        order = product.to_source.descriptor(onednn.WEIGHTS)
        return {onednn.WEIGHTS: self.learned[onednn.WEIGHTS].packed(product.weights, order)}

    def gradients(self, product: Product) -> dict[int, _Gradient]:
        """Those of the parameters."""
        order = product.to_weights.descriptor(onednn.GRADIENT_OF_WEIGHTS)
        return {
            kind: each.gradient(*self._orders(kind, product, order))
            for kind, each in self.learned.items()
        }

    def _orders(
        self, kind: int, product: Product, weights: Descriptor
    ) -> tuple[Descriptor, Descriptor]:
        """The order of a parameter's numbers that mxnet has, and the one that is wanted."""
        size = onednn.vector(self.outputs)
        return (product.weights, weights) if kind == onednn.WEIGHTS else (size, size)


class _WeightedPass(_StagePass):
    """A stage's work with weights; whoever makes one sets how both gradients are computed."""

    _to_weights: _Learning
    _to_source: _Computation

    def backward(self, tape: Tape | None, wanted: bool, learns: bool) -> None:
        if learns:
            self._to_weights(learns)
        if wanted:
            self._to_source(tape)


class _ConvolutionPass(_WeightedPass):
    def __init__(
        self,
        stage: _ConvolutionStage,
        convolution: onednn.Convolution,
        source: _Maps,
        target: _Maps,
    ) -> None:
        self._forward = _Computation(
            convolution.forward,
            {onednn.SOURCE: source.memory, onednn.TARGET: target.memory},
            stage.for_forward(convolution),
        )
        after = {onednn.GRADIENT_OF_TARGET: target.gradient}
        self._to_source = _Computation(
            convolution.to_source,
            {**after, onednn.GRADIENT_OF_SOURCE: source.gradient},
            stage.for_source(convolution),
        )
        self._to_weights = _Learning(
            convolution.to_weights,
            {**after, onednn.SOURCE: source.memory},
            stage.gradients(convolution),
        )

    def forward(self, tape: Tape | None) -> None:
        self._forward(tape)


class _PatchPass(_WeightedPass):
    """A convolution: the source's patches times the weights."""

    def __init__(
        self, stage: _ConvolutionStage, patches: _Patches, source: _Maps, target: _Maps
    ) -> None:
        product, cut, pasted = patches.product, patches.cut, patches.pasted
        self._forward = _Computation(
            product.forward,
            {onednn.SOURCE: cut, onednn.TARGET: patches.as_products(target.memory)},
            stage.for_forward(product),
        )
        after = {onednn.GRADIENT_OF_TARGET: patches.as_products(target.gradient)}
        self._to_source = _Computation(
            product.to_source,
            {**after, onednn.GRADIENT_OF_SOURCE: pasted},
            stage.for_source(product),
        )
        self._to_weights = _Learning(
            product.to_weights, {**after, onednn.SOURCE: cut}, stage.gradients(product)
        )
        self._cut = patches.cutting(source.memory)
        self._paste = patches.pasting(source.gradient)

    def forward(self, tape: Tape | None) -> None:
        self._cut()
        self._forward(tape)

    def backward(self, tape: Tape | None, wanted: bool, learns: bool) -> None:
        super().backward(tape, wanted, learns)
        if wanted:
            self._paste()


class _TransposedPatchPass(_WeightedPass):
    """A transposed convolution: what a convolution's gradient does, and the other way round."""

    def __init__(
        self, stage: _ConvolutionStage, patches: _Patches, source: _Maps, target: _Maps
    ) -> None:
        product = patches.product
        before = {onednn.GRADIENT_OF_TARGET: patches.as_products(source.memory)}
        self._forward = _Computation(
            product.to_source,
            {**before, onednn.GRADIENT_OF_SOURCE: patches.pasted},
            stage.for_source(product),
        )
        after = {onednn.SOURCE: patches.cut}
        self._to_source = _Computation(
            product.forward,
            {**after, onednn.TARGET: patches.as_products(source.gradient)},
            stage.for_forward(product),
        )
        self._to_weights = _Learning(
            product.to_weights, {**before, **after}, stage.gradients(product)
        )
        self._paste = patches.pasting(target.memory)
        self._cut = patches.cutting(target.gradient)

    def forward(self, tape: Tape | None) -> None:
        self._forward(tape)
        self._paste()

    def backward(self, tape: Tape | None, wanted: bool, learns: bool) -> None:
        self._cut()
        super().backward(tape, wanted, learns)


class _Patches:
    """What of maps lies under a convolution's kernel, for each place of it, (P, C, K, K).

    ``cut`` is what is cut out of maps, ``pasted`` what is added up to maps, and ``product``
    multiplies with the weights.
    """

    def __init__(self, large: Shape, small: Shape, stage: _ConvolutionStage) -> None:
        count, channels, *sides = large
        kernel, padding = stage.kernel, stage.padding
        self._places, self._padding = tuple(small[2:]), padding
        self._shape, self._kernel, self._stride = tuple(large), kernel, stage.stride
        shape = (count * small[2] * small[3], channels, kernel, kernel)
        self.cut, self.pasted = (Memory(onednn.maps(shape)) for _ in range(2))
        self.product = onednn.InnerProduct(shape, small[1], bias=onednn.BIAS in stage.learned)
        self._products = Descriptor.of((shape[0], small[1]), onednn.BFLOAT16, onednn.MATRIX)
        self._padded = (count, channels, *(side + 2 * padding for side in sides))

    def as_products(self, maps: Memory) -> Memory:
        """The smaller maps, (N, O, H, W), as rows (P, O) of products, in the same place."""
        products = Memory(self._products, own=False)
        products.point_to(maps.bytes)
        return products

    def cutting(self, maps: Memory) -> Callable[[], None]:
        """What sets ``cut`` to the patches of the larger maps."""
        padded = np.zeros(_in_memory(self._padded), np.uint16)
        inside, pixels = self._inside(padded), _pixels(self._shape, maps)
        under, patches = self._under(padded, self._kernel), self._by_place(self.cut)

        def cut() -> None:
            inside[:] = pixels
            patches[:] = under

        return cut

    def pasting(self, maps: Memory) -> Callable[[], None]:
        """What sets the larger maps to the sum of ``pasted``, each patch where it was cut out.

        A part of a kernel as large as the stride overlaps with none of its like, and the only patch
        of maps with none: these are put side by side, and their layers are added.
        """
        size = self._kernel if self._places == (1, 1) else self._stride
        patches = self._by_place(self.pasted)
        layers, moves = [], []
        for down in range(0, self._kernel, size):
            for right in range(0, self._kernel, size):
                layers.append(Memory(onednn.maps(self._padded)))
                shifted = _pixels(self._padded, layers[-1])[:, down:, right:]
                places = self._under(shifted, size)
                part = patches[:, :, :, down : down + size, right : right + size]
                moves.append((places, part))
        total = Memory(layers[0].descriptor)
        add = onednn.adding(layers, total)
        inside, pixels = self._inside(_pixels(self._padded, total)), _pixels(self._shape, maps)

        def paste() -> None:
            for places, part in moves:
                places[:] = part
            add()
            pixels[:] = inside

        return paste

    def _inside(self, padded: np.ndarray) -> np.ndarray:
        """Padded maps without their padding."""
        _, _, height, width = self._shape
        first = self._padding
        return padded[:, first : first + height, first : first + width]

    def _under(self, padded: np.ndarray, size: int) -> np.ndarray:
        """Padded maps (N, H, W, C) as their patches (N, places, places, size, size, C): a view."""
        count, _, _, channels = padded.shape
        image, row, pixel, channel = padded.strides
        return np.lib.stride_tricks.as_strided(
            padded,
            (count, *self._places, size, size, channels),
            (image, self._stride * row, self._stride * pixel, row, pixel, channel),
        )

    def _by_place(self, patches: Memory) -> np.ndarray:
        count, channels, *_ = self._shape
        kernel = (self._kernel,) * 2
        numbers = patches.bytes.view(np.uint16)
        return numbers.reshape(count, *self._places, *kernel, channels)


class _Computation:
    """A primitive on maps and parameters: a call computes it."""

    def __init__(
        self, primitive: Primitive, maps: Mapping[int, Memory], parameters: Mapping[int, _Packed]
    ) -> None:
        self._parameters = list(parameters.values())
        memories = {kind: each.memory for kind, each in parameters.items()}
        self._compute = primitive.on({**maps, **memories})

    def __call__(self, tape: Tape | None) -> None:
        for each in self._parameters:
            each.refresh(tape)
        self._compute()


class _Learning:
    """A primitive on maps that finds gradients of parameters: a call adds them up."""

    def __init__(
        self, primitive: Primitive, maps: Mapping[int, Memory], gradients: Mapping[int, _Gradient]
    ) -> None:
        self._gradients = list(gradients.values())
        kinds = [GRADIENTS[kind] for kind in gradients]
        self._first, self._further = (
            primitive.on({**maps, **dict(zip(kinds, memories))})
            for memories in zip(*((each.total, each.latest) for each in gradients.values()))
        )

    def __call__(self, learns: bool) -> None:
        """Compute it, also for what else it finds, where no parameter is to learn."""
        further = not learns or any(each.started for each in self._gradients)
        (self._further if further else self._first)()
        if learns:
            for each in self._gradients:
                each.count(further)


class _Learned:
    """A parameter, in the orders of numbers that primitives want, and its gradient in such."""

    def __init__(self, parameter: Parameter) -> None:
        self.parameter = parameter
        self._packed: list[_Packed] = []
        self._gradients: list[_Gradient] = []

    def packed(self, given: Descriptor, wanted: Descriptor) -> _Packed:
        """It, in an order that is wanted, from the one that mxnet has."""
        for each in self._packed:
            if each.memory.descriptor == wanted:
                return each
        self._packed.append(_Packed(self.parameter, given, wanted))
        return self._packed[-1]

    def gradient(self, given: Descriptor, wanted: Descriptor) -> _Gradient:
        """Its gradient, in an order that is wanted."""
        for each in self._gradients:
            if each.total.descriptor == wanted:
                return each
        self._gradients.append(_Gradient(given, wanted))
        return self._gradients[-1]

    def finish(self) -> None:
        """Give the parameter the gradient of all that went backward, if anything did."""
        started = [each for each in self._gradients if each.started]
        if not started or self.parameter.grad_req == "null":
            return
        numbers = _writable(self.parameter.grad())
        first, *others = started
        first.give(numbers)
        for other in others:  # of batches of another size, which want another order
            more = np.empty_like(numbers)
            other.give(more)
            numbers += more


class _Packed:
    """A parameter in an order, in bfloat16 or float32."""

    def __init__(self, parameter: Parameter, given: Descriptor, wanted: Descriptor) -> None:
        self.memory = Memory(wanted)
        self._parameter = parameter
        self._source = Memory(given, own=False)
        self._copy = onednn.copying(self._source, self.memory)
        self._update: object | None = None

    def refresh(self, tape: Tape | None) -> None:
        """Take the parameter's numbers, once for a tape: nothing it records learns meanwhile."""
        if tape is not None and tape.update is self._update:
            return
        self._source.point_to(_readable(self._parameter.data()))
        self._copy()
        self._update = tape.update if tape is not None else None


class _Gradient:
    """The gradient of a parameter in an order, float32, summed over the passes of an update."""

    def __init__(self, given: Descriptor, wanted: Descriptor) -> None:
        self.total, self.latest = Memory(wanted), Memory(wanted)
        self.started = False
        self._target = Memory(given, own=False)
        self._copy = onednn.copying(self.total, self._target)

    def count(self, latest: bool) -> None:
        """Count what was computed: as the latest one, or as the total itself."""
        if latest and self.started:
            self.total.float32[:] += self.latest.float32
        elif latest:
            self.total.float32[:] = self.latest.float32
        self.started = True

    def give(self, numbers: np.ndarray) -> None:
        """Write it to an array of the parameter's order, and begin anew."""
        self._target.point_to(numbers)
        self._copy()
        self.started = False


def _in_memory(shape: Shape) -> tuple[int, ...]:
    """The order of the axes of maps (N, C, H, W), as they lie in memory."""
    count, channels, height, width = shape
    return count, height, width, channels


def _pixels(shape: Shape, memory: Memory) -> np.ndarray:
    """Maps (N, C, H, W) as they lie in memory: bits (N, H, W, C), which numpy can move only."""
    return memory.bytes.view(np.uint16).reshape(_in_memory(shape))


def _readable(array: NDArray) -> np.ndarray:
    """mxnet's numbers, after all that writes them."""
    array.wait_to_read()
    return _numbers(array)


def _writable(array: Any) -> np.ndarray:
    """mxnet's numbers, after all that reads them too."""
    mx.base.check_call(mx.base._LIB.MXNDArrayWaitToWrite(array.handle))
    return _numbers(array)


def _numbers(array: Any) -> np.ndarray:
    pointer = ctypes.c_void_p()
    mx.base.check_call(mx.base._LIB.MXNDArrayGetData(array.handle, ctypes.byref(pointer)))
    return np.ctypeslib.as_array(ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float)), array.shape)
