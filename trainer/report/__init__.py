"""Set training runs side by side on one page: edgegan report."""
