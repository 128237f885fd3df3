"""Bytes as text: valid UTF-8 that a short loop of Python reads back as one large integer.

Digits are bijective: 1 and up, so every number has one form. In base 126 they are the characters
1 to 127 without the carriage return, which Python would read as a line feed. In base 139 a digit
above 126 makes one character of two bytes with the digit after it: 7.12 bits in a byte.
"""

__all__ = ["LOOPS", "as_text", "number"]

# what follows the literal: the loop reads `c` into `x`
LOOPS = {
    126: ('for c in rb"""', '""":x=x*126+c-(c>13)'),
    139: ('for c in map(ord,r"""', '"""):x=[x*139+c-(c>13),x*19321+c+17526][c>127]'),
}
WIDE = 127 * 139 + 1 - 128  # from a character of two bytes to the value of its two digits


def digits(number: int, base: int) -> list[int]:
    """The bijective digits, the first one foremost."""
    count, ones = 0, 0  # the least number of as many digits: all of them 1
    while ones * base + 1 <= number:
        count, ones = count + 1, ones * base + 1
    return [digit + 1 for digit in plain_digits(number - ones, base, count)]


def plain_digits(number: int, base: int, count: int) -> list[int]:
    """The usual digits, so many of them; halves, as dividing a long number is slow."""
    if count < 2:
        return [number] * count
    high, low = divmod(number, base ** (count // 2))
    return plain_digits(high, base, count - count // 2) + plain_digits(low, base, count // 2)


def as_text(number: int, base: int) -> str | None:
    """The body of a raw literal in triple quotes; None where this number has no such form."""
    found = iter(digits(number, base))
    text = ""
    for digit in found:
        if digit < 127:
            text += chr(digit + (digit > 12))
        elif (second := next(found, None)) is not None:
            text += chr(digit * 139 + second - WIDE)
        else:
            return None
    return None if '"""' in text or text.endswith(('"', "\\")) else text


def number(text: str, base: int) -> int:
    """What the loop makes of a literal's body."""
    found: list[int] = []
    for char in text:
        code = ord(char)
        found += [code - (code > 13)] if code < 128 else divmod(code + WIDE, base)
    value = 0
    for digit in found:
        value = value * base + digit
    return value
