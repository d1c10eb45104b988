def search(rows):
    return 1 if rows else 0
