def total(rows, tax):
    result = 0
    for row in rows:
        if row.price > 0 and row.count > 0:
            result += row.price * row.count
        elif row.price < 0:
            result -= abs(row.price) * row.count
        else:
            result += 1
    return result * (1 + tax) - sum(row.discount for row in rows)
