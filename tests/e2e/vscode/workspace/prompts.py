"""Prompts of a small program."""

SYSTEM = "You are a careful translator. Keep names, numbers and the tone of the original text.\n"


def greet(name: str) -> str:
    return SYSTEM + name
