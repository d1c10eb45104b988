"""Tests of the parts that need no server."""

import os
import tempfile
import unittest

from notes import auth, export, search
from notes.store import NoteStore


class NotesTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store = NoteStore(os.path.join(self.folder.name, "notes.db"))
        self.store.add("Groceries", "milk\nbread", ["home"])
        self.store.add("Review", "read the long draft", ["work"])

    def tearDown(self) -> None:
        self.folder.cleanup()

    def test_a_note_is_found_by_word_and_by_tag(self) -> None:
        self.assertEqual([note.title for note in search.find(self.store, "milk")], ["Groceries"])
        self.assertEqual([note.title for note in search.find(self.store, "tag:work")], ["Review"])
        self.assertEqual(search.find(self.store, "read -draft tag:work"), [])

    def test_a_deleted_note_is_gone(self) -> None:
        note = self.store.all()[0]
        self.assertTrue(self.store.delete(note.id))
        self.assertIsNone(self.store.get(note.id))

    def test_exports_hold_every_note(self) -> None:
        for kind in ["json", "csv", "markdown", "html"]:
            text, _ = export.render(self.store.all(), kind)
            self.assertIn("Groceries", text)
            self.assertIn("Review", text)

    def test_an_archive_is_written(self) -> None:
        path = export.to_archive(self.store.all(), "notes-test")
        self.assertGreater(os.path.getsize(path), 0)
        os.remove(path)

    def test_a_token_names_its_user(self) -> None:
        self.assertEqual(auth.user_of_token(auth.issue_token("admin")), "admin")
        self.assertIsNone(auth.user_of_token("nonsense"))

    def test_hits_are_marked(self) -> None:
        self.assertEqual(search.highlight("a milk, b", "milk"), "a *milk*, b")


if __name__ == "__main__":
    unittest.main()
