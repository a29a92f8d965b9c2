"""Tokens: exact counts of any text for any tokenizer, and the window they must fit in."""
