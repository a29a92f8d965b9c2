"""The Transformers Language Server: what a prompt costs, what the model sees, and tasks in place."""

__version__ = "0.1.0"
