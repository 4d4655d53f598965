"""Wrong answers to the exercises of chapter 11, each with part of the lesson that its checker must give."""

import json
import pickle
from functools import partial

import numpy as np
import torch

from ropebook import frequencies, linear_torch, rotate, rotate_half_split, rotation_matrix
from ropebook.linear import feature_map, sides, summed
from ropebook.rotation_torch import rotation_table

# ---- 11.1 -------------------------------------------------------------------


def by_sums(a, b, v, divided=lambda a, b: (a @ b.sum(axis=0))[:, None]):
    """The right answer to exercise 11.1, with its denominators as an option."""
    return a @ (b.T @ v) / divided(a, b)


def by_table(a, b, v, dtype=float):
    weights = a.astype(dtype) @ b.T.astype(dtype)
    return weights @ v / weights.sum(axis=1, keepdims=True)


def tensor_table(a, b, v, dtype=torch.float64):
    """The table in memory that Python does not count."""
    a, b, v = (torch.tensor(x, dtype=dtype) for x in (a, b, v))
    weights = a @ b.T
    return weights @ v / weights.sum(dim=1, keepdim=True)


def softmax(scores):
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def masked(a, b, v):
    weights = np.tril(a @ b.T)
    return weights @ v / weights.sum(axis=1, keepdims=True)


def word_by_word(a, b, v):
    """The right answer to exercise 11.1 with loops, and with a column of ones for the denominators."""
    state = np.zeros((a.shape[1], v.shape[1] + 1))
    for features, value in zip(b, v):
        state += np.outer(features, [*value, 1])
    rows = [features @ state for features in a]
    return [row[:-1] / row[-1] for row in rows]


def in_single(a, b, v):
    a, b, v = (torch.tensor(x, dtype=torch.float32) for x in (a, b, v))
    return a @ (b.T @ v) / (a @ b.sum(dim=0))[:, None]


# ---- 11.2 -------------------------------------------------------------------


def equation_19(q, k, v, at, theta, phi=feature_map, turn_q=rotate, turn_k=rotate, below=lambda a, b, c, d: c @ d.sum(axis=0), attend=None):
    """The right answer to exercise 11.2, with its mistakes as options."""
    c, d = phi(q), phi(k)
    a, b = turn_q(c, at, theta), turn_k(d, at, theta)
    return a @ (b.T @ v) / below(a, b, c, d)[:, None]


def form(name):
    return lambda q, k, v, at, theta: summed(*sides(q, k, at, theta, name), v)


def back(x, at, theta):
    return rotate(x, -np.asarray(at), theta)


def still(x, at, theta):
    return x


def elu(x):
    return np.where(x > 0, x, np.expm1(x))


def at_other_places(change):
    return lambda q, k, v, at, theta: equation_19(q, k, v, change(at), theta)


def over(below):
    return partial(equation_19, below=below)


def by_complex_numbers(q, k, v, at, theta):
    """The right answer to exercise 11.2, turned as complex numbers."""
    phi_q, phi_k = (np.maximum(x, 0) + np.exp(np.minimum(x, 0)) for x in (q, k))
    factors = np.exp(1j * at[:, None] * theta)
    a, b = ((x[:, 0::2] + 1j * x[:, 1::2]) * factors for x in (phi_q, phi_k))
    return (a @ (b.conj().T @ v)).real / (phi_q @ phi_k.sum(axis=0))[:, None]


def by_torch(q, k, v, at, theta):
    q, k, v = (torch.from_numpy(x) for x in (q, k, v))
    a, b, c, d = linear_torch.sides(q, k, rotation_table(at, theta, torch.float64))
    return a @ (b.T @ v) / (c @ d.sum(dim=0))[:, None]


def swapped_sums(q, k, v, at, theta):
    a, b, c, d = sides(q, k, at, theta)
    return c @ (d.T @ v) / (a @ b.sum(axis=0))[:, None]


# ---- 11.3 -------------------------------------------------------------------


def step(state, q, k, v, at, theta, phi=feature_map, turn_q=rotate, turn_k=rotate, bare=True, late=(False, False), divide=True):
    """The right answer to exercise 11.3, with its mistakes as options; late: which sums are read before the new word joins."""
    c, d = phi(q), phi(k)
    a, b = turn_q(c[None], [at], theta)[0], turn_k(d[None], [at], theta)[0]
    S, total = state or (np.zeros((len(q), len(v))), np.zeros(len(q)))
    new = S + np.outer(b, v), total + (d if bare else b)
    above, below = (old if lag else now for old, now, lag in zip((S, total), new, late))
    with np.errstate(all="ignore"):
        return a @ above / ((c if bare else a) @ below if divide else 1), new


def moved(by):
    """The rotation at positions that are off."""
    return lambda x, at, theta: rotate(x, np.asarray(at) + by, theta)


def of_form(state, q, k, v, at, theta, name):
    """Exercise 11.3 with the features of another form."""
    a, b, c, d = (x[0] for x in sides(q[None], k[None], [at], theta, name))
    S, total = state or (0, 0)
    S, total = S + np.outer(b, v), total + d
    return a @ S / (c @ total), (S, total)


def keeps_all_words(state, q, k, v, at, theta):
    words = [*(state or []), (k, v, at)]
    keys, values, places = (np.array(x) for x in zip(*words))
    c, d = feature_map(q), feature_map(keys)
    a = rotate(c[None], [at], theta)[0]
    return a @ (rotate(d, places, theta).T @ values) / (c @ d.sum(axis=0)), words


def keeps_positions(state, q, k, v, at, theta):
    """The sums, and a list that nobody needs."""
    sums, places = state or (None, [])
    out, sums = step(sums, q, k, v, at, theta)
    return out, (sums, [*places, at])


def room_for_words(count, state, q, k, v, at, theta):
    """Memory for a number of words, filled one by one."""
    rows, known = state or (np.zeros((count, len(q) + len(v) + 1)), 0)
    rows = rows.copy()
    rows[known] = *k, *v, at
    *_, out = keeps_all_words([(row[: len(q)], row[len(q) : -1], row[-1]) for row in rows[:known]], q, k, v, at, theta)[:1]
    return out, (rows, known + 1)


def words_in_a_closure(state, q, k, v, at, theta):
    out, words = keeps_all_words(state and state(), q, k, v, at, theta)
    return out, lambda: words


class Words:
    __slots__ = ("words",)


def words_in_slots(state, q, k, v, at, theta):
    new = Words()
    out, new.words = keeps_all_words(state and state.words, q, k, v, at, theta)
    return out, new


def words_in_text(state, q, k, v, at, theta):
    old = [(np.array(key), np.array(value), place) for key, value, place in json.loads(state or "[]")]
    out, words = keeps_all_words(old, q, k, v, at, theta)
    return out, json.dumps([(key.tolist(), value.tolist(), place) for key, value, place in words])


def sums_in_text(state, q, k, v, at, theta):
    """The right answer to exercise 11.3 with a state of characters."""
    out, sums = step(state and tuple(np.array(x) for x in json.loads(state)), q, k, v, at, theta)
    return out, json.dumps([x.tolist() for x in sums])


def sums_in_bytes(state, q, k, v, at, theta):
    out, sums = step(state and pickle.loads(state), q, k, v, at, theta)
    return out, pickle.dumps(sums)


def turned_back(state, q, k, v, at, theta):
    """The right answer to exercise 11.3 with a matrix that is turned on to each new word, whose query and key stay as they are."""
    c, d = feature_map(q), feature_map(k)
    S, total, last = state or (np.zeros((len(q), len(v))), np.zeros(len(q)), at)
    S, total = rotation_matrix(last - at, theta) @ S + np.outer(d, v), total + d
    return c @ S / (c @ total), (S, total, at)


def with_gradients(state, q, k, v, at, theta):
    out, sums = step_in_torch(state, q, k, v, at, theta)
    return out.requires_grad_(), sums


def in_place(state, q, k, v, at, theta):
    out, (S, total) = step(state, q, k, v, at, theta)
    if state is None:
        return out, (S, total)
    state[0][:], state[1][:] = S, total
    return out, state


def total_in_place(state, q, k, v, at, theta):
    out, (S, total) = step(state, q, k, v, at, theta)
    if state is not None:
        state[1][:] = total
        total = state[1]
    return out, (S, total)


def with_one_memory(forget):
    """Exercise 11.3 with a memory beside the state: one that is never emptied, or one that is emptied where the state is None."""
    memory = []

    def answer(state, q, k, v, at, theta):
        old = memory[-1] if memory and not (forget and state is None) and memory[-1][0].shape == (len(q), len(v)) else None
        out, new = step(old, q, k, v, at, theta)
        memory[:] = [new]
        return out, "in the memory"
    return answer


def counts_words(state, q, k, v, at, theta):
    count, sums = state or (0, None)
    out, sums = step(sums, q, k, v, count, theta)
    return out, (count + 1, sums)


def all_divided(state, q, k, v, at, theta):
    """What is kept is divided as well."""
    c, d = feature_map(q), feature_map(k)
    a, b = rotate(np.stack([c, d]), [at, at], theta)
    S, total = state or (0, 0)
    total = total + d
    S = (S + np.outer(b, v)) / (c @ total)
    return a @ S, (S, total)


def forgets(state, q, k, v, at, theta):
    return step(None, q, k, v, at, theta)


class Memory:
    """A state that is an object; it is copied, not changed."""

    def __init__(self, S, total):
        self.S, self.total = S, total


def with_an_object(state, q, k, v, at, theta):
    out, sums = step(state and (state.S, state.total), q, k, v, at, theta)
    return out, Memory(*sums)


def transposed_in_one_array(state, q, k, v, at, theta):
    """The right answer to exercise 11.3 with one array (E + 1, D) for both sums, in a list."""
    c, d = feature_map(q), feature_map(k)
    a, b = rotate(np.stack([c, d]), [at, at], theta)
    both = np.vstack([np.outer(v, b), d]) + (0 if state is None else state["sums"])
    return [both[:-1] @ a / (both[-1] @ c), {"sums": both, "words": 1 + (0 if state is None else state["words"])}]


def step_in_torch(state, q, k, v, at, theta):
    q, k, v = (torch.from_numpy(x) for x in (q, k, v))
    a, b, c, d = (x[0] for x in linear_torch.sides(q[None], k[None], rotation_table([at], theta, torch.float64)))
    S, total = state or (torch.zeros(len(q), len(v), dtype=torch.float64), torch.zeros(len(q), dtype=torch.float64))
    S, total = S + b[:, None] * v, total + d
    return a @ S / (c @ total), (S, total)


def copies_first(state, q, k, v, at, theta):
    """The right answer to exercise 11.3 with +=, on copies."""
    S, total = (x.copy() for x in state or (np.zeros((len(q), len(v))), np.zeros(len(q))))
    c, d = feature_map(q), feature_map(k)
    S += np.outer(rotate(d[None], [at], theta)[0], v)
    total += d
    return rotate(c[None], [at], theta)[0] @ S / (c @ total), (S, total)


# ---- 11.4 -------------------------------------------------------------------


def lengths(x):
    return np.hypot(x[0::2], x[1::2])


def lowest(a, b):
    """The right answer to exercise 11.4."""
    return -lengths(a) @ lengths(b) / (a @ b)


def half_split_lengths(x):
    return np.hypot(x[: len(x) // 2], x[len(x) // 2 :])


def over_offsets(a, b, base=10000.0, count=1000, turn=rotate):
    """The lowest share at whole offsets of one rotation."""
    turned = turn(np.tile(a, (count, 1)), np.arange(count), frequencies(len(a), base))
    return (turned @ b).min() / (a @ b)


def by_searching(a, b, count=10_001):
    """The right answer to exercise 11.4 by trying angles, pair by pair."""
    angles = np.linspace(0, 2 * np.pi, count)
    least = [(np.cos(angles) * (p * r + q * s) + np.sin(angles) * (p * s - q * r)).min()
             for (p, q), (r, s) in zip(a.reshape(-1, 2), b.reshape(-1, 2))]
    return sum(least) / np.dot(a, b)


MUTANTS = [
    ("11.1", by_table, "3,000 words it takes"),
    ("11.1", partial(by_table, dtype=np.float32), "3,000 words it takes"),
    ("11.1", tensor_table, "3,000 words it takes 72 MB"),
    ("11.1", partial(tensor_table, dtype=torch.float32), "3,000 words it takes 36 MB"),
    ("11.1", lambda a, b, v: a @ b.T @ v / (a @ b.sum(axis=0))[:, None], "a table of T² weights"),
    ("11.1", lambda a, b, v: by_sums(a, b, v, lambda a, b: (a @ b.T).sum(axis=1)[:, None]), "a table of T² weights"),
    ("11.1", lambda a, b, v: softmax(a @ b.T) @ v, "outputs of softmax attention"),
    ("11.1", lambda a, b, v: softmax(a @ b.T / a.shape[1] ** 0.5) @ v, "outputs of softmax attention"),
    ("11.1", lambda a, b, v: by_sums(softmax(a), softmax(b.T).T, v, lambda a, b: 1), "softmax over features and over words"),
    ("11.1", lambda a, b, v: by_sums(a / a.sum(axis=1)[:, None], b / b.sum(axis=0), v, lambda a, b: 1), "features of each query and those of all keys add up to 1"),
    ("11.1", lambda a, b, v: by_sums(a, b, v, lambda a, b: 1), "not divided"),
    ("11.1", lambda a, b, v: by_sums(a, b, v, lambda a, b: (b @ a.sum(axis=0))[:, None]), "denominators sum over the queries"),
    ("11.1", lambda a, b, v: by_sums(b, a, v), "queries and keys have changed places"),
    ("11.1", lambda a, b, v: by_sums(a, b, v, lambda a, b: (a @ b.sum(axis=0)).sum()), "divide by one number"),
    ("11.1", lambda a, b, v: by_sums(a, b, v, lambda a, b: len(a)), "divide by the number of words"),
    ("11.1", lambda a, b, v: by_sums(a, b, v, lambda a, b: ((a @ b.sum(axis=0)) ** 2)[:, None]), "divide twice"),
    ("11.1", lambda a, b, v: by_sums(a, b, v, lambda a, b: a @ b.sum(axis=0)), "could not be broadcast"),
    ("11.1", lambda a, b, v: by_sums(a, b, v, lambda a, b: (a @ b.sum(axis=0))[:, None] if len(a) != 5 else a @ b.sum(axis=0)),
     "T = 5, F = 5, E = 5: you divide entry e by the denominator of word e"),
    ("11.1", masked, "Here every word sees all words"),
    ("11.1", lambda a, b, v: by_sums(a, b / b.sum(axis=0), v, lambda a, b: 1), "each feature of the keys add up to 1"),
    ("11.1", lambda a, b, v: by_sums(feature_map(a), feature_map(b), v), "features already"),
    ("11.1", lambda a, b, v: np.tile(v.mean(axis=0), (len(v), 1)), "plain mean of the values"),
    ("11.1", lambda a, b, v: by_sums(a, b, v).T, "yours have (3, 7)"),
    ("11.1", lambda a, b, v: by_sums(a, b, v).T if len(a) == 5 else by_sums(a, b, v), "rows and columns have changed places"),
    ("11.1", lambda a, b, v: by_sums(a, b, v) + 1, "yours is"),
    ("11.1", lambda a, b, v: by_sums(a, b, v) if len(a) < 100 else 0 * v, "For 3,000 words: entry"),
    ("11.1", lambda a, b, v: by_sums(a, b, v) if len(a) == 7 else None, "nothing for T = 5"),
    ("11.2", form("rotate first"), "Features first: the rotation turns φ(q) and φ(k)"),
    ("11.2", form("rotated denominator"), "the sum below has bare features"),
    ("11.2", form("plain"), "nothing is turned"),
    ("11.2", form("one plus cosine"), "that is 1 + cos"),
    ("11.2", partial(equation_19, turn_k=still), "only the queries are turned"),
    ("11.2", partial(equation_19, turn_q=still), "only the keys are turned"),
    ("11.2", partial(equation_19, turn_q=back, turn_k=back), "the offsets have the other sign"),
    ("11.2", partial(equation_19, turn_k=back), "turned in opposite ways"),
    ("11.2", partial(equation_19, turn_q=back), "turned in opposite ways"),
    ("11.2", partial(equation_19, turn_q=rotate_half_split, turn_k=rotate_half_split), "use rotate, not rotate_half_split"),
    ("11.2", at_other_places(lambda at: np.arange(len(at))), "use positions"),
    ("11.2", at_other_places(lambda at: at.astype(int)), "They need not be whole"),
    ("11.2", at_other_places(np.rint), "They need not be whole"),
    ("11.2", lambda q, k, v, at, theta: equation_19(q, k, v, at, frequencies(q.shape[1])), "speeds of base 10000"),
    ("11.2", lambda q, k, v, at, theta: equation_19(q, k, v, at, theta**0), "by 1 radian a token"),
    ("11.2", partial(equation_19, phi=elu), "feature_map has the 1"),
    ("11.2", partial(equation_19, phi=lambda x: x), "their own features"),
    ("11.2", partial(equation_19, phi=np.exp), "your features are e^x"),
    ("11.2", partial(equation_19, phi=lambda x: feature_map(feature_map(x))), "your features are elu + 2"),
    ("11.2", partial(equation_19, phi=lambda x: feature_map(x) + 1), "your features are elu + 2"),
    ("11.2", over(lambda a, b, c, d: a @ d.sum(axis=0)), "the sum below has bare features"),
    ("11.2", over(lambda a, b, c, d: c @ b.sum(axis=0)), "the sum below has bare features"),
    ("11.2", over(lambda a, b, c, d: np.ones(len(a))), "not divided"),
    ("11.2", over(lambda a, b, c, d: (c @ d.sum(axis=0)) ** 2), "divide twice"),
    ("11.2", over(lambda a, b, c, d: np.full(len(a), len(a))), "divide by the number of words"),
    ("11.2", over(lambda a, b, c, d: d @ c.sum(axis=0)), "denominators sum over the queries"),
    ("11.2", over(lambda a, b, c, d: (c @ d.sum(axis=0)).sum() + 0 * c[:, 0]), "divide by one number"),
    ("11.2", over(lambda a, b, c, d: np.abs(a @ b.T).sum(axis=1)), "the sum below has bare features"),
    ("11.2", swapped_sums, "above and below have changed places"),
    ("11.2", lambda q, k, v, at, theta: equation_19(q, k, rotate(v, at, theta), at, theta), "the values are turned"),
    ("11.2", lambda q, k, v, at, theta: equation_19(k, q, v, at, theta), "queries and keys have changed places"),
    ("11.2", lambda q, k, v, at, theta: masked(*sides(q, k, at, theta)[2:], v), "yours is"),
    ("11.2", over(lambda a, b, c, d: (c @ d.T).sum(axis=1)), "a table of T² weights"),
    ("11.2", lambda q, k, v, at, theta: equation_19(q, k, v, at, theta)[:, :3], "yours have (7, 3)"),
    ("11.2", lambda q, k, v, at, theta: equation_19(q, k, v, at, theta) if len(q) < 9 else None, "nothing for 3,000 words"),
    ("11.3", keeps_all_words, "it grows. Keep the sums, not the words"),
    ("11.3", keeps_positions, "it grows. Keep the sums, not the words"),
    ("11.3", partial(room_for_words, 1000), "Room for a number of words is full after so many"),
    ("11.3", partial(room_for_words, 64), "Room for a number of words is full after so many"),
    ("11.3", partial(room_for_words, 30), "stopped with IndexError"),
    ("11.3", words_in_a_closure, "it grows. Keep the sums, not the words"),
    ("11.3", words_in_slots, "it grows. Keep the sums, not the words"),
    ("11.3", words_in_text, "it grows. Keep the sums, not the words"),
    ("11.3", lambda state, q, k, v, at, theta: step(state, q, k, v, int(at), theta), "you round the position"),
    ("11.3", in_place, "changes the state that it is handed"),
    ("11.3", total_in_place, "changes the state that it is handed"),
    ("11.3", partial(step, late=(True, True)), "add it to the sums before you read them"),
    ("11.3", lambda state, *word: (np.nan_to_num((new := step(state, *word, late=(True, True)))[0]), new[1]), "A word sees itself: add first, then read"),
    ("11.3", partial(step, late=(True, False)), "not in the matrix that is read"),
    ("11.3", lambda state, *word: (np.nan_to_num((new := step(state, *word, late=(False, True)))[0], posinf=0, neginf=0), new[1]),
     "not in the denominator"),
    ("11.3", partial(step, bare=False), "the sum below has bare features"),
    ("11.3", partial(of_form, name="rotate first"), "Features first"),
    ("11.3", partial(of_form, name="plain"), "nothing is turned"),
    ("11.3", partial(step, turn_k=still), "only the queries are turned"),
    ("11.3", partial(step, turn_q=still), "only the keys are turned"),
    ("11.3", partial(step, turn_k=moved(-1)), "the position before its own"),
    ("11.3", partial(step, turn_k=moved(1)), "the position after its own"),
    ("11.3", partial(step, turn_q=back, turn_k=back), "the offsets have the other sign"),
    ("11.3", partial(step, turn_k=back), "turned in opposite ways"),
    ("11.3", partial(step, turn_q=back), "turned in opposite ways"),
    ("11.3", partial(step, turn_q=rotate_half_split, turn_k=rotate_half_split), "use rotate, not rotate_half_split"),
    ("11.3", counts_words, "use at"),
    ("11.3", lambda state, q, k, v, at, theta: step(state, q, k, v, at, frequencies(len(q))), "speeds of base 10000"),
    ("11.3", partial(step, phi=elu), "feature_map has the 1"),
    ("11.3", partial(step, phi=lambda x: x), "their own features"),
    ("11.3", partial(step, divide=False), "not divided"),
    ("11.3", all_divided, "Keep the sums, and divide the output only"),
    ("11.3", forgets, "your output is the new word's value"),
    ("11.3", lambda state, *word: (step(state, *word)[0], state), "your output is the new word's value"),
    ("11.3", with_one_memory(forget=False), "the words of the text before this one"),
    ("11.3", with_one_memory(forget=True), "one disturbs the other"),
    ("11.3", lambda state, *word: step(state, *word)[::-1], "in the output, the first of the two"),
    ("11.3", lambda state, *word: step(state, *word)[1], "Return the output first, then the state"),
    ("11.3", lambda state, *word: step(state, *word)[0], "Return two things"),
    ("11.3", lambda state, *word: (step(state, *word)[0] + 1, step(state, *word)[1]), "yours is"),
    ("11.3", lambda state, *word: step(state, *word) if state is None else None, "nothing for a text at 0, 1, 2, …, word 1"),
    ("11.4", over_offsets, "first offsets of one rotation"),
    ("11.4", partial(over_offsets, count=5000), "lower than your"),
    ("11.4", partial(over_offsets, base=500.0), "lower than your"),
    ("11.4", lambda a, b: -lowest(a, b), "that is the highest share"),
    ("11.4", lambda a, b: -1, "A pair's vectors need not be parallel"),
    ("11.4", lambda a, b: -(lengths(a) + lengths(b)).sum() / (a @ b), "you add the lengths of a pair"),
    ("11.4", lambda a, b: -lengths(a).sum() * lengths(b).sum() / (a @ b), "you multiply sums of lengths"),
    ("11.4", lambda a, b: -np.linalg.norm(a) * np.linalg.norm(b) / (a @ b), "you turn all D features freely"),
    ("11.4", lambda a, b: -lengths(a) @ lengths(b), "divide it by the bare one"),
    ("11.4", lambda a, b: -lengths(a) @ lengths(b) / np.linalg.norm(a) / np.linalg.norm(b), "lengths of the whole rows"),
    ("11.4", lambda a, b: -lengths(a) @ lengths(b) / a.sum() / b.sum(), "product of the sums"),
    ("11.4", lambda a, b: -half_split_lengths(a) @ half_split_lengths(b) / (a @ b), "Neighbours pair up here"),
    ("11.4", lambda a, b: -(lengths(a) ** 2) @ lengths(b) ** 2 / (a @ b), "the roots are missing"),
    ("11.4", lambda a, b: lowest(a, b) * 2 / len(a), "mean over the pairs"),
    ("11.4", lambda a, b: -(lengths(a) * lengths(b)).max() / (a @ b), "lowest pair alone"),
    ("11.4", lambda a, b: -lengths(a) * lengths(b) / (a @ b), "Return one number"),
    ("11.4", partial(by_searching, count=101), "gives -1.05979, lower than your -1.05941"),
    ("11.4", lambda a, b: 2 * lowest(a, b), "no choice of angles gives"),
    ("11.4", lambda a, b: lowest(a, b) if len(a) > 2 else None, "nothing for D = 2"),
]

# Right answers, spelled in other ways than the solutions.
ALSO_RIGHT = [
    ("11.1", by_sums),
    ("11.1", word_by_word),
    ("11.1", in_single),
    ("11.1", lambda a, b, v: summed(a, b, a, b, v)),
    ("11.1", lambda a, b, v: np.einsum("tf,fe->te", a, np.einsum("sf,se->fe", b, v)) / np.einsum("tf,f->t", a, b.sum(axis=0))[:, None]),
    ("11.2", equation_19),
    ("11.2", form("equation 19")),
    ("11.2", by_complex_numbers),
    ("11.2", by_torch),
    ("11.2", at_other_places(lambda at: at + 1000)),
    ("11.2", lambda q, k, v, at, theta: equation_19(q.astype(np.float32), k.astype(np.float32), v, at, theta)),
    ("11.3", step),
    ("11.3", partial(of_form, name="equation 19")),
    ("11.3", with_an_object),
    ("11.3", transposed_in_one_array),
    ("11.3", step_in_torch),
    ("11.3", copies_first),
    ("11.3", sums_in_text),
    ("11.3", sums_in_bytes),
    ("11.3", turned_back),
    ("11.3", with_gradients),
    ("11.4", lowest),
    ("11.4", by_searching),
    ("11.4", lambda a, b: [-np.abs((a[0::2] + 1j * a[1::2]) * (b[0::2] + 1j * b[1::2])).sum() / np.vdot(a, b)]),
    ("11.4", lambda a, b: torch.tensor(lowest(a, b))),
]
