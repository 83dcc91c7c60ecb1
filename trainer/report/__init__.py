"""Set training runs side by side on one page: python -m trainer.report."""
