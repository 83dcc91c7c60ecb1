from collections.abc import Iterator
from typing import Any

from . import HybridBlock, Parameter

_Size = int | tuple[int, int] | list[int]

class HybridSequential(HybridBlock):
    def add(self, *blocks: HybridBlock) -> None: ...
    def __getitem__(self, key: Any) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...

class _Weighted(HybridBlock):
    weight: Parameter
    bias: Parameter | None
    _kwargs: dict[str, Any]

class Dense(_Weighted):
    def __init__(
        self, units: int, activation: str | None = None, use_bias: bool = True, **options: Any
    ) -> None: ...

class _Conv(_Weighted):
    _channels: int
    _in_channels: int

class Conv2D(_Conv):
    def __init__(
        self,
        channels: int,
        kernel_size: _Size,
        strides: _Size = (1, 1),
        padding: _Size = (0, 0),
        **options: Any,
    ) -> None: ...

class Conv2DTranspose(_Conv):
    def __init__(
        self,
        channels: int,
        kernel_size: _Size,
        strides: _Size = (1, 1),
        padding: _Size = (0, 0),
        output_padding: _Size = (0, 0),
        **options: Any,
    ) -> None: ...

class _Norm(HybridBlock):
    gamma: Parameter
    beta: Parameter
    _kwargs: dict[str, Any]
    def __init__(self, axis: int = 1, **options: Any) -> None: ...

class BatchNorm(_Norm):
    running_mean: Parameter
    running_var: Parameter

class InstanceNorm(_Norm): ...

class _Pooling(HybridBlock):
    _kwargs: dict[str, Any]

class MaxPool2D(_Pooling):
    def __init__(self, pool_size: _Size = (2, 2), **options: Any) -> None: ...

class AvgPool2D(_Pooling):
    def __init__(self, pool_size: _Size = (2, 2), **options: Any) -> None: ...

class GlobalAvgPool2D(_Pooling):
    def __init__(self, **options: Any) -> None: ...

class Activation(HybridBlock):
    _act_type: str
    def __init__(self, activation: str, **options: Any) -> None: ...

class LeakyReLU(HybridBlock):
    _alpha: float
    def __init__(self, alpha: float, **options: Any) -> None: ...

class Dropout(HybridBlock):
    def __init__(self, rate: float, **options: Any) -> None: ...

class Flatten(HybridBlock):
    def __init__(self, **options: Any) -> None: ...

def __getattr__(name: str) -> Any: ...
