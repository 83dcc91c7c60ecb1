"""What a classifier that was trained on generated pictures names rightly of real ones.

The classification accuracy score of Ravuri and Vinyals 2019, https://arxiv.org/abs/1905.10887. They
train a ResNet-50 on as many generated pictures as there are real ones; here it is the small network
of ``trainer.classifier``, for a fixed number of steps, so that figures of this network, these steps
and these pictures alone can be compared.
"""

from __future__ import annotations

from edgegan.trainer.metrics import HIGHER, Column

COLUMN = Column("classification_accuracy", "real ones right after training on these", HIGHER, ".1%")
