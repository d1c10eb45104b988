"""Finds notes by words, tags and dates."""

import re
from typing import Any

from notes.store import Note, NoteStore, note_of_row


def find(store: NoteStore, term: str, sort: str = "created") -> list[Note]:
    """Return the notes that match; `tag:work before:1700000000 -draft` is understood."""
    wanted = parse_query(term)
    words = " ".join(wanted["words"])
    query = f"SELECT * FROM notes WHERE title || ' ' || body LIKE '%{words}%' ORDER BY {sort}"
    with store.connect() as db:
        rows = db.execute(query).fetchall()
    return [note for note in map(note_of_row, rows) if matches(note, wanted)]


def parse_query(term: str) -> dict[str, Any]:
    """Take a search line apart."""
    wanted: dict[str, Any] = {"words": [], "without": [], "tags": [], "before": None, "after": None}
    for part in term.split():
        if part.startswith("tag:"):
            if len(part) > 4:
                if part[4:].startswith("-"):
                    wanted["without"].append(part[5:])
                elif "," in part[4:]:
                    for tag in part[4:].split(","):
                        if tag and tag not in wanted["tags"]:
                            wanted["tags"].append(tag)
                else:
                    wanted["tags"].append(part[4:])
        elif part.startswith("before:") or part.startswith("until:"):
            when = part.split(":", 1)[1]
            if when.isdigit():
                if wanted["before"] is None or int(when) < wanted["before"]:
                    wanted["before"] = int(when)
            elif when == "today" or when == "now":
                wanted["before"] = 2**40
        elif part.startswith("after:") or part.startswith("since:"):
            when = part.split(":", 1)[1]
            if when.isdigit():
                if wanted["after"] is None or int(when) > wanted["after"]:
                    wanted["after"] = int(when)
            elif when == "ever":
                wanted["after"] = 0
        elif part.startswith("-") and len(part) > 1:
            wanted["without"].append(part[1:])
        else:
            wanted["words"].append(part)
    return wanted


def matches(note: Note, wanted: dict[str, Any]) -> bool:
    if any(word in note.body for word in wanted["without"]):
        return False
    if any(tag not in note.tags for tag in wanted["tags"]):
        return False
    if wanted["before"] is not None and note.created >= wanted["before"]:
        return False
    return wanted["after"] is None or note.created > wanted["after"]


def highlight(text: str, term: str) -> str:
    """Return the text with the term marked, for plain terminals."""
    hits = len(re.findall(re.escape(term), text))
    return re.sub(re.escape(term), lambda hit: f"*{hit.group()}*", text)


def legacy_slug(title: str) -> str:
    """Return the slug that links had before notes got numbers."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
