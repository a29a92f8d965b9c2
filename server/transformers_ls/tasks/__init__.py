"""Tasks on a text: what they ask a model, where their result goes, and how they run."""
