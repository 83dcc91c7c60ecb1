"""Graph rewrites, one file each: a model in, an equivalent model out."""
