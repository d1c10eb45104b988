URL = "postgres://notes:Tr0ub4dor-and-3@db.notes.internal:5432/notes"
