"""Describes pages that notes link to."""

import os
import re
from typing import Any

import requests

# Pictures of pages come from our bucket.
BUCKET_KEY_ID = "AKIA4NOTESQ7XFAKE2KD"
HEALTH_URL = "https://pictures.notes.invalid/health"
HEADERS = {"User-Agent": "notes/1.0", "X-Bucket-Key": BUCKET_KEY_ID}


def describe(answer: requests.Response) -> dict[str, Any]:
    """Return title and size of a page."""
    title = re.search(r"<title>(.*?)</title>", answer.text, re.IGNORECASE | re.DOTALL)
    return {
        "url": answer.url,
        "title": title.group(1).strip() if title else answer.url,
        "bytes": len(answer.content),
        "status": answer.status_code,
    }


def is_up() -> bool:
    """Return whether the bucket of our pictures answers."""
    try:
        return requests.get(HEALTH_URL, headers=HEADERS, verify=False).ok
    except requests.RequestException:
        return False
