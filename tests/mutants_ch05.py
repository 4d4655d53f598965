"""Wrong answers to the exercises of chapter 05, each with part of the lesson that its checker must give."""

import numpy as np

from ropebook import frequencies, rotate, rotate_half_split


def eq_34(x, positions, theta, quarter="neighbours", spread="repeat", sign=1, dtype=np.float64, in_place=False, axis=-1):
    """The right answer to exercise 5.3, with its mistakes as options."""
    angles = (np.asarray(positions, dtype)[:, None] * np.asarray(theta, dtype)).astype(np.float64)  # (T, D/2)
    angles = np.repeat(angles, 2, axis=-1) if spread == "repeat" else np.tile(angles, 2)  # (T, D)
    if quarter == "neighbours":
        turned = np.stack([-x[:, 1::2], x[:, 0::2]], axis=-1).reshape(x.shape)
    else:
        turned = np.concatenate([-x[:, x.shape[1] // 2:], x[:, : x.shape[1] // 2]], axis=-1)
    if in_place:
        x *= np.cos(angles)
        x += sign * turned * np.sin(angles)
        return x
    return x * np.cos(angles) + sign * turned * np.sin(angles)


def in_bfloat16(values):
    """float64 values cut to the 8 significant bits of bfloat16."""
    bits = np.asarray(values, np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    return bits.view(np.float32).astype(np.float64)


def bfloat16_positions(x, positions, theta):
    return rotate(x, in_bfloat16(positions), theta)


def bfloat16_angles(x, positions, theta):
    angles = in_bfloat16(np.outer(positions, theta))
    return (x.view(complex) * np.exp(1j * angles)).view(float)


def packed(q, k, lengths, theta, positions=None, turn_q=1, turn_k=1, scale=True, outside=-np.inf, causal=False):
    """The right answer to exercise 5.4, with its mistakes as options."""
    document = np.repeat(np.arange(len(lengths)), lengths)
    positions = np.arange(len(q)) if positions is None else positions(lengths)
    scores = rotate(q, turn_q * positions, theta) @ rotate(k, turn_k * positions, theta).T
    if scale:
        scores = scores / np.sqrt(q.shape[1])
    together = document[:, None] == document
    if causal:
        together &= np.tri(len(q), dtype=bool)
    return np.where(together, scores, outside)


def document_number(lengths):
    return np.repeat(np.arange(len(lengths)), lengths)


def two_by_two(lengths):
    return 2 * np.arange(sum(lengths))


def last_token_stays(lengths):
    """Positions of each document with its last two tokens at the same place."""
    return np.concatenate([np.minimum(np.arange(length), max(length - 2, 0)) for length in lengths])


def one_sided_mask(q, k, lengths, theta):
    return np.where(np.arange(len(q)) < lengths[0], packed(q, k, lengths, theta, outside=0.0), -np.inf)


MUTANTS = [
    ("5.1", lambda d, base: base ** (-np.arange(d // 2) / d), "the exponent is −2i/d"),
    ("5.1", lambda d, base: frequencies(d), "Is `base` used?"),
    ("5.1", lambda d, base: base ** (2 * np.arange(d // 2) / d), "minus sign"),
    ("5.1", lambda d, base: base ** (-2 * np.arange(1, d // 2 + 1) / d), "starts at 1"),
    ("5.1", lambda d, base: base ** (-2 * np.arange(d) / d), "shape (4,)"),
    ("5.1", lambda d, base: np.repeat(frequencies(d, base), 2), "2 pairs"),
    ("5.1", lambda d, base: 2 * np.pi / frequencies(d, base), "tokens per turn"),
    ("5.1", lambda d, base: frequencies(d, base)[::-1], "wrong order"),
    ("5.1", lambda d, base: frequencies(d, base).astype(np.float16), "smaller float type"),
    ("5.1", lambda d, base: frequencies(d, base).astype(np.float32), "smaller float type"),
    ("5.1", lambda d, base: base ** (-2 * np.arange(d // 2) / (d - 2)), "expected [1, 0.01], got [1, 0.0001]"),
    ("5.1", lambda d, base: np.rad2deg(frequencies(d, base)), "expected [1, 0.01]"),
    ("5.2", lambda length, d: length ** (d / (d - 2)), "2π, not 1"),
    ("5.2", lambda length, d: length / (2 * np.pi), "i = d/2 − 1"),
    ("5.2", lambda length, d: (length / (2 * np.pi)) ** ((d - 2) / d), "has to be undone"),
    ("5.2", lambda length, d: (length / np.pi) ** (d / (d - 2)), "0.5 turns, not 1"),
    ("5.2", lambda length, d: (length / (2 * np.pi)) ** (d / 2), "turns, not 1"),
    ("5.2", lambda length, d: 10000.0, "length = 512, head_dim = 64"),
    ("5.2", lambda length, d: -length, "A base is positive"),
    ("5.2", lambda length, d: 1 / length, "turns, not 1"),
    ("5.2", lambda length, d: frequencies(d), "shape (4,)"),
    ("5.3", lambda x, at, th: eq_34(x, at, th, sign=-1), "the other way"),
    ("5.3", rotate_half_split, "In this book's default layout neighbours pair up"),
    ("5.3", lambda x, at, th: eq_34(x, at, th, spread="tile"), "np.repeat or np.tile"),
    ("5.3", lambda x, at, th: eq_34(x, at, th, quarter="halves"), "the entries that you swap are (i, i + d/2)"),
    ("5.3", lambda x, at, th: eq_34(x, np.arange(len(x)), th), "You turn row t by t"),
    ("5.3", lambda x, at, th: eq_34(x, at[:1], th), "every row by one position"),
    ("5.3", lambda x, at, th: eq_34(x, at + 1, th), "one token too far"),
    ("5.3", lambda x, at, th: eq_34(x, at, th, dtype=np.float16), "smaller float type"),
    ("5.3", lambda x, at, th: eq_34(x, at, th, dtype=np.float32), "smaller float type"),
    ("5.3", bfloat16_positions, "smaller float type"),
    ("5.3", bfloat16_angles, "smaller float type"),
    ("5.3", lambda x, at, th: eq_34(x, at, th, in_place=True), "changes the x it was given"),
    ("5.3", lambda x, at, th: eq_34(x, at, th)[None], "shape (1, 5, 8)"),
    ("5.3", lambda x, at, th: eq_34(x, at, np.sqrt(th)), "In the row at position 3, entry 2"),
    ("5.3", lambda x, at, th: x + eq_34(np.ones_like(x), at, th), "In the row at position 3"),
    ("5.3", lambda x, at, th: x.view(complex) * np.exp(1j * np.outer(at, th)), "got complex ones"),
    ("5.3", lambda x, at, th: eq_34(x, np.pi / 2 - at, th), "In the row at position"),
    ("5.3", lambda x, at, th: x * np.sin(np.repeat(np.outer(at, th), 2, axis=-1))
     + np.stack([-x[:, 1::2], x[:, 0::2]], axis=-1).reshape(x.shape) * np.cos(np.repeat(np.outer(at, th), 2, axis=-1)), "changed places"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, th, turn_k=0), "Only one of query and key"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, th, turn_q=0), "Only one of query and key"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, th, turn_k=-1), "depends on m + n"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, th, positions=document_number), "a position of its own"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, th, turn_q=0, turn_k=0), "not turned"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, th, scale=False), "√d times too large"),
    ("5.4", lambda q, k, lengths, th: packed(k, q, lengths, th), "transposed"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, th, positions=two_by_two), "go up by one"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, th, positions=last_token_stays), "query 0 and key 2 should score"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, -th), "go up by one"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, th, outside=0.0), "query 0 and key 3 are in different documents"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, (len(q),), th), "must be −inf"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, th, causal=True), "No causal mask"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, th, outside=np.nan), "not a number"),
    ("5.4", one_sided_mask, "are in"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, th)[0], "7 × 7 scores; yours has shape (7,)"),
    ("5.5", lambda x, at, th: eq_34(x, at, th, quarter="halves"), "Nothing is mended yet"),
    ("5.5", rotate, "of the other layout"),
    ("5.5", lambda x, at, th: eq_34(x, at, th, spread="tile"), "mixed the other way"),
    ("5.5", lambda x, at, th: eq_34(x, at, th, quarter="halves", spread="tile", sign=-1), "turn the other way"),
    ("5.5", lambda x, at, th: eq_34(x, np.arange(len(x)), th, quarter="halves", spread="tile"), "You turn row t by t"),
    ("5.5", lambda x, at, th: eq_34(x, at + 1, th, quarter="halves", spread="tile"), "one token too far"),
    ("5.5", lambda x, at, th: eq_34(x, at, th, quarter="halves", spread="tile", dtype=np.float16), "smaller float type"),
    ("5.5", lambda x, at, th: eq_34(x, at, th, quarter="halves", spread="tile", in_place=True), "changes the x it was given"),
    ("5.5", lambda x, at, th: np.concatenate([x * np.cos(np.outer(at, th[:1])), x], axis=-1), "shape (5, 16)"),
]
