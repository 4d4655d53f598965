"""Claims about ropebook.rotary: the module turns as the NumPy rotation wherever it is moved, and decoding equals the full forward pass."""

import copy
import io
import pickle
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mutation import failures, mutated
from rotation_claims import EPS, refuse, rounding
from torch.nn.functional import scaled_dot_product_attention

import ropebook
from ropebook import rotary
from ropebook.layouts import head_rows_to_interleaved

D, N = 8, 64  # features of a head, positions of a table
LARGEST = 6  # no entry of any q, k, v, gradient or weight below is larger: normal() looks
TURNED = LARGEST * np.sqrt(2) * rounding(2, 0)  # float64: what rounding may do to a feature of a turned pair


def normal(*shape, dtype=torch.float64, seed=0):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert x.numel() == 0 or x.abs().max() < LARGEST
    return x.to(dtype)


def close(got, expected, bound):
    torch.testing.assert_close(got, expected, rtol=0, atol=float(bound))


def by_hand(x, positions, base=10000.0, rotated=None, way=1):
    """Each sequence turned by `ropebook.rotate` at its own positions (B, T), and the features after the first `rotated` left."""
    rotated = x.shape[-1] if rotated is None else rotated
    theta, positions = ropebook.frequencies(rotated, base), np.broadcast_to(positions, (x.shape[0], x.shape[2]))
    out = x.detach().double().clone()
    for b, row in enumerate(positions):
        out[b, ..., :rotated] = torch.from_numpy(ropebook.rotate(out[b, ..., :rotated].numpy(), way * row, theta))
    return out


def unequal_positions(B, T, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, N, (B, T)))


# ---- Rotary --------------------------------------------------------------------------------------

SIZES = ((2, 2, 2, 2), (3, 4, 2, 3), (1, 2, 1, 1), (2, 6, 1, 4), (4, 1, 1, 2))  # B, H, Hk, T: B = H = T hides nothing


def turns_as_the_numpy_rotation(lib):
    """Whole and partial, at a first position, shared positions and positions of each sequence; k with fewer heads; gradients, too."""
    for B, H, Hk, T in SIZES:
        q, k, of_q, of_k = (normal(B, heads, T, D, seed=i) for i, heads in enumerate((H, Hk, H, Hk)))
        own = unequal_positions(B, T)
        for rotated, base in ((None, 500.0), (8, 10000.0), (6, 500.0)):
            module = lib.Rotary(D, N, base, rotated)
            for given in (5, np.int64(N - T), own[0], own[0].int(), own, own.int()):
                at = given + np.arange(T) if np.ndim(given) == 0 else given.numpy()
                x, y = q.clone().requires_grad_(), k.clone().requires_grad_()
                turned = module(x, y, given)
                ((turned[0] * of_q).sum() + (turned[1] * of_k).sum()).backward()
                for got, start, way in zip((*turned, x.grad, y.grad), (q, k, of_q, of_k), (1, 1, -1, -1)):
                    close(got, by_hand(start, at, base, rotated, way), TURNED)
                    if rotated:
                        close(got[..., rotated:], start[..., rotated:], 0)
                assert torch.equal(x, q) and torch.equal(y, k)


def angles_are_exact_in_every_dtype(lib):
    """At positions beyond 2^16, which bfloat16 cannot hold: the result is rounded, its angles are not; autocast changes nothing."""
    module, start = lib.Rotary(64, 2**17), 2**17 - 3
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        q, k = normal(1, 2, 3, 64, dtype=dtype), normal(1, 1, 3, 64, dtype=dtype, seed=1)
        turned = module(q, k, start)
        with torch.autocast("cpu", torch.bfloat16):
            again = module(q, k, start)
        for x, got, same in zip((q, k), turned, again):
            exact = by_hand(x, start + np.arange(3))
            # x, table, two products and a sum in float32, and the result's own rounding
            bound = 6 * 2.0**-24 * LARGEST * np.sqrt(2) + 1.01 * torch.finfo(dtype).eps / 2 * exact.abs()
            assert got.dtype == same.dtype == dtype and ((got.double() - exact).abs() <= bound).all()
            close(same, got, 0)


MOVES = {
    "bfloat16 and back": lambda m: m.to(torch.bfloat16).double(),
    "half": lambda m: m.half(),
    "float64": lambda m: m.to(torch.float64),
    "to_empty": lambda m: m.to_empty(device="cpu"),
    "meta and back": lambda m: m.to("meta").to_empty(device="cpu"),
    "deepcopy": lambda m: copy.deepcopy(m.half()),
    "loaded weights": lambda m: [m.load_state_dict(m.state_dict()), m][1],
    "a call in inference mode": lambda m: [torch.inference_mode()(m[0])(*normal(2, 1, 1, 2, D, dtype=torch.float32), 0), m][1],
}


def tables_survive_every_move(lib):
    """Bit for bit, as a part of a model that has weights; and no table is among the weights."""
    for name, move in MOVES.items():
        for context in (nullcontext(), torch.device("meta"), torch.inference_mode()):
            with context:
                module = lib.Rotary(D, N)
            moved = move(torch.nn.Sequential(module, torch.nn.Linear(2, 2)))[0]
            assert not moved.state_dict() and not list(moved.parameters()) and not list(moved.buffers())
            for dtype in (torch.float64, torch.float32):
                q = normal(2, 3, 4, D, dtype=dtype).requires_grad_()
                turned, expected = moved(q, q, 7)[0], lib.Rotary(D, N)(q, q, 7)[0]
                turned.sum().backward()  # made or moved in inference mode, the table would refuse
                assert torch.equal(turned, expected), name


def the_table_goes_with_the_model(lib):
    """To the model's device when it moves, without a call; a q elsewhere is still turned, and a call changes nothing in the module."""
    assert lib.Rotary(D, N).to("meta").table.device.type == "meta"
    with torch.inference_mode():
        inner = lib.Rotary(D, N).half()
    inner(*normal(2, 1, 2, 3, D, dtype=torch.float32).requires_grad_(), 0)[0].sum().backward()
    module = lib.Rotary(D, N)
    before = dict(vars(module))
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        for q, positions in ((normal(2, 3, 4, D, dtype=dtype).to("meta"), torch.zeros(2, 4, dtype=torch.int64, device="meta")),
                             (normal(2, 3, 4, D, dtype=dtype).to("meta"), torch.zeros(4, dtype=torch.int64)),
                             (normal(2, 3, 4, D, dtype=dtype), 3)):
            turned = module(q, q[:, :1], positions)[1]
            assert (turned.shape, turned.dtype, turned.device) == ((2, 1, 4, D), dtype, q.device)
    assert vars(module).keys() == before.keys() and all(vars(module)[name] is before[name] for name in before)


def compiled_code_is_one_graph(lib):
    """Numbers as without; new numbers in a position tensor ask for no new graph, and a second offset for one that fits all others."""
    graphs, module = [], lib.Rotary(D, N)
    torch._dynamo.reset()

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    # a function of `lib` itself, not within another: see the note on compiled claims in test_rotation.py
    compiled = partial(torch.compile(lib.Rotary.forward, fullgraph=True, backend=backend), module)
    bound = 6 * 2.0**-24 * LARGEST * np.sqrt(2) * 2  # two roads of float32
    q, k = normal(2, 4, 3, D, dtype=torch.float32), normal(2, 2, 3, D, dtype=torch.float32)
    for kinds, most in (([0, 9, 17, N - 3], 2), ([unequal_positions(2, 3, seed)[0] for seed in range(4)], 1),
                        ([unequal_positions(2, 3, seed) for seed in range(4)], 1)):
        graphs.clear()
        for positions in kinds:
            for got, expected in zip(compiled(q, k, positions), module(q, k, positions)):
                close(got, expected, bound)
        assert len(graphs) <= most
    for outside in (-1, N):  # the lookup stops: −1 is not the last row
        try:
            compiled(q, k, torch.tensor([0, outside, 1]))
        except IndexError:
            continue
        raise AssertionError(f"position {outside} was looked up")


def bad_calls_are_refused(lib):
    """Each with the numbers; the module and its arguments stay as they were."""
    module = lib.Rotary(D, N)
    q, k = normal(2, 4, 3, D), normal(2, 2, 3, D)
    before = q.clone(), k.clone(), module.table.clone(), module.exact.clone()
    tokens = lambda *shape, **kind: torch.zeros(shape, **dict(dtype=torch.int64) | kind)
    for shape in ((4,), (2,), (2, 4), (3, 2), (3, 3), (1, 3), (2, 1), (), (2, 3, 1)):
        refuse(lambda: module(q, k, tokens(*shape)), str(shape), "(3,)", "(2, 3)")
    for dtype in (torch.float32, torch.bool, torch.complex64, torch.uint8):
        refuse(lambda: module(q, k, tokens(3, dtype=dtype)), str(dtype), "int64")
    for given in (1.5, 1.0, True, None, [0, 1, 2], "1", np.arange(3)):
        refuse(lambda: module(q, k, given), repr(given), "integer")
    refuse(lambda: module(q, k, -1), "-1", str(N - 1))
    refuse(lambda: module(q, k, N - 2), f"{N - 2} … {N}", str(N - 1))
    for outside in (-1, N, -(2**40), 2**40):
        for shape in ((3,), (2, 3)):
            positions = tokens(*shape)
            positions[..., 1] = outside
            refuse(lambda: module(q, k, positions), str(outside), str(N - 1))
    refuse(lambda: module(q, k[:, :, :2], 0), "(2, 4, 3, 8)", "(2, 2, 2, 8)")
    refuse(lambda: module(q, k[:1], 0), "(2, 4, 3, 8)", "(1, 2, 3, 8)")
    for bad in (k[..., :6], k[0], k[None], normal(2, 2, 3, D + 2)):
        refuse(lambda: module(q, bad, 0), "k", str(tuple(bad.shape)), "8")
        refuse(lambda: module(bad, k, 0), "q", str(tuple(bad.shape)), "8")
    refuse(lambda: module(q, k.float(), 0), "float64", "float32")
    refuse(lambda: module(q, k.to("meta"), 0), "q and k", "cpu", "meta")
    refuse(lambda: module(q.long(), k.long(), 0), "int64")
    assert all(torch.equal(*pair) for pair in zip(before, (q, k, module.table, module.exact)))


def bad_modules_are_refused(lib):
    for dim in (7, 0, -2, 8.0):
        refuse(lambda: lib.Rotary(dim, N), "head_dim", str(dim))
    for base in (float("nan"), float("inf"), 0.0, -10000.0):
        refuse(lambda: lib.Rotary(D, N, base), "base", str(base))
    for rotated in (3, 10, 0, -2, 4.0, True):
        refuse(lambda: lib.Rotary(D, N, rotated=rotated), "rotated", repr(rotated), "8")
    for most in (0, -1, 2.5, 64.0, True, None):
        refuse(lambda: lib.Rotary(D, most), "max_positions", repr(most))


ROTARY_CLAIMS = [bad_modules_are_refused, bad_calls_are_refused, angles_are_exact_in_every_dtype, tables_survive_every_move,
                 the_table_goes_with_the_model, turns_as_the_numpy_rotation, compiled_code_is_one_graph]  # the quick ones first


# ---- the cache, and decoding ---------------------------------------------------------------------

def attention_bound(T):
    """Between two roads to softmax(q·k / √D) v in float64, q and k rotated on each.

    A score errs by the rounding of two turned rows and of a sum of D products; a weight by twice that, relatively, and by exp and a
    sum of T; then T products with v are summed, of weights that sum to 1.
    """
    score = LARGEST**2 * D / np.sqrt(D) * 3 * rounding(D, 0)
    return 2 * LARGEST * (2 * score + (2 * T + 8) * EPS)


def causal(q, k, v):
    return scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)  # (B, H, T, D)


def decode(lib, q, k, v, chunks, positions=None):
    """Attention of each chunk of tokens over the cache, side by side: (B, H, T, D). Positions (B, T), or the slots."""
    (B, _, T, _), Hk = q.shape, k.shape[1]
    module, cache, out, start = lib.Rotary(D, N), lib.KeyValueCache(B, Hk, T, D, torch.float64), [], 0
    for length in chunks:
        new = slice(start, start + length)
        turned_q, turned_k = module(q[:, :, new], k[:, :, new], start if positions is None else positions[:, new])
        keys, values = cache.write(turned_k, v[:, :, new], start)
        seen = torch.arange(start + length) <= torch.arange(start, start + length)[:, None]  # (length, start + length)
        out.append(scaled_dot_product_attention(turned_q, keys, values, attn_mask=seen, enable_gqa=True))
        start += length
    assert start == T and cache.filled == T
    return torch.cat(out, dim=2)


def decoding_equals_the_full_forward(lib):
    """Token by token, in chunks, and a prompt followed by tokens, against causal attention over rows that NumPy turned."""
    T = 7
    for B, H, Hk in ((2, 4, 2), (2, 2, 2), (1, 3, 1), (7, 7, 7)):
        q, k, v = (normal(B, heads, T, D, seed=i) for i, heads in enumerate((H, Hk, Hk)))
        own = torch.arange(T) + 11 * torch.arange(B)[:, None] % 50  # sequences that begin elsewhere
        for positions in (None, own):
            at = np.arange(T) if positions is None else positions.numpy()
            full = causal(by_hand(q, at), by_hand(k, at), v)
            for chunks in ([1] * T, [T], [4, 1, 1, 1], [2, 3, 2]):
                close(decode(lib, q, k, v, chunks, positions), full, attention_bound(T))


def packed_sequences_are_separate_ones(lib):
    """Sequences side by side in one row, positions from 0 in each and a mask between them, equal each by itself."""
    lengths, module = (3, 2, 4), lib.Rotary(D, N)
    q, k, v = normal(3, 1, 2, sum(lengths), D)
    document = torch.repeat_interleave(torch.arange(3), torch.tensor(lengths))
    positions = torch.cat([torch.arange(length) for length in lengths])
    mask = (document[:, None] == document) & (positions[:, None] >= positions)
    packed = scaled_dot_product_attention(*module(q, k, positions[None]), v, attn_mask=mask)
    alone = [causal(*module(a, b, 0), c) for a, b, c in zip(*(x.split(lengths, dim=2) for x in (q, k, v)))]
    close(packed, torch.cat(alone, dim=2), attention_bound(sum(lengths)))


def the_cache_holds_what_was_written(lib):
    for dtype in (torch.float64, torch.bfloat16):
        cache = lib.KeyValueCache(2, 3, 5, D, dtype)
        k, v = normal(2, 2, 3, 5, D, dtype=dtype)
        for start, end in ((0, 2), (2, 3), (3, 3), (3, 5), (5, 5)):
            keys, values = cache.write(k[:, :, start:end], v[:, :, start:end], start)
            assert cache.filled == end and torch.equal(keys, k[:, :, :end]) and torch.equal(values, v[:, :, :end])
            assert keys.data_ptr() == cache.keys.data_ptr() and values.data_ptr() == cache.values.data_ptr()  # views, no copies


def an_earlier_start_forgets_the_rest(lib):
    """Writing one slot too early overwrites and shortens; one too late is refused, also after shortening."""
    cache, (k, v), (other, another) = lib.KeyValueCache(1, 2, 6, D, torch.float64), normal(2, 1, 2, 5, D), normal(2, 1, 2, 1, D, seed=1)
    cache.write(k, v, 0)
    keys, values = cache.write(other, another, np.int64(2))
    assert cache.filled == 3
    assert torch.equal(keys, torch.cat([k[:, :, :2], other], 2)) and torch.equal(values, torch.cat([v[:, :, :2], another], 2))
    refuse(lambda: cache.write(other, another, 4), "4", "gap", "3")
    refuse(lambda: cache.write(other, another, 5), "5", "gap", "3")


def bad_writes_are_refused(lib):
    """Each with the numbers; keys, values and what counts as filled stay, wherever the fault lies."""
    cache = lib.KeyValueCache(2, 3, 5, D, torch.float64)
    cache.keys.fill_(7), cache.values.fill_(7)  # fresh memory may hold NaN, which equals nothing
    k, v = normal(2, 2, 3, 2, D)
    cache.write(k, v, 0)
    cache.write(k, v, 2)
    before = cache.keys.clone(), cache.values.clone()
    k, v = normal(2, 2, 3, 2, D, seed=1)
    for start in (-1, 1.0, 0.5, True, None, torch.tensor(1)):
        refuse(lambda: cache.write(k, v, start), "start", repr(start))
    refuse(lambda: cache.write(k, v, 5), "5", "gap", "4")
    refuse(lambda: cache.write(k, v, 4), "4 … 5", "5")
    for bad in (k[:, :, :1], k[..., :6], k[:, :2], k[:1], k[0], k[0, 0, 0], normal(2, 3, 2, 1), normal(2, 1, 2, D), normal(1, 3, 2, D)):
        refuse(lambda: cache.write(k, bad, 0), "v", str(tuple(bad.shape)), "(2, 3, T, 8)")
    for bad in (k[..., :6], k[:, :2], k[:1], k[0], k[0, 0, 0]):
        refuse(lambda: cache.write(bad, bad, 0), "k", str(tuple(bad.shape)), "(2, 3, T, 8)")
    wants_gradient = k.clone().requires_grad_()
    for bad, words in ((k.float(), ("float64", "float32")), (k.to("meta"), ("cpu", "meta")), (wants_gradient, ("gradients", "no_grad"))):
        refuse(lambda: cache.write(bad, v, 0), "k", *words)
        refuse(lambda: cache.write(k, bad, 0), "v", *words)
    assert cache.filled == 4 and torch.equal(cache.keys, before[0]) and torch.equal(cache.values, before[1])
    with torch.no_grad():
        cache.write(wants_gradient, v, 1)
    assert torch.equal(cache.keys[:, :, 1:3], k) and cache.filled == 3 and not cache.keys.requires_grad


def bad_caches_are_refused(lib):
    sizes = dict(batch=2, heads=3, slots=5, head_dim=D)
    for name in sizes:
        for size in (0, -1, 2.5, 2.0, True, None):
            refuse(lambda: lib.KeyValueCache(**sizes | {name: size}), name, repr(size))
    on_meta = lib.KeyValueCache(**sizes, dtype=torch.float16, device="meta")
    assert (on_meta.keys.shape, on_meta.values.dtype, on_meta.values.device.type) == ((2, 3, 5, D), torch.float16, "meta")


CACHE_CLAIMS = [the_cache_holds_what_was_written, an_earlier_start_forgets_the_rest, bad_writes_are_refused, bad_caches_are_refused]
JOINT_CLAIMS = [decoding_equals_the_full_forward, packed_sequences_are_separate_ones]


@pytest.mark.parametrize("claim", ROTARY_CLAIMS + CACHE_CLAIMS + JOINT_CLAIMS, ids=lambda claim: claim.__name__)
def test_rotary(claim):
    claim(rotary)


ROTARY_MUTANTS = [
    ("np.zeros_like(frequencies(head_dim, base))", "frequencies(head_dim, base)"),  # the rest turns, too
    ("theta[: rotated // 2] = frequencies(rotated, base)", "theta[: rotated // 2] = frequencies(head_dim, base)[: rotated // 2]"),
    ("theta[: rotated // 2] = frequencies(rotated, base)", "theta[: rotated // 2] = frequencies(rotated)"),
    ("theta[: rotated // 2] = frequencies(rotated, base)", "theta[-(rotated // 2) :] = frequencies(rotated, base)"),
    ("not _whole(rotated) or", "not isinstance(rotated, (int, float)) or"),
    ("rotated % 2 or not", "not"),
    ("not 2 <= rotated <= head_dim", "not 2 <= rotated"),
    ("not 2 <= rotated <= head_dim", "not 0 <= rotated <= head_dim"),
    ("not _whole(max_positions) or max_positions < 1", "max_positions < 1"),
    ("not _whole(max_positions) or max_positions < 1", "not _whole(max_positions) or max_positions < 0"),
    ("        with torch.inference_mode(False):  # made", "        with torch.inference_mode(torch.is_inference_mode_enabled()):  # made"),
    ("        with torch.inference_mode(False):\n", "        if True:\n"),
    ("range(max_positions), theta, torch.float64", "range(max_positions), theta, torch.float32"),
    ("range(max_positions), theta", "range(1, max_positions + 1), theta"),
    ("self.table = self.exact.float()\n", "self.register_buffer('table', self.exact.float())\n"),
    ("self.table = self.exact.float()\n", "self.register_buffer('table', self.exact.float(), persistent=False)\n"),
    ("self.table = self.exact.float()\n", "self.table = self.exact.bfloat16().float()\n"),
    ("        self._check(q, k)\n        index", "        index"),
    ("self.exact if q.dtype == torch.float64 else self.table", "self.table"),
    ("table.to(q.device)[index]", "table[index]"),
    ("table.to(q.device)[index]  #", "table.to(q.device)[index].to(q.dtype).to(table.dtype)  #"),  # angles rounded to bfloat16
    ("table.to(q.device)[index]  #", "table.to(q.device)[index] * torch.tensor([1, -1])  #"),
    ("return apply_table(q, rows), apply_table(k, rows)", "return apply_table(q, rows), k"),
    ("return apply_table(q, rows), apply_table(k, rows)", "return apply_table(q, rows), apply_table(k, rows[: k.shape[1]])"),
    ("return apply_table(q, rows), apply_table(k, rows)", "return apply_table(q, rows), apply_table(k, table.to(q.device)[: q.shape[2]])"),
    ("        super()._apply(fn, recurse)\n", "        return super()._apply(fn, recurse)\n"),
    ("self.exact.float().to(device)", "fn(self.table)"),
    ("self.exact.float().to(device)", "self.table.to(device)"),
    ("if start < 0 or end", "if end"),
    ("end > self.max_positions", "end > self.max_positions + 1"),
    ("return slice(start, end)", "return slice(0, q.shape[2])"),
    ("positions.dtype not in (torch.int64, torch.int32)", "positions.dtype == torch.bool"),
    ("positions.shape not in ((T,), (B, T))", "positions.shape[-1:] != (T,)"),
    ("positions.shape not in ((T,), (B, T))", "positions.shape not in ((T,), (B, T), (1, T))"),
    (" and not torch.compiler.is_compiling()", ""),
    ("(positions < 0) | (positions >= self.max_positions)", "positions < 0"),
    ("(positions < 0) | (positions >= self.max_positions)", "positions >= self.max_positions"),
    ("torch.where(positions < 0, self.max_positions, positions)", "positions"),
    ("(q.shape[0], q.shape[2]) != (k.shape[0], k.shape[2])", "q.shape[2] != k.shape[2]"),
    ("(q.shape[0], q.shape[2]) != (k.shape[0], k.shape[2])", "q.shape[0] != k.shape[0]"),
    ("(q.shape[0], q.shape[2]) != (k.shape[0], k.shape[2])", "q.shape[:3] != k.shape[:3]"),
    ("(q.dtype, q.device) != (k.dtype, k.device)", "q.device != k.device"),
    ("(q.dtype, q.device) != (k.dtype, k.device)", "q.dtype != k.dtype"),
    ("x.ndim != 4 or x.shape[-1] != self.head_dim", "x.ndim != 4"),
    ("isinstance(value, Integral) and not isinstance(value, bool)", "isinstance(value, Integral)"),
    ("isinstance(value, Integral) and not isinstance(value, bool)", "isinstance(value, int) and not isinstance(value, bool)"),
]
CACHE_MUTANTS = [
    ("if not _whole(size) or size < 1:", "if size < 1:"),
    ("if not _whole(size) or size < 1:", "if not _whole(size) or size < 0:"),
    ("dtype=dtype, device=device", "dtype=dtype"),
    ("for _ in range(2))\n        self.filled", "for _ in range(2))\n        self.values = self.keys\n        self.filled"),
    ("        self._check(k, v, start)\n", ""),
    ("        self._check(k, v, start)\n        end = start + k.shape[2]\n        self.keys[:, :, start:end] = k",
     "        end = start + k.shape[2]\n        self.keys[:, :, start:end] = k\n        self._check(k, v, start)"),
    ("self.keys[:, :, start:end] = k", "self.keys[:, :, self.filled:end] = k"),
    ("self.values[:, :, start:end] = v", "self.values[:, :, start:end] = k"),
    ("self.filled = end", "self.filled = max(self.filled, end)"),
    ("self.filled = end", "self.filled += k.shape[2]"),
    ("return self.keys[:, :, :end], self.values[:, :, :end]", "return self.keys[:, :, start:end], self.values[:, :, start:end]"),
    ("return self.keys[:, :, :end], self.values[:, :, :end]", "return self.keys, self.values"),
    ("return self.keys[:, :, :end], self.values[:, :, :end]", "return self.keys[:, :, :end].clone(), self.values[:, :, :end]"),
    ('(("k", k), ("v", v)):\n            if x.ndim != 4 or x.shape != (B', '(("k", k),):\n            if x.ndim != 4 or x.shape != (B'),
    ("x.shape != (B, H, k.shape[-2], D)", "x.shape[2:] != (k.shape[-2], D)"),
    ("x.shape != (B, H, k.shape[-2], D)", "x.shape != (B, H, x.shape[-2], D)"),
    ("x.ndim != 4 or x.shape != (B", "x.shape != (B"),
    ("(x.dtype, x.device) != (self.keys.dtype, self.keys.device)", "x.device != self.keys.device"),
    ("(x.dtype, x.device) != (self.keys.dtype, self.keys.device)", "x.dtype != self.keys.dtype"),
    ("if torch.is_grad_enabled() and x.requires_grad:", "if False:"),
    ("if torch.is_grad_enabled() and x.requires_grad:", "if x.requires_grad:"),
    ("if not _whole(start) or start < 0:", "if start < 0:"),
    ("if not _whole(start) or start < 0:", "if not _whole(start):"),
    ("if start > self.filled:", "if False:"),
    ("if start > self.filled:", "if start != self.filled:"),
    ("if start + k.shape[2] > slots:", "if start + k.shape[2] > slots + 1:"),
]


def mutant(old, new):
    return SimpleNamespace(**mutated(Path(rotary.__file__), old, new))


def noticed(lib, claims):
    return any(failures(lib, [claim]) for claim in claims)


@pytest.mark.parametrize("old, new", ROTARY_MUTANTS, ids=[f"{old} → {new}" for old, new in ROTARY_MUTANTS])
def test_mutant_of_rotary_is_caught(old, new):
    assert noticed(mutant(old, new), ROTARY_CLAIMS), f"no claim notices {new!r} for {old!r}"


@pytest.mark.parametrize("old, new", CACHE_MUTANTS, ids=[f"{old} → {new}" for old, new in CACHE_MUTANTS])
def test_mutant_of_cache_is_caught(old, new):
    assert noticed(mutant(old, new), CACHE_CLAIMS), f"no claim notices {new!r} for {old!r}"


def test_unmutated_source_passes():
    assert failures(mutant("start + k.shape[2] > slots", "slots < start + k.shape[2]"), ROTARY_CLAIMS + CACHE_CLAIMS + JOINT_CLAIMS) == []


@pytest.mark.parametrize("wrong", [lambda start: 0, lambda start: max(start - 1, 0), lambda start: start + (start > 3)],
                         ids=["always 0", "one too early", "from slot 4 on one too late"])
def test_decoding_at_wrong_positions_is_noticed(wrong):
    """The mistakes of a caller: positions of new tokens that are not their slots."""
    class Wrong(rotary.Rotary):
        def forward(self, q, k, positions):
            return super().forward(q, k, wrong(positions))

    lib = SimpleNamespace(Rotary=Wrong, KeyValueCache=rotary.KeyValueCache)
    assert failures(lib, [decoding_equals_the_full_forward])


def test_files_keep_the_table():
    """torch.save and pickle, of a fresh module and a used one, moved or not."""
    q = normal(2, 3, 4, D, dtype=torch.float32)
    expected = rotary.Rotary(D, N, 500.0, 6)(q, q, 7)
    for move in (lambda m: m, lambda m: m.bfloat16(), lambda m: [m(q, q, 0), m][1]):
        module, file = move(rotary.Rotary(D, N, 500.0, 6)), io.BytesIO()
        torch.save(module, file)
        file.seek(0)
        for again in (pickle.loads(pickle.dumps(module)), torch.load(file, weights_only=False)):
            assert torch.equal(again(q, q, 7)[0], expected[0]) and repr(again) == repr(module)


# ---- within a layer ------------------------------------------------------------------------------

C, B, T, H, HK = 24, 2, 3, 4, 2  # width of a hidden state; sequences, tokens, heads of q and k


def sum_bound(n):
    """Between two roads to a sum of n products, one factor of each from a turned row, in float64."""
    return 2 * n * LARGEST**2 * np.sqrt(2) * rounding(n, 0)


SUMMED = (C, C, (H + HK) * D, B * T, B * T)  # products in a rotated q and k, and in the gradients of hidden states, W_q and W_k


def outputs_and_gradients(turned_projections, hidden, W_q, W_k):
    """What a layer makes of hidden (B, T, C), W_q (H D, C), W_k (Hk D, C): rotated q and k, and three gradients."""
    given = [x.clone().requires_grad_() for x in (hidden, W_q, W_k)]
    q, k = turned_projections(*given)  # (B, H, T, D), (B, Hk, T, D)
    loss = (q * normal(B, H, T, D, seed=8)).sum() + (k * normal(B, HK, T, D, seed=9)).sum()
    return [q.detach(), k.detach(), *torch.autograd.grad(loss, given)]


def layer_inputs():
    return normal(B, T, C), normal(H * D, C, seed=1), normal(HK * D, C, seed=2)


def heads_of(hidden, weight):
    return (hidden @ weight.T).unflatten(-1, (-1, D)).transpose(1, 2)  # (B, H, T, D)


def hugging_face(layout, cos, sin):
    """rotate(q, k) of RoFormer or Llama, handed cos and sin (B, T, D/2): their own tables are compared in test_rotation.py."""
    if layout == "interleaved":
        from transformers.models.roformer.modeling_roformer import RoFormerSelfAttention

        return lambda q, k: RoFormerSelfAttention.apply_rotary_position_embeddings(torch.cat([sin, cos], -1)[:, None], q, k)
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    return lambda q, k: apply_rotary_pos_emb(q, k, torch.cat([cos, cos], -1), torch.cat([sin, sin], -1))


@pytest.mark.parametrize("layout", ["interleaved", "half-split"])
def test_projections_equal_hugging_face(layout):
    """Rotated q and k of hidden states, and gradients of these and of both weights. The rows of a half-split model are reordered on
    the way in, and what they make is read in its order."""
    positions = unequal_positions(B, T)
    angle = torch.from_numpy(ropebook.angles(positions.flatten(), ropebook.frequencies(D))).view(B, T, D // 2)
    reference, module, inputs = hugging_face(layout, angle.cos(), angle.sin()), rotary.Rotary(D, N), layer_inputs()
    half_split = layout == "half-split"

    def ours(hidden, W_q, W_k, reorder=half_split):
        rows = [head_rows_to_interleaved(np.arange(len(W)), len(W) // D) if reorder else np.arange(len(W)) for W in (W_q, W_k)]
        turned = module(heads_of(hidden, W_q[rows[0]]), heads_of(hidden, W_k[rows[1]]), positions)
        return [x[..., ropebook.to_half_split(np.arange(D))] if reorder else x for x in turned]

    theirs = outputs_and_gradients(lambda hidden, W_q, W_k: reference(heads_of(hidden, W_q), heads_of(hidden, W_k)), *inputs)
    for got, expected, n in zip(outputs_and_gradients(ours, *inputs), theirs, SUMMED):
        close(got, expected, sum_bound(n))
    for wrong, expected in zip(outputs_and_gradients(lambda *given: ours(*given, reorder=not half_split), *inputs), theirs):
        assert (wrong - expected).abs().max() > 0.1


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_layer_is_the_layer(backend):
    """A module that holds Rotary, in one graph: same outputs and gradients, also after a call in inference mode."""
    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rotary = rotary.Rotary(D, N)

        def forward(self, hidden, W_q, W_k, positions):
            return self.rotary(heads_of(hidden, W_q), heads_of(hidden, W_k), positions)

    torch._dynamo.reset()
    layer, inputs = Layer().bfloat16(), layer_inputs()
    compiled = torch.compile(layer, fullgraph=True, backend=backend)
    for positions in (5, 6, unequal_positions(B, T)[0], unequal_positions(B, T)):
        with torch.inference_mode():
            compiled(*inputs, positions)
        results = [outputs_and_gradients(lambda *given: turn(*given, positions), *inputs) for turn in (layer, compiled)]
        for eager, traced, n in zip(*results, SUMMED):
            close(traced, eager, sum_bound(n))
