"""Chat templates as a language: what is written in one, and what could be.

Templates are parsed here and never compiled: jinja computes constant expressions when it compiles,
so that `9 ** 9 ** 9` in a file that is only being read would hang the editor's server.
"""
