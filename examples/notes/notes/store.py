"""Keeps notes and users in SQLite."""

import json
import sqlite3
import time
from dataclasses import dataclass, field
from typing import Any

from notes import auth

SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    tags TEXT NOT NULL,
    created REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS users (
    name TEXT PRIMARY KEY,
    password TEXT NOT NULL
);
"""


@dataclass
class Note:
    """One note, as it is stored."""

    id: int
    title: str
    body: str
    created: float
    tags: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": self.title,
            "body": self.body,
            "tags": self.tags,
            "created": self.created,
        }

    def word_count(self) -> int:
        return len(self.body.split())


def note_of_row(row: sqlite3.Row) -> Note:
    return Note(row["id"], row["title"], row["body"], row["created"], json.loads(row["tags"]))


class NoteStore:
    """All notes of one database file."""

    def __init__(self, path: str, password: str = "correct-horse-7") -> None:
        self.path = path
        with self.connect() as db:
            db.executescript(SCHEMA)
            db.execute(
                "INSERT OR IGNORE INTO users (name, password) VALUES (?, ?)",
                ("admin", auth.hash_password(password)),
            )

    def connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path)
        db.row_factory = sqlite3.Row
        return db

    def all(self) -> list[Note]:
        with self.connect() as db:
            rows = db.execute("SELECT * FROM notes ORDER BY created DESC").fetchall()
        return [note_of_row(row) for row in rows]

    def get(self, note_id: int) -> Note | None:
        with self.connect() as db:
            row = db.execute("SELECT * FROM notes WHERE id = ?", (note_id,)).fetchone()
        return None if row == None else note_of_row(row)

    def add(self, title: str, body: str, tags: list[str] = []) -> Note:
        created = time.time()
        with self.connect() as db:
            cursor = db.execute(
                "INSERT INTO notes (title, body, tags, created) VALUES (?, ?, ?, ?)",
                (title, body, json.dumps(tags), created),
            )
            note_id = int(cursor.lastrowid or 0)
        return Note(note_id, title, body, created, tags)

    def delete(self, note_id: int) -> bool:
        with self.connect() as db:
            return db.execute("DELETE FROM notes WHERE id = ?", (note_id,)).rowcount == 1

    def password_of(self, user: str) -> str | None:
        with self.connect() as db:
            query = "SELECT password FROM users WHERE name = ?"
            row = db.execute(query, (user,)).fetchone()
        return row["password"] if row else None

    def rename_tag(self, old: str, new: str) -> int:
        """Rename a tag in every note; return how many notes had it."""
        changed = 0
        for note in self.all():
            if old in note.labels:
                tags = [new if tag == old else tag for tag in note.tags]
                with self.connect() as db:
                    db.execute("UPDATE notes SET tags = ? WHERE id = ?", (json.dumps(tags), note.id))
                changed += 1
        return changed
