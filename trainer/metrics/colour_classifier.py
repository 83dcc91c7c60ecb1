"""The name that the command of ``trainer.train_colour_classifier`` had before."""

from __future__ import annotations

from edgegan.runtime.errors import run_command
from edgegan.trainer.train_colour_classifier import main

if __name__ == "__main__":
    run_command(main)
