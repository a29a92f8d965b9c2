"""Regions of Jupyter notebooks as files: the text of each cell, and the messages in it."""

from __future__ import annotations

from collections.abc import Iterator

from transformers_ls.text.notebook import Cell, read_cells
from transformers_ls.text.regions.model import Region, in_document_order

__all__ = ["find"]


def find(text: str) -> list[Region]:
    """Return the cells of a notebook's JSON, each with its lines joined."""
    regions: list[Region] = []
    for cell in read_cells(text):
        if not cell.source:
            continue
        label = f"{cell.kind} {cell.number}"
        anchor = cell.places.end(len(cell.source)) + 1
        regions.append(
            Region("cell", cell.start, cell.end, label, cell.source, anchor=min(anchor, cell.end))
        )
        regions += _messages(cell)
    return in_document_order(regions)


def _messages(cell: Cell) -> Iterator[Region]:
    if cell.language != "python" or not ("role" in cell.source or "from" in cell.source):
        return
    from transformers_ls.text.regions import python

    places = cell.places
    for region in python.find(cell.source):
        if region.kind == "message":
            yield Region(
                region.kind,
                places.start(region.start),
                places.end(region.end),
                region.label,
                region.body,
                region.exact,
                anchor=places.end(region.anchor),
            )
