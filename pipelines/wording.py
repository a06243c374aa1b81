"""How amounts are written for people."""


def dollars(cents: float) -> str:
    """Write cents as whole dollars.

    >>> dollars(123456), dollars(-1999)
    ('$1,235', '-$20')
    """
    return f"{'-' if cents < 0 else ''}${abs(cents) / 100:,.0f}"
