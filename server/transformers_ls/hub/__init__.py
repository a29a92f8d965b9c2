"""Models on this machine: the embedded ones, what a name resolves to, and facts about a folder."""
