TITLE = "Notes"
