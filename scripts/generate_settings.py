"""Writes the settings of `transformers_ls/settings.py` into package.json and the README.

Usage: generate_settings.py [--check]

With --check nothing is written; the exit code is 1 when something is out of date.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from transformers_ls.settings import SettingInfo, describe_settings

ROOT = Path(__file__).resolve().parent.parent
_BEGIN, _END = "<!-- settings: begin (generated) -->", "<!-- settings: end -->"


def manifest(text: str) -> str:
    """Return package.json with its configuration block made anew."""
    package = json.loads(text)
    infos = list(describe_settings())
    package["contributes"]["configuration"] = {
        "title": "Transformers",
        "properties": {info.key: _schema(info) for info in infos},
    }
    trust = package["capabilities"]["untrustedWorkspaces"]
    trust["restrictedConfigurations"] = [info.key for info in infos if info.restricted]
    return json.dumps(package, indent=2, ensure_ascii=False) + "\n"


def readme(text: str) -> str:
    """Return the README with its settings table made anew."""
    rows = ["| setting | default | what it does |", "| :-- | :-- | :-- |"]
    for info in describe_settings():
        default = json.dumps(_json(info), ensure_ascii=False)
        doc = re.sub(r"`#([\w.]+)#`", r"`\1`", info.doc).replace("|", "\\|")
        rows.append(f"| `{info.key}` | `{default}` | {doc} |")
    block = "\n".join([_BEGIN, *rows, _END])
    pattern = re.compile(f"{re.escape(_BEGIN)}.*?{re.escape(_END)}", re.DOTALL)
    if not pattern.search(text):
        sys.exit(f"README.md has no `{_BEGIN}` … `{_END}`")
    return pattern.sub(lambda _: block, text)


def _schema(info: SettingInfo) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if info.type == tuple[tuple[str, int], ...]:
        schema |= {"type": "object", "additionalProperties": {"type": "integer"}}
    elif get_origin(info.type) is tuple:
        schema |= {"type": "array", "items": {"type": "string"}}
    elif get_origin(info.type) is Literal:
        schema |= {"type": "string", "enum": list(get_args(info.type))}
    else:
        names = {bool: "boolean", int: "integer", float: "number", str: "string"}
        schema["type"] = names[info.type]
    schema["default"] = _json(info)
    if info.minimum is not None and schema["type"] == "object":
        schema["additionalProperties"]["minimum"] = info.minimum
    elif info.minimum is not None:
        schema["minimum"] = info.minimum
    return schema | {"markdownDescription": info.doc, "scope": info.scope}


def _json(info: SettingInfo) -> Any:
    if info.type == tuple[tuple[str, int], ...]:
        return dict(info.default)
    return list(info.default) if isinstance(info.default, tuple) else info.default


def main() -> int:
    """Write both files, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name, make in (("package.json", manifest), ("README.md", readme)):
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        if (wanted := make(text)) != text:
            stale.append(name)
            if not check:
                path.write_text(wanted, encoding="utf-8")
    if check and stale:
        print(f"Out of date: {', '.join(stale)}. Run `make generate`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
