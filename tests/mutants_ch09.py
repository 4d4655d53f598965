"""Wrong answers to the exercises of chapter 09, each with part of the lesson that its checker must give."""

import numpy as np
import torch

from ropebook import frequencies, rotation_torch


def pairs(x):
    return np.hypot(x[0::2], x[1::2])


def halves(x):
    return np.hypot(x[: len(x) // 2], x[len(x) // 2 :])


def grows(q, k, m, n, shift, theta, eps, places=lambda m, n, s: m + n + s, lengths=pairs, add=np.sum):
    """The right answer to exercise 9.1, with its mistakes as options."""
    return eps * places(m, n, shift) * add(theta * lengths(q) * lengths(k))


def at_places(places):
    return lambda *given: grows(*given, places=places)


def loop(q, k, m, n, shift, theta, eps):
    total = 0.0
    for i, speed in enumerate(theta):
        query, key = complex(*q[2 * i : 2 * i + 2]), complex(*k[2 * i : 2 * i + 2])
        total += sum(eps / 2 * at * speed for at in (m, n, m + shift, n + shift)) * abs(query) * abs(key)
    return [total]


def by_torch(q, k, m, n, shift, theta, eps):
    q, k, theta = (torch.tensor(x, dtype=torch.float32) for x in (q, k, theta))
    return eps * (m + n + shift) * (q.view(-1, 2).norm(dim=1) * k.view(-1, 2).norm(dim=1) * theta).sum()


def search(tolerance, theta, top=200_000, product=np.float32, true_speed=np.float32, reduce=np.max, pick=lambda bad: np.argmax(bad) - 1,
           none=200_000, places=np.arange):
    """The right answer to exercise 9.2, with its mistakes as options; all positions at once, so in 8 MB a speed."""
    at = places(top + 1)[:, None]
    angle = at.astype(product) * theta.astype(product)
    bad = reduce(abs(angle.astype(np.float64) - at * theta.astype(true_speed).astype(np.float64)), axis=1) > tolerance
    return int(at[pick(bad), 0]) if bad.any() else none


def without_end(tolerance, theta):
    """Exercise 9.2 with a loop that looks beyond 200,000."""
    speeds, at = theta.astype(np.float32), 0
    while (abs((np.float32(at + 1) * speeds).astype(float) - (at + 1) * speeds.astype(float)) <= tolerance).all():
        at += 1
    return at


def single_product(tolerance, theta):
    """Exercise 9.2 with an angle that is rounded once, from the speed as it was."""
    at = np.arange(200_001)[:, None]
    bad = (abs((at * theta).astype(np.float32) - at * theta.astype(np.float32).astype(np.float64)) > tolerance).any(axis=1)
    return int(np.argmax(bad)) - 1 if bad.any() else 200_000


def one_by_one(tolerance, theta):
    """The right answer to exercise 9.2, speed by speed and with tensors."""
    last = 200_000
    for speed in torch.tensor(theta, dtype=torch.float32):
        at = torch.arange(last + 1)
        bad = ((at.float() * speed).double() - at * speed.double()).abs() > tolerance
        last = int(bad.int().argmax()) - 1 if bad.any() else last
    return last


def moved(keys, start, base=10000.0, places=lambda start, T: start[:, None].expand(-1, T), turn=rotation_torch.rotate, theta=frequencies):
    """The right answer to exercise 9.3, with its mistakes as options."""
    return turn(keys, places(start, keys.shape[2]), theta(keys.shape[-1], base))


def at_starts(places):
    return lambda *given: moved(*given, places=places)


def by_hand(keys, start, base=10000.0, work=torch.float64, axes=(slice(None), None, None), sign=1):
    """The right answer to exercise 9.3 with complex numbers: one row of factors a text."""
    theta = torch.tensor(frequencies(keys.shape[-1], base)).to(work)
    angle = sign * (start.to(work)[:, None] * theta).double()[axes]
    pairs = torch.view_as_complex(keys.double().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angle), angle)).flatten(-2).to(keys.dtype)


def rounded_table(keys, start, base=10000.0, turn=torch.float64):
    """Exercise 9.3 with angles in float64, but cosines and sines in the dtype of the keys; turn: where they are multiplied."""
    angle = (start.double()[:, None] * torch.tensor(frequencies(keys.shape[-1], base)))[:, None, None]
    cos, sin = (x.to(keys.dtype).to(turn or keys.dtype) for x in (angle.cos(), angle.sin()))
    first, second = keys[..., 0::2].to(cos.dtype), keys[..., 1::2].to(cos.dtype)
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1).flatten(-2).to(keys.dtype)


def by_way_of_nothing(keys, start, base=10000.0):
    """Turned back to nothing, rounded, and turned again."""
    T, theta = keys.shape[2], frequencies(keys.shape[-1], base)
    return rotation_torch.rotate(rotation_torch.rotate(keys, -torch.arange(T), theta), start[:, None] + torch.arange(T), theta)


def in_place(keys, start, base=10000.0):
    return keys.copy_(moved(keys, start, base))


def back_and_forth(keys, start, base=10000.0):
    """Right: turned back to nothing in float64, then to the new places."""
    T, theta = keys.shape[2], frequencies(keys.shape[-1], base)
    bare = rotation_torch.rotate(keys.double(), -torch.arange(T), theta)
    return rotation_torch.rotate(bare, start[:, None] + torch.arange(T), theta).to(keys.dtype)


def draws(score, rng, count=600, reach=5.0, shifts=lambda rng: int(10 ** rng.uniform(0, 5.9)), tolerance=1e-6, words=None, same=0.1,
          ahead=True, apart=False, of=lambda m, s: m + s, first=0):
    """The right answer to exercise 9.4, with its mistakes as options."""
    for _ in range(count):
        q, k = words(rng) if words else rng.standard_normal((2, 16))
        m, n = (int(10 ** rng.uniform(0, reach)) - 1 + first for _ in "mn")
        m, n = (m, n) if ahead else (max(m, n), min(m, n))
        n, shift = m if rng.random() < same else n + (apart and n == m), shifts(rng)
        if abs(score(q, k, m + shift, of(n, shift)) - score(q, k, m, n)) > tolerance:
            return False
    return True


def judged(**options):
    return lambda score, rng: draws(score, rng, **options)


def whole_table(score, rng):
    """Right: a few words, and all pairs from a list of positions, shifted by a list of shifts."""
    at, shifts = (0, 1, 2, 5, 30, 61, 400, 7000), (1, 3, 64, 999, 30_001, 400_000, 990_001)
    for _ in range(8):
        q, k = rng.standard_normal((2, 16))
        for m in at:
            for n in at:
                score_here = score(q, k, m, n)
                if any(abs(score(q, k, m + s, n + s) - score_here) > 1e-5 for s in shifts):
                    return np.False_
    return np.True_


def relative_change(score, rng):
    """The change over the score, which may be near 0."""
    for _ in range(1500):
        q, k = rng.standard_normal((2, 16))
        m, n, shift = (int(10 ** rng.uniform(0, 5.5)) - 1 for _ in range(3))
        before, after = score(q, k, m, n), score(q, k, m + shift, n + shift)
        if abs(after - before) > 1e-6 * abs(before):
            return False
    return True


FIXED = np.random.default_rng(5).standard_normal((2, 16))

MUTANTS = [
    ("9.1", at_places(lambda m, n, s: s), "m and n are missing"),
    ("9.1", at_places(lambda m, n, s: m + n), "the shift is missing"),
    ("9.1", at_places(lambda m, n, s: 2 * (m + n + s)), "without the half"),
    ("9.1", at_places(lambda m, n, s: (m + n + s) / 2), "that is half of it"),
    ("9.1", at_places(lambda m, n, s: m + n + 2 * s), "m + n + 2s"),
    ("9.1", at_places(lambda m, n, s: abs(m - n) + s), "you take m − n"),
    ("9.1", at_places(lambda m, n, s: m - n + s), "you take m − n"),
    ("9.1", at_places(lambda m, n, s: m + s), "only the query’s places"),
    ("9.1", at_places(lambda m, n, s: n + s), "only the key’s places"),
    ("9.1", lambda q, k, m, n, s, t, e: grows(q, k, m, n, s, 1, e), "the speeds are missing"),
    ("9.1", lambda q, k, m, n, s, t, e: grows(q, k, m, n, s, frequencies(len(q)), e), "speeds of base 10000"),
    ("9.1", lambda q, k, m, n, s, t, e: e * (m + n + s) * (np.repeat(t, 2) @ abs(q * k)), "entry by entry"),
    ("9.1", lambda q, k, m, n, s, t, e: e * (m + n + s) * (np.repeat(t, 2) @ (q * k)), "you take the pairs’ dot products"),
    ("9.1", lambda q, k, m, n, s, t, e: e * (m + n + s) * (t @ abs((q * k).reshape(-1, 2).sum(1))), "sizes of the pairs’ dot products"),
    ("9.1", lambda *given: grows(*given, lengths=lambda x: pairs(x) ** 2), "the lengths are squared"),
    ("9.1", lambda *given: grows(*given, lengths=np.linalg.norm), "lengths of the whole vectors"),
    ("9.1", lambda q, k, m, n, s, t, e: e * (m + n + s) * t.sum() * (pairs(q) @ pairs(k)), "two sums over the pairs"),
    ("9.1", lambda *given: grows(*given, add=np.max), "that is the largest pair’s part"),
    ("9.1", lambda *given: grows(*given, add=np.mean), "that is the mean over the pairs"),
    ("9.1", lambda *given: grows(*given, lengths=halves), "Neighbours pair up here"),
    ("9.1", lambda q, *given: grows(q, *given) / np.sqrt(len(q)), "divided by √D"),
    ("9.1", lambda *given: grows(*given[:-1], 1), "ε is missing"),
    ("9.1", lambda *given: grows(*given[:-1], 2.0**-52), "the ε of float64"),
    ("9.1", lambda *given: grows(*given) + grows(*given[:-2], 1, given[-1], places=lambda *_: 16 + len(given[0]) // 2),
     "does not grow is in it"),
    ("9.1", lambda *given: grows(*given, add=np.array), "Return one number"),
    ("9.1", lambda *given: grows(*given) * 1.1, "expected"),
    ("9.1", lambda *given: grows(*given) if len(given[0]) == 8 else None, "nothing for D = 64"),
    ("9.2", lambda *given: search(*given, pick=np.argmax), "the first position that fails"),
    ("9.2", lambda *given: search(*given, pick=lambda bad: np.flatnonzero(~bad).max()), "Errors come and go"),
    ("9.2", lambda *given: search(*given, true_speed=np.float64), "before it is rounded"),
    ("9.2", lambda *given: search(*given, reduce=np.sum), "add up the errors"),
    ("9.2", lambda *given: search(*given, reduce=np.mean), "mean error over the speeds"),
    ("9.2", lambda tolerance, theta: search(tolerance, theta[:1]), "that of 1 never fails"),
    ("9.2", lambda tolerance, theta: search(tolerance, theta[-1:]), "that of 1 never fails"),
    ("9.2", lambda tolerance, theta: search(tolerance, theta[theta < 1][:1]) if (theta < 1).any() else 200_000, "try all speeds"),
    ("9.2", lambda *given: search(*given, product=np.float64, true_speed=np.float64), "Are both sides of your comparison in float32?"),
    ("9.2", lambda tolerance, theta: min(int(tolerance * 2**24 / theta.max()), 200_000), "what the bound promises"),
    ("9.2", lambda *given: search(*given, places=lambda top: 2 ** np.arange(18), none=2**17), "You try powers of two only"),
    ("9.2", lambda *given: search(*given, top=199_999, none=199_999), "200,000 itself counts"),
    ("9.2", lambda *given: search(*given, none=None), "nothing for tolerance 0.0025 and speeds of D = 16"),
    ("9.2", lambda *given: search(*given, none=0), "every angle is within"),
    ("9.2", lambda tolerance, theta: search(tolerance / 2, theta), "every angle is within"),
    ("9.2", lambda tolerance, theta: search(2 * tolerance, theta), "off by more than"),
    ("9.2", lambda tolerance, theta: search(tolerance, theta, none=200_001), "beyond 200,000"),
    ("9.2", lambda *given: search(*given, none=2**24), "M is at most 200,000"),
    ("9.2", without_end, "M is at most 200,000"),
    ("9.2", single_product, "One of the two products has the speed before it is rounded"),
    ("9.3", at_starts(lambda start, T: start[:, None] + torch.arange(T)), "turn by them again"),
    ("9.3", at_starts(lambda start, T: torch.arange(T)), "and not by the start"),
    ("9.3", at_starts(lambda start, T: start[:, None] - torch.arange(T)), "as if all stood at the start"),
    ("9.3", at_starts(lambda start, T: -torch.arange(T)), "and leave it there"),
    ("9.3", at_starts(lambda start, T: -start[:, None].expand(-1, T)), "you go the other way"),
    ("9.3", at_starts(lambda start, T: start[:1].expand(T)), "moved by start[0]"),
    ("9.3", lambda *given: by_hand(*given, axes=(slice(None),)), "stopped with RuntimeError"),
    ("9.3", lambda keys, *given: by_hand(keys, *given, axes=(slice(None), *(() if keys.shape[0] == keys.shape[2] else (None, None)))),
     "you move word t by start[t]"),
    ("9.3", lambda keys, *given: by_hand(keys, *given, axes=(slice(None), None, *(() if keys.shape[0] == keys.shape[1] else (None,)))),
     "you move head h by start[h]"),
    ("9.3", lambda *given: moved(*given, turn=rotation_torch.rotate_half_split), "your pairs are (i, i + D/2)"),
    ("9.3", lambda *given: moved(*given, theta=lambda d, base: frequencies(d, base) ** 0.5), "your exponent is −i/D"),
    ("9.3", lambda keys, start, base=1e4: moved(keys, start), "whatever base says"),
    ("9.3", lambda keys, *given: keys.clone(), "every row comes back as it was"),
    ("9.3", in_place, "changes what it was given"),
    ("9.3", lambda keys, *given: moved(keys.double(), *given), "the dtype should be float32"),
    ("9.3", lambda *given: by_hand(*given, work=torch.float32), "right to the digits of float32 only"),
    ("9.3", lambda keys, *given: by_hand(keys, *given, work=keys.dtype), "rounded to float32 or less"),
    ("9.3", lambda keys, *given: by_hand(keys, *given, work=torch.float64 if keys.dtype == torch.float32 else keys.dtype),
     "rounded to bfloat16 or less"),
    ("9.3", rounded_table, "some roundings to bfloat16, where one would do"),
    ("9.3", lambda *given: rounded_table(*given, turn=None), "some roundings to bfloat16, where one would do"),
    ("9.3", by_way_of_nothing, "some roundings to bfloat16, where one would do"),
    ("9.3", lambda *given: moved(*given).mT, "the shape should be"),
    ("9.3", lambda *given: moved(*given).numpy(), "Expected a tensor"),
    ("9.3", lambda keys, *given: moved(keys, *given) if len(keys) == 3 else None, "nothing for keys (2, 3, 4, 6)"),
    ("9.4", lambda score, rng: True, "RoPE with turned keys and queries as they were"),
    ("9.4", lambda score, rng: False, "calls this absolute, and it is invariant: RoPE."),
    ("9.4", judged(tolerance=0), "allow for 1e-7"),
    ("9.4", judged(tolerance=0.1, reach=3, shifts=lambda rng: int(rng.integers(1, 100))), "invariant, and it is not"),
    ("9.4", judged(tolerance=0.5), "invariant, and it is not"),
    ("9.4", judged(tolerance=0.05), "angles in float32"),
    ("9.4", judged(tolerance=1e-2), "a small wave of the query’s position"),
    ("9.4", judged(tolerance=1e-3), "no more than 1e-6"),
    ("9.4", judged(tolerance=1e-9), "RoPE that counts from 30,000,000. It changes by rounding alone"),
    ("9.4", relative_change, "RoPE that counts from 30,000,000. It changes by rounding alone"),
    ("9.4", judged(of=lambda n, s: n), "calls this absolute, and it is invariant: RoPE."),
    ("9.4", judged(of=lambda n, s: n + 2 * s), "calls this absolute, and it is invariant: RoPE."),
    ("9.4", judged(shifts=lambda rng: 64 * int(rng.integers(1, 1000))), "modulo 64"),
    ("9.4", judged(shifts=lambda rng: 2 * int(rng.integers(1, 1000))), "−1 at odd positions"),
    ("9.4", judged(shifts=lambda rng: 10 ** int(rng.integers(1, 6))), "−1 at odd positions"),
    ("9.4", judged(shifts=lambda rng: 0), "invariant, and it is not"),
    ("9.4", judged(reach=2, shifts=lambda rng: int(rng.integers(1, 150))), "end at 2,048"),
    ("9.4", judged(shifts=lambda rng: int(10 ** rng.uniform(0, 4))), "RoPE up to 500,000"),
    ("9.4", judged(first=1), "Position 0 is a position"),
    ("9.4", judged(ahead=False), "Put keys ahead of queries"),
    ("9.4", judged(same=0, apart=True), "in the same place"),
    ("9.4", judged(same=1), "invariant, and it is not"),
    ("9.4", judged(words=lambda rng: FIXED), "Draw new words each time"),
    ("9.4", judged(words=lambda rng: 2 * [rng.standard_normal(16)]), "Draw new words each time"),
    ("9.4", judged(words=lambda rng: abs(rng.standard_normal((2, 16)))), "Draw new words each time"),
    ("9.4", judged(count=1), "invariant, and it is not"),
    ("9.4", lambda score, rng: 1, "Return True or False"),
    ("9.4", lambda score, rng: draws(score, rng) or None, "nothing for a box"),
    ("9.4", judged(reach=5.9, shifts=lambda rng: 400_000), "positions are whole numbers from 0 to 1,000,000"),
]

# Right answers, spelled in other ways than the solutions.
ALSO_RIGHT = [
    ("9.1", grows),
    ("9.1", loop),
    ("9.1", by_torch),
    ("9.1", lambda *given: torch.tensor(grows(*given), requires_grad=True)),
    ("9.2", search),
    ("9.2", one_by_one),
    ("9.2", lambda *given: np.array([float(search(*given))])),
    ("9.3", moved),
    ("9.3", by_hand),
    ("9.3", back_and_forth),
    ("9.3", lambda keys, start, base=1e4: torch.stack([rotation_torch.rotate(text, [at] * text.shape[1], frequencies(text.shape[-1], base))
                                                       for text, at in zip(keys, start.tolist())])),
    ("9.4", draws),
    ("9.4", judged(tolerance=2e-5, count=1500)),
    ("9.4", judged(same=0.5)),
    ("9.4", judged(count=200, words=lambda rng: rng.standard_normal((2, 16)).tolist())),
    ("9.4", judged(count=200, words=lambda rng: torch.from_numpy(rng.standard_normal((2, 16))))),
    ("9.4", whole_table),
]
