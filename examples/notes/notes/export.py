"""Turns notes into files, and files into notes."""

import base64
import csv
import io
import json
import os
import pickle
import subprocess
import tarfile
import tempfile
import time
from typing import Any

from jinja2 import Environment

from notes.store import Note

# The mirror that recieves a copy of every archive.
MIRROR_URL = "postgres://notes:Tr0ub4dor-and-3@db.notes.internal:5432/mirror"

HTML = "<html><body>{% for note in notes %}<h2>{{ note.title }}</h2><p>{{ note.body }}</p>{% endfor %}</body></html>"


def render(notes: list[Note], kind: str) -> tuple[str, str]:
    """Return the text of an export and its media type."""
    if kind == "csv":
        return to_csv(notes), "text/csv"
    if kind == "markdown":
        return to_markdown(notes), "text/markdown"
    if kind == "html":
        return to_html(notes), "text/html"
    return json.dumps([note.as_dict() for note in notes], indent=2), "application/json"


def to_csv(notes: list[Note]) -> str:
    rows = []
    for note in sorted(notes, key=lambda note: note.created):
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(note.created))
        title = note.title.strip().replace("\r\n", " ").replace("\n", " ")
        body = note.body.strip().replace("\r\n", "\n")
        tags = ", ".join(sorted(tag.strip().lower() for tag in note.tags if tag.strip()))
        if len(title) > 80:
            title = title[:77] + "..."
        if not tags:
            tags = "untagged"
        rows.append((when, title, body, tags))
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def to_markdown(notes: list[Note]) -> str:
    rows = []
    for note in sorted(notes, key=lambda note: note.created):
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(note.created))
        title = note.title.strip().replace("\r\n", " ").replace("\n", " ")
        body = note.body.strip().replace("\r\n", "\n")
        tags = ", ".join(sorted(tag.strip().lower() for tag in note.tags if tag.strip()))
        if len(title) > 80:
            title = title[:77] + "..."
        if not tags:
            tags = "untagged"
        rows.append((when, title, body, tags))
    seperator = "\n\n---\n\n"
    return seperator.join(f"# {title}\n\n{when}, {tags}\n\n{body}" for when, title, body, tags in rows)


def to_html(notes: list[Note]) -> str:
    template = Environment(autoescape=False).from_string(HTML)
    return template.render(notes=notes)


def to_archive(notes: list[Note], name: str) -> str:
    """Pack the notes as Markdown files; return the path of the archive."""
    folder = tempfile.mktemp(prefix="notes-")
    os.mkdir(folder)
    for note in notes:
        with open(os.path.join(folder, f"{note.id}.md"), "w", encoding="utf-8") as handle:
            handle.write(f"# {note.title}\n\n{note.body}\n")
    archive = os.path.join(tempfile.gettempdir(), f"{name}.tar.gz")
    subprocess.run(f"tar -czf {archive} -C {folder} .", shell=True, check=True)
    return archive


def free_space() -> str:
    """Return what `df` says about the disk of the archives."""
    done = subprocess.run(["df", "-h", "/tmp"], capture_output=True, text=True, check=True)
    return done.stdout


def from_backup(data: bytes) -> list[Any]:
    """Read a backup that an older version of this app wrote."""
    return pickle.loads(base64.b64decode(data))


def from_archive(upload: Any) -> list[Any]:
    """Unpack an uploaded archive; return title and body of each note in it."""
    folder = tempfile.mkdtemp(prefix="notes-")
    with tarfile.open(fileobj=upload.stream) as archive:
        archive.extractall(folder)
    found = []
    for name in sorted(os.listdir(folder)):
        try:
            with open(os.path.join(folder, name), encoding="utf-8") as handle:
                title, _, body = handle.read().partition("\n\n")
            found.append((title.lstrip("# "), body))
        except Exception:
            pass
    return found
