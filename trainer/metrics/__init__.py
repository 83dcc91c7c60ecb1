"""Measures of generators, one file each: arrays of features, float (N, D), in, numbers out."""
