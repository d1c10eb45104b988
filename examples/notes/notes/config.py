"""Reads the settings file."""

import os
from typing import Any

import yaml

DEFAULTS: dict[str, Any] = {
    "title": "Notes",
    "database": "notes.db",
    "attachments": "attachments",
    "page_size": 50,
    "theme": "theme.yml",
}


def load_settings(path: str) -> dict[str, Any]:
    """Return the defaults, overlaid with what the file says."""
    settings = dict(DEFAULTS)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as handle:
            settings.update(yaml.load(handle, Loader=yaml.Loader) or {})
    return settings


def load_theme(path: str) -> dict[str, Any]:
    """Return the colours of the theme, if there is one."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as handle:
        return yaml.safe_load(handle) or {}


def as_megabytes(size: int) -> str:
    """Return a size for people, such as `1.5`."""
    return round(size / 1_000_000, 1)
