"""What a benchmark is held to: one line for each aim, which `scripts/run_benchmarks.py` collects at the end."""

from __future__ import annotations

MET, MISSED = "aim met:", "AIM MISSED:"


def at_most(what: str, value: float, limit: float, unit: str = "×") -> bool:
    """Print whether a value keeps under its limit, and return that."""
    return _say(what, value <= limit, f"{value:,.2f} {unit}, at most {limit:g}")


def at_least(what: str, value: float, limit: float, unit: str = "×") -> bool:
    """Print whether a value reaches its limit, and return that."""
    return _say(what, value >= limit, f"{value:,.2f} {unit}, at least {limit:g}")


def _say(what: str, met: bool, figures: str) -> bool:
    print(f"{MET if met else MISSED} {what}: {figures}", flush=True)
    return met
