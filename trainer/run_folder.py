"""What lies in a run's folder, by name: for those who write it and those who only read it.

Nothing here needs mxnet.
"""

from __future__ import annotations

RECIPE = "recipe.yaml"  # as it was resolved
LAST = "last.npz"  # the checkpoint that the run goes on from
BEST = "best.npz"  # the one whose grids had the most faces
JUDGE = "judge.npz"  # whose discriminator was trained on its own in the end
EVALUATION = "evaluation.json"  # what edgegan evaluate measured
SKIPPED = "skipped.txt"  # the pictures that were left out, and why
GRIDS = "grids"  # a folder of pictures, each named after its step
EVENTS = "events"  # what the names of TensorBoard's event files begin with

# In the events:
SCALARS_EVERY = 10  # steps
FACES = "faces"  # the tag of the count of faces
FILTERS = "filters/"  # what the tags of filter banks begin with
