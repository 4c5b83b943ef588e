"""Change bytes as fuzzers do: small damage, pieces twice, pieces missing, words of the grammar in odd places."""

import random
from typing import Final

from tests.fuzz import target

LENGTH_MAX: Final = 40_000
_ODD: Final = (0, 1, 9, 10, 13, 32, 37, 45, 46, 47, 58, 64, 91, 92, 127, 128, 255)


def mutated(dice: random.Random, fuzzed: target.Target) -> bytes:
    """Make one input from the target's seeds and words."""
    data = bytearray(dice.choice(fuzzed.seeds))
    for _ in range(1 + int(dice.random() * dice.random() * 6)):
        _change(dice, data, fuzzed)
    return bytes(data[:LENGTH_MAX])


def _change(dice: random.Random, data: bytearray, fuzzed: target.Target) -> None:
    size = len(data)
    at = int(dice.random() * (size + 1))
    end = min(size, at + 1 + int(dice.random() ** 3 * 64))
    match int(dice.random() * 8):
        case 0 if at < size:
            data[at] ^= 1 << int(dice.random() * 8)
        case 1 if at < size:
            data[at] = dice.choice(_ODD)
        case 2:
            del data[at:end]
        case 3:
            data[at:at] = data[at:end]
        case 4:
            data[at:end] = dice.choice(fuzzed.words)
        case 5:
            other = dice.choice(fuzzed.seeds)
            data[at:] = other[int(dice.random() * len(other)) :]
        case 6 if dice.random() < 0.05:
            data[at:at] = bytes(data[at:end] or b"a") * (1 + int(dice.random() * 300))
        case _:
            data[at:at] = dice.choice(fuzzed.words)
