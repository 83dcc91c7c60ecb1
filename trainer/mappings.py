"""Nested mappings of plain values, such as a recipe's. Nothing here needs mxnet."""

from __future__ import annotations

from typing import Any

import yaml

# Of a YAML file, which may be somebody else's; a recipe has a twentieth of it.
MOST_CHARACTERS = 100_000
MOST_VALUES = 10_000
MOST_VALUE_CHARACTERS = 4_096  # a path's; Python writes no number of more digits


def parse_yaml(text: str | bytes) -> Any:
    """The plain values that a YAML text holds.

    Raises:
        ValueError: it is no YAML, too long or nested too deeply, or its aliases, which stand for
            what was written before, would make more than MOST_VALUES values of it.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"{len(text):,} characters, expected at most {MOST_CHARACTERS:,}")
    try:
        loader = yaml.SafeLoader(text)
        document = loader.get_single_node()
        if document is None:
            return None
        _check_size(document)
        return loader.construct_document(document)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except Exception as error:  # PyYAML raises many kinds where a tag does not fit its value
        raise ValueError(" ".join(str(error).split())[:300]) from error


def _check_size(document: yaml.Node) -> None:
    """Raise ValueError where a document stands for too many values, each alias counted again."""
    left, count = [document], 1
    while left:
        node = left.pop()
        if isinstance(node, yaml.SequenceNode):
            inner = node.value
        elif isinstance(node, yaml.MappingNode):
            inner = [part for pair in node.value for part in pair]
        elif len(node.value) > MOST_VALUE_CHARACTERS:
            raise ValueError(f"a value has more than {MOST_VALUE_CHARACTERS:,} characters")
        else:
            continue
        left += inner
        count += len(inner)
        if count > MOST_VALUES:
            raise ValueError(f"it stands for more than {MOST_VALUES:,} keys and values")


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
