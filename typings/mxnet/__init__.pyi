# What edgegan uses of mxnet 1.9.1, which has no types of its own, so that mypy tells an array from
# None and a network from a number. What is not listed is Any.
from typing import Any

from . import autograd as autograd
from . import context as context
from . import gluon as gluon
from . import initializer as init
from . import initializer as initializer
from . import lr_scheduler as lr_scheduler
from . import ndarray as nd
from . import ndarray as ndarray
from . import optimizer as optimizer
from . import recordio as recordio
from . import symbol as sym
from . import symbol as symbol
from .context import Context as Context
from .context import cpu as cpu
from .context import gpu as gpu

class MXNetError(RuntimeError): ...

def __getattr__(name: str) -> Any: ...
