"""Wrong answers to the exercises of chapter 05, each with part of the lesson that its checker must give."""

import math

import numpy as np
import torch

from ropebook import frequencies, rotate, rotate_half_split, to_half_split, to_interleaved


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


def restart(lengths):
    return np.concatenate([np.arange(length) for length in lengths])


def two_by_two(lengths):
    return 2 * np.arange(sum(lengths))


def last_token_stays(lengths):
    """Positions of each document with its last two tokens at the same place."""
    return np.concatenate([np.minimum(np.arange(length), max(length - 2, 0)) for length in lengths])


def spread(function, positions, theta):
    return np.repeat(function(np.outer(positions, theta)), 2, axis=-1)  # (T, D)


def first_rows(x, positions, theta):
    """The right rows, for the notebook's T = 5."""
    out = np.empty((5, x.shape[1]))
    for t in range(len(x)):
        out[t] = rotate(x[t : t + 1], positions[t : t + 1], theta)[0]
    return out


def reads_what_it_wrote(x, positions, theta):
    x, angles = x.copy(), np.outer(positions, theta)
    x[:, 0::2] = x[:, 0::2] * np.cos(angles) - x[:, 1::2] * np.sin(angles)
    x[:, 1::2] = x[:, 0::2] * np.sin(angles) + x[:, 1::2] * np.cos(angles)
    return x


def half_to_neighbours(x):
    return np.stack(np.split(x, 2, axis=-1), axis=-1).reshape(x.shape)


def loop(x, positions, theta):
    """The right answer to exercise 5.3, row by row and pair by pair, as lists."""
    rows = []
    for row, position in zip(x.tolist(), positions.tolist()):
        out = []
        for i, speed in enumerate(theta.tolist()):
            c, s = math.cos(position * speed), math.sin(position * speed)
            out += [c * row[2 * i] - s * row[2 * i + 1], s * row[2 * i] + c * row[2 * i + 1]]
        rows.append(out)
    return rows


def packed_blocks(q, k, lengths, theta):
    """The right answer to exercise 5.4, one document at a time."""
    scores, start = np.full((len(q), len(q)), -np.inf), 0
    for length in lengths:
        rows = slice(start, start + length)
        scores[rows, rows] = packed(q[rows], k[rows], (length,), theta)
        start += length
    return scores


def one_sided_mask(q, k, lengths, theta):
    return np.where(np.arange(len(q)) < lengths[0], packed(q, k, lengths, theta, outside=0.0), -np.inf)


MUTANTS = [
    ("5.1", lambda d, base: base ** (-np.arange(d // 2) / d), "the exponent is −2i/d"),
    ("5.1", lambda d, base: frequencies(d), "Is `base` used?"),
    ("5.1", lambda d, base: base ** (2 * np.arange(d // 2) / d), "minus sign"),
    ("5.1", lambda d, base: base ** (-2 * np.arange(1, d // 2 + 1) / d), "starts at 1"),
    ("5.1", lambda d, base: base ** (-2 * np.arange(d) / d), "shape (8,)"),
    ("5.1", lambda d, base: np.repeat(frequencies(d, base), 2), "4 pairs"),
    ("5.1", lambda d, base: 2 * np.pi / frequencies(d, base), "tokens per turn"),
    ("5.1", lambda d, base: frequencies(d, base)[::-1], "wrong order"),
    ("5.1", lambda d, base: frequencies(d, base).astype(np.float16), "smaller float type"),
    ("5.1", lambda d, base: base ** (-2 * np.arange(4) / 8), "head_dim = 4 has 2 pairs"),
    ("5.1", lambda d, base: base ** (-2 * (np.arange(d // 2) - 1) / d), "starts at −1"),
    ("5.1", lambda d, base: base ** (-2.0 * np.arange(d // 2) // d), "`//` cuts the exponent"),
    ("5.1", lambda d, base: base ** (-2 * np.arange(d // 2) / (d - 2)), "stops short of −1"),
    ("5.1", lambda d, base: np.rad2deg(frequencies(d, base)), "expected [1, 0.1, 0.01, 0.001]"),
    ("5.2", lambda length, d: length ** (d / (d - 2)), "2π, not 1"),
    ("5.2", lambda length, d: length / (2 * np.pi), "i = d/2 − 1"),
    ("5.2", lambda length, d: (length / (2 * np.pi)) ** ((d - 2) / d), "has to be undone"),
    ("5.2", lambda length, d: (length / np.pi) ** (d / (d - 2)), "0.5 turns, not 1"),
    ("5.2", lambda length, d: (length / (2 * np.pi)) ** (d / 2), "turns, not 1"),
    ("5.2", lambda length, d: (length / (2 * np.pi)) ** (d / (d // 2 - 1)), "A 2 is lost"),
    ("5.2", lambda length, d: (length / (2 * np.pi)) ** (8 / 6), "Is `head_dim` used?"),
    ("5.2", lambda length, d: (length / (2 * np.pi)) ** (d / (2 - d)), "Upside down"),
    ("5.2", lambda length, d: (length / 360) ** (d / (d - 2)), "in radians"),
    ("5.2", lambda length, d: ((length - 1) / (2 * np.pi)) ** (d / (d - 2)), "not one token sooner"),
    ("5.2", lambda length, d: int((length / (2 * np.pi)) ** (d / (d - 2))), "Cut to a whole number"),
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
    ("5.3", lambda x, at, th: eq_34(x, at, frequencies(8)), "whatever theta says"),
    ("5.3", first_rows, "none the notebook's own D, T or theta"),
    ("5.3", lambda x, at, th: eq_34(x, at, np.append(th[:-1], 0)), "Entries 6, 7 come back as they were"),
    ("5.3", lambda x, at, th: x.copy(), "Every row comes back as it was"),
    ("5.3", reads_what_it_wrote, "already turned"),
    ("5.3", lambda x, at, th: eq_34(x, np.deg2rad(at), th), "taken for degrees"),
    ("5.3", lambda x, at, th: x * spread(np.cos, at, th), "the first half of (34)"),
    ("5.3", lambda x, at, th: x * spread(np.cos, at, th) + x.reshape(len(x), -1, 2)[..., ::-1].reshape(x.shape) * spread(np.sin, at, th),
     "Both sines carry a plus"),
    ("5.3", lambda x, at, th: x * spread(np.cos, at, th) + np.concatenate([-x[:, 1::2], x[:, 0::2]], axis=-1) * spread(np.sin, at, th),
     "in the wrong places"),
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
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, -th), "both turn the other way"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, frequencies(8)), "whatever theta says"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, th, scale=False) / np.sqrt(8), "here √6"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, th, scale=False) / np.sqrt(len(q)), "times 1.07"),
    ("5.4", lambda q, k, lengths, th: packed(-q, k, lengths, th), "query 0 and key 0 should score"),
    ("5.4", lambda q, k, lengths, th: np.where(np.isinf(packed(q, k, lengths, th)), 0.0, -np.inf), "the wrong way round"),
    ("5.4", lambda q, k, lengths, th: packed(half_to_neighbours(q), half_to_neighbours(k), lengths, th), "Your pairs are (i, i + d/2)"),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, th, outside=-1e9), "must be −inf; yours is -1e+09"),
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
    ("5.5", lambda x, at, th: eq_34(x, at, frequencies(8), quarter="halves", spread="tile"), "whatever theta says"),
    ("5.5", lambda x, at, th: eq_34(x, at, th, quarter="halves", sign=-1), "The minus sign was not the fault"),
    ("5.5", lambda x, at, th: x * spread(np.cos, at, th) + np.concatenate([-x[:, 1::2], x[:, 0::2]], axis=-1) * spread(np.sin, at, th),
     "The split into halves was right"),
    ("5.5", lambda x, at, th: x * np.cos(np.outer(at, np.tile(th, 2))) + np.roll(x, len(th), axis=-1) * np.sin(np.outer(at, np.tile(th, 2))),
     "Both sines carry a plus"),
    ("5.5", lambda x, at, th: rotate_half_split(x, at, th[::-1]), "In the row at position 3"),
    ("5.5", lambda x, at, th: eq_34(x, at + 1, th, quarter="halves", spread="tile"), "one token too far"),
    ("5.5", lambda x, at, th: eq_34(x, at, th, quarter="halves", spread="tile", dtype=np.float16), "smaller float type"),
    ("5.5", lambda x, at, th: eq_34(x, at, th, quarter="halves", spread="tile", in_place=True), "changes the x it was given"),
    ("5.5", lambda x, at, th: np.concatenate([x * np.cos(np.outer(at, th[:1])), x], axis=-1), "shape (5, 16)"),
]

# Right answers, spelled in other ways than the solutions.
ALSO_RIGHT = [
    ("5.1", lambda d, base: [base ** (-j / d) for j in range(0, d, 2)]),
    ("5.1", lambda d, base: tuple(1 / base ** (2 * i / d) for i in range(d // 2))),
    ("5.1", lambda d, base: np.geomspace(1, base ** (2 / d - 1), d // 2)),
    ("5.1", lambda d, base: np.exp(-np.log(base) * np.arange(0, d, 2) / d)),
    ("5.1", lambda d, base: frequencies(d, base).astype(np.float32)),
    ("5.1", lambda d, base: base ** (-torch.arange(0, d, 2) / d)),
    ("5.2", lambda length, d: math.exp(d / (d - 2) * math.log(length / math.tau))),
    ("5.2", lambda length, d: round((length / (2 * np.pi)) ** (d / (d - 2)), 1)),
    ("5.2", lambda length, d: torch.tensor(length / (2 * np.pi)) ** (d / (d - 2))),
    ("5.2", lambda length, d: np.array([(length / (2 * np.pi)) ** (d / (d - 2))])),
    ("5.3", eq_34),
    ("5.3", loop),
    ("5.3", rotate),
    ("5.3", lambda x, at, th: (x.view(complex) * np.exp(1j * np.outer(at, th))).view(float)),
    ("5.3", lambda x, at, th: rotate(x.astype(np.float32), at, th)),
    ("5.3", lambda x, at, th: torch.from_numpy(eq_34(x, at, th))),
    ("5.4", packed_blocks),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, th, positions=restart)),
    ("5.4", lambda q, k, lengths, th: packed(q, k, lengths, th, positions=lambda lengths: np.arange(sum(lengths)) + 1000)),
    ("5.4", lambda q, k, lengths, th: packed(q.astype(np.float32), k.astype(np.float32), lengths, th).tolist()),
    ("5.4", lambda q, k, lengths, th: torch.tensor(packed(q, k, lengths, th))),
    ("5.5", rotate_half_split),
    ("5.5", lambda x, at, th: eq_34(x, at, th, quarter="halves", spread="tile").tolist()),
    ("5.5", lambda x, at, th: torch.tensor(rotate_half_split(x.astype(np.float32), at, th))),
    ("5.5", lambda x, at, th: to_half_split(rotate(to_interleaved(x), at, th))),
]
