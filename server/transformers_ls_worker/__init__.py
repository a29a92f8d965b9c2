"""The process that holds the models: torch and transformers live here and nowhere else.

The front process starts it as `python -m transformers_ls_worker` and speaks the messages of
`wire` with it over the worker's standard input and output. Nothing else is shared.
"""
