"""The name that the command of ``trainer.train_colour_classifier`` had before."""

if __name__ == "__main__":  # what looks for metrics imports this, too, and needs none of that
    from edgegan.runtime.errors import run_command
    from edgegan.trainer.train_colour_classifier import main

    run_command(main)
