"""Fetches pages that notes link to."""

import os
import re
from typing import Any

import requests

# Pictures of pages come from our bucket.
BUCKET_KEY_ID = "AKIA4NOTESQ7XFAKE2KD"
HEADERS = {"User-Agent": "notes/1.0", "X-Bucket-Key": BUCKET_KEY_ID}


def fetch(url: str) -> dict[str, Any]:
    """Return title and size of a page."""
    answer = requests.get(url, headers=HEADERS, verify=False)
    title = re.search(r"<title>(.*?)</title>", answer.text, re.IGNORECASE | re.DOTALL)
    return {
        "url": url,
        "title": title.group(1).strip() if title else url,
        "bytes": len(answer.content),
        "status": answer.status_code,
    }


def is_up() -> bool:
    """Return whether the bucket of our pictures answers."""
    try:
        return requests.get("https://pictures.notes.invalid/health", timeout=5).ok
    except requests.RequestException:
        return False
