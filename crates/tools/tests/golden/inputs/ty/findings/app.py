def size(number: int) -> str:
    return number


size("a", 2)
x: int = "text"  # type: ignore
