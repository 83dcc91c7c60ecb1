"""Graph rewrites, one file each: ``rewrite`` takes a model and gives an equivalent one.

What it is told by ``note``, where it has that, is what stays as it was, and why.
"""
