from typing import Any

from .lr_scheduler import LRScheduler
from .ndarray import NDArray

class Optimizer:
    begin_num_update: int
    num_update: int
    learning_rate: float
    lr: float
    lr_scheduler: LRScheduler | None
    _index_update_count: dict[int, int]
    def __init__(
        self,
        *,
        learning_rate: float | None = None,
        wd: float = 0.0,
        rescale_grad: float = 1.0,
        clip_gradient: float | None = None,
        lr_scheduler: LRScheduler | None = None,
        begin_num_update: int = 0,
        **others: Any,
    ) -> None: ...
    def set_learning_rate(self, lr: float) -> None: ...
    def create_state(self, index: int, weight: NDArray) -> Any: ...
    def create_state_multi_precision(self, index: int, weight: NDArray) -> Any: ...
    def update(self, index: Any, weight: Any, grad: Any, state: Any) -> None: ...

class SGD(Optimizer):
    def __init__(
        self, momentum: float = 0.0, *, learning_rate: float = 0.01, **others: Any
    ) -> None: ...

class Adam(Optimizer):
    def __init__(
        self, learning_rate: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, **others: Any
    ) -> None: ...

class RMSProp(Optimizer):
    def __init__(
        self, learning_rate: float = 0.001, gamma1: float = 0.9, gamma2: float = 0.9, **others: Any
    ) -> None: ...

class Updater:
    optimizer: Optimizer
    states: dict[Any, Any]
    states_synced: dict[Any, bool]
    def __call__(self, index: Any, grad: Any, weight: Any) -> None: ...
    def get_states(self, dump_optimizer: bool = False) -> bytes: ...
    def set_states(self, states: bytes) -> None: ...

def get_updater(optimizer: Optimizer) -> Updater: ...
def __getattr__(name: str) -> Any: ...
