"""Regions of YAML: chat messages, and strings that read as prompts, as a loader resolves them."""

from __future__ import annotations

from transformers_ls.text.located import Node
from transformers_ls.text.regions.model import Region, in_document_order
from transformers_ls.text.regions.prompts import message_region, reads_as_prompt
from transformers_ls.text.yamltree import read_yaml

__all__ = ["find"]


def find(text: str) -> list[Region]:
    """Return the regions of a YAML text, of one document or several."""
    roots, _ = read_yaml(text)
    regions: list[Region] = []
    # Aliases share the values that they stand for; those count once, where they are written.
    seen: set[int] = set()
    pending: list[tuple[Node, str]] = [(root, "") for root in reversed(roots)]
    while pending:
        node, label = pending.pop()
        if id(node) in seen or text.startswith("*", node.start):
            continue
        seen.add(id(node))
        if isinstance(node.value, str):
            if reads_as_prompt(node.value, block=text[node.start : node.start + 1] in {"|", ">"}):
                regions.append(
                    Region("value", node.start, node.end, label, node.value, anchor=node.end)
                )
        elif (message := message_region(node)) is not None:
            regions.append(message)
        else:
            pending += [(item, label) for item in reversed(node.items)]
            pending += [(child, key) for key, child in reversed(node.fields.items())]
    return in_document_order(regions)
