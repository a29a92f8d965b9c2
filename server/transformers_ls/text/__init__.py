"""Text: immutable snapshots of documents, positions in them, and the regions that models read."""
