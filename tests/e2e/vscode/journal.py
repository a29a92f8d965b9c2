"""Reads the extension's log: what the server's engine did, and when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from vscode_server import Profile

_LINE = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) \[\w+\] (.*)$")


@dataclass(frozen=True)
class Entry:
    time: datetime
    text: str

    @property
    def pid(self) -> int:
        found = re.search(r"pid (\d+)", self.text)
        assert found, self.text
        return int(found[1])


class Journal:
    """The log from the moment on that this object was made."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._seen = len(self._all())

    def entries(self) -> list[Entry]:
        return self._all()[self._seen :]

    def find(self, pattern: str) -> list[Entry]:
        return [entry for entry in self.entries() if re.search(pattern, entry.text)]

    def last(self, pattern: str) -> Entry | None:
        return next(reversed(self.find(pattern)), None)

    def _all(self) -> list[Entry]:
        entries = []
        for path in self._profile.logs():
            if "Transformers Language Server" in path.name:
                for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                    if found := _LINE.match(line):
                        moment = datetime.fromisoformat(found[1])
                        entries.append(Entry(moment, found[2]))
        return entries
