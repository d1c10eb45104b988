"""The notes package: storage, search, export, sign-in and link previews."""
