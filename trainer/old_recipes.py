"""Recipes as older versions wrote them, in today's words. Nothing here needs mxnet."""

from __future__ import annotations

from typing import Any

# What Adam's beta1 and beta2 were called, or stood for, in each optimizer; None where for nothing.
_OPTIMIZER_KEYS: dict[str, dict[str, str | None]] = {
    "adam": {"decay": "beta2"},
    "rmsprop": {"decay": "smoothing", "beta1": None},
    "sgd": {"decay": None, "beta1": "momentum"},
}


def modern(mapping: dict[str, Any]) -> dict[str, Any]:
    """A recipe's mapping with today's keys for old ones; what is no old recipe stays as it is."""
    result: dict[str, Any] = {"kind": _kind(mapping), **mapping}
    for key in ("generator", "discriminator"):
        network = result.get(key)
        if isinstance(network, dict) and isinstance(network.get("optimizer"), dict):
            result[key] = {**network, "optimizer": _optimizer(network["optimizer"])}
    objective = result.get("objective")
    if isinstance(objective, dict) and objective.get("name") == "wasserstein_gp":
        result["objective"] = {"name": "wasserstein", "clip": None}
        result["penalty"] = {"name": "gradient", "weight": objective.get("penalty", 10.0)}
    return result


def of_checkpoint(mapping: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint's recipe with what its run did before there were keys that say so.

    A checkpoint names every key that there was, so one that is missing is later than the run.
    """
    if not isinstance(mapping.get("discriminator"), dict):
        return mapping
    # Older runs trained on all pictures.
    result = {"held_out": 0, "validation": 0, **mapping}
    if mapping["discriminator"].get("network") == "minibatch":
        result["discriminator"] = {"weight_norm": False, **mapping["discriminator"]}
    return result


def _kind(mapping: dict[str, Any]) -> str:
    """By two keys, so that a GAN's recipe that lost one is still told as what it is."""
    return "gan" if {"discriminator", "objective"} & mapping.keys() else "student"


def _optimizer(old: dict[str, Any]) -> dict[str, Any]:
    renamed = _OPTIMIZER_KEYS.get(str(old.get("name")), {})
    result: dict[str, Any] = {}
    for key, value in old.items():
        if key == "drops":
            drops = {**(result.get("schedule") or {}), "name": "step"}
            result["schedule"] = {**drops, **value} if isinstance(value, dict) else value
        else:
            name = renamed.get(key, key)
            if name is not None:
                result[name] = value
    return result
