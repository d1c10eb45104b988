def search(rows):
    for row in rows:
        for cell in row:
            if cell:
                if cell > 1:
                    while cell:
                        if cell == 2:
                            return cell
                        cell -= 1
    return 0
