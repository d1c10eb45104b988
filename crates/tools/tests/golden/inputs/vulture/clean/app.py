def double(number):
    return number * 2


print(double(2))
