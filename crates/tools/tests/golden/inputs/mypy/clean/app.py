def size(number: int) -> str:
    return str(number)
