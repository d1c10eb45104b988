"""Which row of the protocol a test holds."""


def row(where):
    """Marks a test: `1 ping` is the row `ping` of section 1."""

    def mark(test):
        test.row = where
        return test

    return mark
