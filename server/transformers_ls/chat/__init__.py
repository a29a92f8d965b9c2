"""Chats: find them, find the model's template, render in a process that may be killed, inspect."""
