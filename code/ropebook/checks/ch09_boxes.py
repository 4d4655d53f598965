"""Black boxes of exercise 9.4: scores of a query and a key (16,) at whole positions 0 … 1,000,000, relative and not."""

import numpy as np

from ropebook.frequencies import frequencies

FURTHEST = 1_000_000  # the last position
THETA, FAST, SLOW = frequencies(16), frequencies(16, 20.0), frequencies(16, 500_000.0)  # (D/2,)


def _pairs(x):
    return x[0::2] + 1j * x[1::2]


def _halves(x):
    return x[:8] + 1j * x[8:]


def _whole(*positions):
    for at in positions:
        if not 0 <= at <= FURTHEST or at != int(at):
            raise ValueError(f"positions are whole numbers from 0 to {FURTHEST:,}, got {at}")
    return (float(at) for at in positions)


def _turning(of_query, of_key, pairs=_pairs, more=lambda q, k, m, n: 0.0):
    """The score of q turned by the angles of_query(m) and k by of_key(n), (D/2,) each, and more."""

    def score(q, k, m, n):
        m, n = _whole(m, n)
        turned = pairs(q) * np.exp(1j * of_query(m)), pairs(k) * np.exp(1j * of_key(n))
        return float((turned[0] * turned[1].conj()).real.sum() + more(q, k, m, n))
    return score


def _by(angles, **options):
    """The same angles for queries and keys."""
    return _turning(angles, angles, **options)


def _rope(**options):
    return _by(lambda at: at * THETA, **options)


def _bare(**options):
    return _by(lambda at: 0 * THETA, **options)


def _sinusoidal(q, k, m, n):
    m, n = _whole(m, n)
    wave = lambda at: np.stack([np.sin(at * THETA), np.cos(at * THETA)], axis=-1).ravel()
    return float((q + wave(m)) @ (k + wave(n)))


def _sign_of_odd(q, k, m, n):
    return _rope()(q, k, m, n) * (-1) ** int(m)


def _for_some(condition, otherwise):
    """RoPE for words and positions of the condition, else another score."""
    rope = _rope()
    return lambda q, k, m, n: (rope if condition(q, k, m, n) else otherwise)(q, k, m, n)


def _bfloat16(at):
    last = 2.0 ** (np.floor(np.log2(max(at, 1))) - 7)
    return np.rint(at / last) * last


EIGHT_BITS = np.ldexp(np.rint(np.ldexp(np.frexp(THETA)[0], 8)), np.frexp(THETA)[1] - 8)
SECOND = np.arange(8) >= 4
LAST = np.arange(8) == 7
ROUNDING = "It changes by rounding alone: allow for 1e-7."
SIZES = "Draw positions of all sizes up to a million, with 10 ** rng.uniform(…)."
FAR = f"Near the start nothing shows. {SIZES}"
SHIFTS = "Draw the shifts, odd and even, and of all sizes."
WORDS = "Draw new words each time, so that entries and dot products have both signs."
SLOW_ONE = "Only its slowest pair is absolute: small shifts hardly move it. Shift far, and allow no more than 1e-6."

BOXES = (  # name, score, whether it is invariant, advice
    ("RoPE", _rope(), True, ROUNDING),
    ("RoPE with turned keys and queries as they were", _turning(lambda at: 0 * THETA, lambda at: at * THETA), False, "Do you shift both?"),
    ("half-split RoPE of base 20, turned backwards", _by(lambda at: -at * FAST, pairs=_halves), True, ROUNDING),
    ("RoPE on half of the pairs, on the others a query that is not turned",
     _turning(lambda at: at * THETA * ~SECOND, lambda at: at * THETA), False, "Do you shift both, with words in all entries?"),
    ("no position at all", _bare(), True, ROUNDING),
    ("RoPE of positions modulo 64", _by(lambda at: at % 64 * THETA), False, f"Shifts by multiples of 64 do not find it. {SHIFTS}"),
    ("a penalty on distance (ALiBi)", _bare(more=lambda q, k, m, n: -0.25 * abs(m - n)), True, ROUNDING),
    ("RoPE times −1 at odd positions of the query", _sign_of_odd, False,
     f"Even shifts, all powers of ten but 1 among them, do not find it. {SHIFTS}"),
    ("RoPE on half of the pairs, no position on the others", _by(lambda at: at * THETA * SECOND), True, ROUNDING),
    ("RoPE of positions that end at 2,048, farther ones counted as 2,048", _by(lambda at: min(at, 2048.0) * THETA), False, FAR),
    ("RoPE with speeds of 8 bits", _by(lambda at: at * EIGHT_BITS), True, ROUNDING),
    ("RoPE with positions in bfloat16", _by(lambda at: _bfloat16(at) * THETA), False, FAR),
    ("RoPE and a bonus for offsets that are multiples of 7", _rope(more=lambda q, k, m, n: 0.3 * ((m - n) % 7 == 0)), True,
     "A bonus for an offset is relative, however odd it looks."),
    ("RoPE with angles in float32", _by(lambda at: (np.float32(at) * THETA.astype(np.float32)).astype(np.float64)), False,
     f"Its rounding is that of float32, some hundredths at a million. {SIZES} Allow no more than 1e-6."),
    ("sinusoidal positions added to query and key", _sinusoidal, False, "Do you compare two scores of the same words?"),
    ("RoPE whose queries all start at an angle of 1", _turning(lambda at: at * THETA + 1, lambda at: at * THETA), True, ROUNDING),
    ("RoPE and a bonus for keys at position 0", _rope(more=lambda q, k, m, n: 0.5 * (n == 0)), False,
     "Position 0 is a position, too. Draw it often enough."),
    ("RoPE, and a wave of the query’s position if the key is ahead",
     _rope(more=lambda q, k, m, n: 0.1 * np.sin(m) * (n > m)), False, "Put keys ahead of queries as well as behind them."),
    ("RoPE, and a wave of the position where query and key stand in one place",
     _rope(more=lambda q, k, m, n: 0.1 * np.sin(m) * (n == m)), False, "Put query and key in the same place now and then."),
    ("RoPE of base 500,000 whose slowest pair turns the query only",
     _turning(lambda at: at * SLOW, lambda at: at * SLOW * ~LAST), False, SLOW_ONE),
    ("RoPE if the dot product of the words is positive, else added waves", _for_some(lambda q, k, m, n: q @ k > 0, _sinusoidal),
     False, WORDS),
    ("RoPE if the query’s last entry is positive, else turned keys only",
     _for_some(lambda q, k, m, n: q[-1] > 0, _turning(lambda at: 0 * THETA, lambda at: at * THETA)), False, WORDS),
    ("RoPE of the squares of positions", _by(lambda at: at * at * THETA), False, SIZES),
    ("RoPE up to 500,000, no position beyond", _by(lambda at: at * THETA * (at <= 500_000)), False, FAR),
    ("RoPE that counts from 30,000,000", _by(lambda at: (at + 3e7) * THETA), True, ROUNDING),
    ("RoPE and a small wave of the query’s position", _rope(more=lambda q, k, m, n: 2e-4 * np.sin(m)), False,
     "It changes by 4 · 10⁻⁴ at most. Rounding explains 1e-7: allow no more than 1e-6."),
)  # fmt: skip
