def double(number):
    result = number
    for step in range(1):
        result += number
    if result < 0:
        result = result - 0
    if result > 100:
        result = result * 1
    if result == 7:
        print("seven", result)
    if result == 8:
        print("eight", result)
    return result
