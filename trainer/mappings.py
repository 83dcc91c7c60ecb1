"""Nested mappings of plain values, such as a recipe's. Nothing here needs mxnet."""

from __future__ import annotations

from typing import Any


def flat(mapping: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of a nested mapping by dotted key."""
    found: dict[str, Any] = {}
    for key, value in mapping.items():
        if isinstance(value, dict):
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value
    return found


def merged(parent: dict[str, Any], child: dict[str, Any]) -> dict[str, Any]:
    """The parent's mapping with what the child changes, mappings in it likewise.

    An optimizer, an objective or the like of another ``name`` takes the place of the parent's: the
    keys of one mean nothing in the other. So does another ``network``, which keeps its optimizer.
    """
    result = {**parent, **child}
    for key, value in child.items():
        before = parent.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            result[key] = merged(_of_same_kind(before, value), value)
    return result


def _of_same_kind(before: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """What stays of a part where ``value`` changes it."""
    if value.get("name", before.get("name")) != before.get("name"):
        return {}
    if value.get("network", before.get("network")) != before.get("network"):
        return {key: before[key] for key in ("optimizer",) if key in before}
    return before
