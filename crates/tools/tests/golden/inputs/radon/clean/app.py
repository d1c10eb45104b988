def grade(a):
    return 1 if a else 0
