"""For the checker of exercise 15.4: pieces of addresses, their standard errors, and what mistakes make of these."""

import numpy as np


def _pieces(seed, *sizes):
    """right (N,) and address (N,), from 0 in order: of each address about as many pieces as its size, of which most are right, or few."""
    rng = np.random.default_rng([154, seed])
    easy = rng.random(len(sizes))
    address = np.repeat(np.arange(len(sizes)), sizes)
    return (rng.random(len(address)) < easy[address]).astype(float), address


def _shuffled(seed, right, address, ids):
    order = np.random.default_rng(seed).permutation(len(right))
    return right[order], np.asarray(ids)[address[order]]


ADDRESSES = (  # name, right, address
    ("addresses of 3, 1, 5, 2 and 4 pieces",
     np.array([1.0, 1, 0, 1, 0, 0, 1, 0, 0, 1, 1, 1, 1, 0, 1]), np.repeat(range(5), (3, 1, 5, 2, 4))),
    ("pieces in any order", *_shuffled(1, *_pieces(1, 4, 2, 7, 3, 1), range(5))),
    ("pieces that are addresses of their own", *_shuffled(2, *_pieces(2, *[1] * 12), range(12))),
    ("addresses that are numbered by years", *_shuffled(3, *_pieces(3, 5, 6, 1, 3), (1801, 1861, 1790, 2026))),
    ("addresses with negative numbers", *_shuffled(4, *_pieces(4, 2, 5, 8), (-3, 1, -40))),
    ("addresses with huge numbers", *_shuffled(5, *_pieces(5, 3, 3, 6, 4), (10**15, 7, -(10**15), 10**15 + 1))),
    ("a single address", np.array([1.0, 0, 1]), np.array([4, 4, 4])),
    ("right answers only", np.ones(6), np.array([1, 0, 1, 1, 0, 2])),
)


def clustered(right, address, total=np.square, numbered=None, over=lambda N, G: N, sums=np.add.at, p=None):
    """The right answer to 15.4, with its mistakes as options: right and address are arrays (N,).

    total     of the sums s_a, which are added up then
    numbered  address -> the addresses' numbers from 0, (N,)
    over      (N, G) -> what the root is divided by, for G addresses
    sums      like np.add.at, which fills the s_a
    p         (right, numbers) -> what is subtracted
    """
    at = (numbered or _numbers)(address)
    s = np.zeros(at.max() + 1)
    sums(s, at, right - (p or _overall)(right, at))
    return np.sqrt(total(s).sum()) / over(len(right), len(s))


def _numbers(address):
    return np.unique(address, return_inverse=True)[1]


def _overall(right, at):
    return right.mean()


def _means(right, at):
    """(G,) accuracy of each address."""
    return np.bincount(at, right) / np.bincount(at)


def _by_runs(address):
    return np.cumsum(np.diff(address, prepend=address[0]) != 0)


def _put_once(s, at, x):
    for place, value in zip(at, x):
        s[place] = value


def _averaged(s, at, x):
    s += np.bincount(at, x) / np.bincount(at)


def _change(**options):
    return lambda right, address: clustered(right, address, **options)


def _scatter_of_means(ddof):
    def wrong(right, address):
        means = _means(right, _numbers(address))
        return means.std(ddof=ddof) / np.sqrt(len(means)) if len(means) > ddof else None
    return wrong


def _some(which):
    """15.4 with only those addresses whose numbers pass; None where all do."""

    def wrong(right, address):
        there = which(address, len(np.unique(address)))
        left = np.where(there, right, right.mean())
        return clustered(left, address, p=lambda *_: right.mean()) if not there.all() else None
    return wrong


_LEFT_OUT = "numbers of addresses need not begin at 0 or follow each other, so you leave some out. Go through torch.unique(address)."
_SUM = "s_a is the sum over the pieces of an address, not their mean: a long address counts for more."
_DDOF = "the formula has no −1: p is taken as it is, and the sum is divided by N, once, outside the root."
ERROR_MISTAKES = (  # on right, address
    ("that is √(p (1 − p) / N), as if all pieces were independent. Add up within each address first, then square.",
     lambda right, address: np.sqrt(right.mean() * (1 - right.mean()) / len(right))),
    (_LEFT_OUT, _some(lambda address, G: address >= 0)),
    (_LEFT_OUT, _some(lambda address, G: (0 <= address) & (address < G))),
    ("an address is not always in one piece: its pieces may stand anywhere. Add up by number, not along runs of equal numbers.",
     _change(numbered=_by_runs)),
    ("1/N stands outside the root: divide by N, not by √N.", _change(over=lambda N, G: np.sqrt(N))),
    ("divide the root by N: 1/N is missing.", _change(over=lambda N, G: 1)),
    ("divide the root by N, the number of pieces, not by that of addresses.", _change(over=lambda N, G: G)),
    ("divide the root by N, the number of pieces, not by the root of that of addresses.", _change(over=lambda N, G: np.sqrt(G))),
    ("that is the variance. Take the root.", lambda *case: clustered(*case) ** 2),
    (_SUM, _change(sums=_averaged)),
    (_SUM, _change(sums=_averaged, over=lambda N, G: G)),
    (_SUM, _scatter_of_means(0)),
    (_SUM, _scatter_of_means(1)),
    ("`s[number] += x` adds once where a number comes several times. Use index_add_, or bincount with weights.", _change(sums=_put_once)),
    (_DDOF, _change(over=lambda N, G: N - 1)),
    (_DDOF, _change(over=lambda N, G: np.sqrt(N * (N - 1)))),
    (_DDOF, _change(over=lambda N, G: N * np.sqrt((G - 1) / G) if G > 1 else 1)),
    ("subtract p from each piece: without it, s_a counts right answers.", _change(p=lambda right, at: 0)),
    ("p is the accuracy of all pieces, not the mean of the addresses' accuracies.", _change(p=lambda right, at: _means(right, at).mean())),
    ("p is the accuracy of all pieces. About its own accuracy, each address adds up to 0.",
     _change(p=lambda right, at: _means(right, at)[at])),
    ("square each s_a, then add up; you add up their sizes.", lambda *case: clustered(*case, total=np.abs) ** 2 * len(case[0])),
)
