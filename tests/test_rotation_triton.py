"""The fused kernel: equal to apply_table, in Triton's interpreter everywhere and on the GPU where there is one, and compiled for GPUs."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mutation import failures
from rotation_claims import normal, refuse

import ropebook
from ropebook.rotation_torch import apply_table, rotation_table

PATH = Path(ropebook.__file__).with_name("rotation_triton.py")
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
PAD = 8192  # numbers of memory on either side of a guarded tensor: more than a program touches


def need_triton():
    return pytest.importorskip("triton", reason="Triton is not installed: it has no wheel for this machine")


def load(path=PATH, interpreted=True):
    """A copy of the module as TRITON_INTERPRET makes it when it is imported; triton itself is imported before, and stays as it is."""
    need_triton()
    spec = importlib.util.spec_from_file_location(f"{path.stem} {interpreted}", path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", str(int(interpreted)))
        spec.loader.exec_module(module)
    module.device = "cpu" if interpreted else "cuda"
    return module


@pytest.fixture(scope="module", params=["interpreter", "GPU"])
def lib(request):
    need_triton()
    if request.param == "GPU" and not torch.cuda.is_available():
        pytest.skip("torch finds no GPU: the kernel runs in Triton's interpreter only")
    return load(interpreted=request.param == "interpreter")


# ---- claims about `lib` with apply_table_fused ----------------------------------------------------

def tensor(lib, *shape, dtype=torch.float32, seed=0):
    return torch.from_numpy(normal(*shape, seed=seed)).to(lib.device, dtype)


def table_for(lib, T, D, B=None):
    """Positions from 3 on; with B, other ones for each sequence."""
    positions = torch.arange(T) + 3
    return rotation_table(positions if B is None else positions + 50 * torch.arange(B)[:, None], ropebook.frequencies(D), device=lib.device)


def close(got, expected, x):
    """Both are x turned in float32 and cast, so a feature is off by a few roundoffs of its pair's norm.

    Each road rounds two products and their sum: 2 of float32, as |a cos| + |b sin| is at most the norm; 4 for two roads, and less
    than 1 of higher order. A cast rounds once more, 1 of the dtype, except that Triton's interpreter cuts bfloat16 off, 2.
    """
    assert (got.shape, got.dtype, got.device) == (x.shape, x.dtype, x.device)
    pairs = x.detach().double().unflatten(-1, (-1, 2))
    cast = 0 if x.dtype == torch.float32 else 3 * torch.finfo(x.dtype).eps / 2
    bound = pairs.norm(dim=-1, keepdim=True).expand(pairs.shape).flatten(-2) * (5 * 2.0**-24 + cast)
    assert ((got.double() - expected.double()).abs() <= bound).all()


def guarded(values, filler):
    """The values amid memory full of filler, and all of that memory."""
    memory = torch.full((values.numel() + 2 * PAD,), filler, dtype=values.dtype, device=values.device)
    memory[PAD:-PAD] = values.flatten()
    return memory[PAD:-PAD].view(values.shape), memory


def nothing_else_is_written(lib):
    """Two tiles of heads, two of tokens, features that fill no power of two: right, and the memory around x, table and out stays.

    First of the claims: with PAD around everything, a mutant that reads or writes too far does no harm.
    """
    B, H, T, D = 2, 5, 9, 80
    tokens_first, x_memory = guarded(tensor(lib, B, T, H, D), float("nan"))
    factors, table_memory = guarded(torch.view_as_real(table_for(lib, T, D, B)), float("nan"))
    out, out_memory = guarded(torch.full((B, H, T, D), 7.0, device=lib.device), 7.0)
    x, before = tokens_first.transpose(1, 2), [x_memory.clone(), table_memory.clone()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "empty_like", lambda like: out)
        turned = lib.apply_table_fused(x, factors)
    assert turned.data_ptr() == out.data_ptr() and (out_memory[:PAD] == 7).all() and (out_memory[-PAD:] == 7).all()
    for memory, same in zip((x_memory, table_memory), before):
        torch.testing.assert_close(memory, same, rtol=0, atol=0, equal_nan=True)
    close(turned, apply_table(x, factors), x)


def equals_apply_table(lib):
    """Every dtype; one token; one head; T, H and D that fill no tile; no, one, two and three axes before T; nothing at all."""
    for shape in ((1, 1, 1, 2), (2, 1, 37, 80), (1, 5, 9, 128), (2, 9, 1, 8), (3, 6),
                  (5, 9, 96), (2, 2, 3, 4, 6), (0, 2, 3, 8), (2, 3, 0, 8)):
        table = table_for(lib, *shape[-2:])
        for dtype in DTYPES:
            x = tensor(lib, *shape, dtype=dtype)
            before = x.clone()
            turned = lib.apply_table_fused(x, table)
            close(turned, apply_table(x, table), x)
            assert torch.equal(x, before) and (turned.data_ptr() != x.data_ptr() or not x.numel())


def each_sequence_has_its_own_table(lib):
    for B, H, T, D in ((2, 2, 3, 8), (3, 1, 2, 6), (2, 5, 9, 128)):
        x, table = tensor(lib, B, H, T, D), table_for(lib, T, D, B)
        for form in (table, torch.view_as_real(table)):
            close(lib.apply_table_fused(x, form), apply_table(x, table), x)


def memory_may_lie_as_it_likes(lib):
    """Transposed, sliced, odd-numbered, spread, broadcast memory; out in the order of x, so that both are walked through alike."""
    table = table_for(lib, 3, 8)
    for x in (tensor(lib, 2, 3, 4, 8).transpose(1, 2), tensor(lib, 4, 3, 11)[..., 2:10], tensor(lib, 25)[1:].view(3, 8),
              tensor(lib, 2, 5, 3, 8)[:, ::2], tensor(lib, 3, 16)[:, ::2], tensor(lib, 8, 3).T, tensor(lib, 1, 8).expand(3, 8),
              tensor(lib, 3, 2, 2, 2, 8).permute(2, 1, 3, 0, 4)):
        before = x.clone()
        turned = lib.apply_table_fused(x, table)
        close(turned, apply_table(x, table), x)
        assert torch.equal(x, before)
    x = tensor(lib, 2, 3, 4, 8).transpose(1, 2)
    assert lib.apply_table_fused(x, table).stride() == x.stride()
    spread = table_for(lib, 6, 8)[::2]
    close(lib.apply_table_fused(x, spread), apply_table(x, spread), x)


def the_way_back_keeps_no_x(lib):
    x, table, kept = tensor(lib, 3, 8).requires_grad_(), table_for(lib, 3, 8), []
    with torch.autograd.graph.saved_tensors_hooks(lambda saved: kept.append(saved.shape) or saved, lambda saved: saved):
        lib.apply_table_fused(x, table)
    assert kept == [(3, 4, 2)]


def gradients_are_those_of_apply_table(lib):
    """For gradients of every dtype and memory; and the gradient's own gradient turns forward again."""
    for shape, B in (((2, 5, 3, 80), 2), ((2, 3, 3, 8), None), ((3, 6), None)):
        table = table_for(lib, *shape[-2:], B)
        for dtype in DTYPES:
            x = tensor(lib, *shape, dtype=dtype).requires_grad_()
            ones = torch.ones((), dtype=dtype, device=lib.device).expand(shape)
            odd = tensor(lib, x.numel() + 1, dtype=dtype, seed=1)[1:].view(shape)  # begins at memory's element 1
            for weight in (ones, odd, odd.mT.contiguous().mT):
                grads = [torch.autograd.grad(turn(x, table), x, weight)[0] for turn in (lib.apply_table_fused, apply_table)]
                close(*grads, weight)
            weight = odd.clone().requires_grad_()
            back, = torch.autograd.grad(lib.apply_table_fused(x, table), x, weight, create_graph=True)
            again, = torch.autograd.grad(back, weight, x.detach())
            close(again, apply_table(x, table), x)


def misfits_are_refused(lib):
    x, table = tensor(lib, 2, 4, 3, 8), table_for(lib, 3, 8)
    refuse(lambda: lib.apply_table_fused(x[..., :2, :], table), "(2, 4, 2, 8)", "(3, 4)")
    refuse(lambda: lib.apply_table_fused(x[:1], table_for(lib, 3, 8, 2)), "(1, 4, 3, 8)", "(2, 3, 4)")
    refuse(lambda: lib.apply_table_fused(x, table.real), "(3, 4)", "complex")
    refuse(lambda: lib.apply_table_fused(x.long(), table), "int64")
    refuse(lambda: lib.apply_table_fused(x.to("meta"), table), "meta", lib.device)
    refuse(lambda: lib.apply_table_fused(x.to(torch.float8_e4m3fn), table), "float16", "float8")
    double = rotation_table(range(3), ropebook.frequencies(8), torch.float64, lib.device)
    refuse(lambda: lib.apply_table_fused(x.double(), double), "float16", "float64")
    refuse(lambda: lib.apply_table_fused(x, double), "float32", "float64")
    refuse(lambda: lib.apply_table_fused(x, torch.view_as_real(table).requires_grad_()), "gradient", "apply_table")


CLAIMS = [nothing_else_is_written, equals_apply_table, each_sequence_has_its_own_table, memory_may_lie_as_it_likes, the_way_back_keeps_no_x,
          gradients_are_those_of_apply_table, misfits_are_refused]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_fused(lib, claim):
    claim(lib)


# ---- claims about the compiled kernel, which needs no GPU to be compiled --------------------------

def compiled(module, dtype, capability, D=128, tokens=8, heads=4):
    """The kernel as CUDA code; x, table and out and all strides multiples of 16, as torch's memory and the usual D make them."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    names = module.turn_tile.arg_names
    constants = {"SIGN": 1, "TOKENS": tokens, "HEADS": heads, "WIDTH": 128}
    kinds = dict.fromkeys(names, "i32") | {"x": f"*{dtype}", "out": f"*{dtype}", "table": "*fp32"} | dict.fromkeys(constants, "constexpr")
    even = [name for name in names if name not in {*constants, "T", "H", "tiles_h", "tiles_t"}]
    source = ASTSource(module.turn_tile, kinds, {(names.index(name),): value for name, value in constants.items()},
                       {(names.index(name),): [["tt.divisibility", 16]] for name in even})
    return compile(source, target=GPUTarget("cuda", capability, 32)).asm


def memory_is_moved_in_pieces_of_16_bytes(module):
    """Each thread's loads and stores are of 4 × 32 bits, the widest there are; for D that fill no power of two, too."""
    for dtype, capability, D in (("bf16", 90, 128), ("fp32", 90, 96), ("fp16", 75, 80)):
        moves = re.findall(r"(?:ld|st)\.global\S*", compiled(module, dtype, capability, D)["ptx"])
        assert set(moves) == {"ld.global.v4.b32", "st.global.v4.b32"}, moves


def offsets_have_64_bits(module):
    """No stride is multiplied in 32 bits, so a tensor may have more than 2³¹ numbers."""
    products = re.findall(r"arith\.muli .*: (?:tensor<[0-9x]*)?(i\d+)", compiled(module, "bf16", 90)["ttir"])
    assert len(products) > 8 and set(products) == {"i64"}, products


COMPILED_CLAIMS = [memory_is_moved_in_pieces_of_16_bytes, offsets_have_64_bits]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "triton"))


@pytest.mark.parametrize("claim", COMPILED_CLAIMS, ids=lambda claim: claim.__name__)
def test_compiled(claim):
    claim(load(interpreted=False))


# ---- wrong kernels that the claims notice ---------------------------------------------------------

MUTANTS = [
    ("first * cos - second * sin", "first * cos + second * sin"),
    ("first * sin + second * cos", "second * sin + first * cos"),
    ("cos, sin = tl.split", "sin, cos = tl.split"),
    ("first, second = tl.split", "second, first = tl.split"),
    ("tl.reshape(turned, (", "tl.reshape(tl.trans(turned, 0, 1, 3, 2), ("),  # half-split out of interleaved
    ("sin = sin * SIGN", "pass"),
    ("-ctx.sign", "ctx.sign"),
    ("(tokens < T)", "(tokens <= T)"),
    ("(tokens < T)", "(tokens < T - 1)"),
    ("(features < D)", "(features < D + 2)"),
    ("(features < D)", "(features < D - 2)"),
    ("(heads < H)", "(heads <= H)"),
    ("(heads < H)", "(heads < H - 1)"),
    ("mask=in_x).to", "mask=in_x & (tokens > 0)).to"),
    ("tokens * D + features", "(tokens - t * TOKENS) * D + features"),  # each tile begins at the table's first row
    ("tokens * D + features", "tokens * WIDTH + features"),
    ("b * table_b", "0 * table_b"),
    ("factors.stride(0) if factors.ndim == 4 else 0", "factors.stride(0)"),
    ("factors.contiguous()", "factors"),
    ("b * x_b", "b * out_b"),
    ("heads * x_h", "heads * out_h"),
    ("tokens * x_t", "tokens * out_t"),
    ("b, h = tile // tiles_t // tiles_h", "b, h = tile // tiles_t"),
    ("tile // tiles_t % tiles_h", "tile % tiles_h"),
    (".to(tl.float32)", ".to(tl.float16)"),
    ("triton.cdiv(T, tokens)", "(T // tokens)"),
    ("triton.cdiv(H, heads)", "(H // heads)"),
    ("rows if rows.stride(-1) == 1 else rows.contiguous()", "rows"),
    ("torch.empty_like(rows)", "rows"),
    ("torch.empty_like(rows)", "torch.empty_like(rows.contiguous())"),
    ("return out.reshape(x.shape)", "return out"),
    ("ctx.save_for_backward(factors)", "ctx.save_for_backward(factors, x)"),
    ("_Turn.apply(grad, *ctx.saved_tensors, -ctx.sign)", "_launch(grad, *ctx.saved_tensors, -ctx.sign)"),  # no second derivative
    ("(torch.float32, torch.bfloat16, torch.float16) or factors.dtype != torch.float32", "(torch.float32, torch.bfloat16, torch.float16)"),
    ("x.dtype not in (torch.float32, torch.bfloat16, torch.float16) or", ""),
    ("if factors.requires_grad:", "if False:"),
    ("factors_for(x, table)", "torch.view_as_real(table) if table.is_complex() else table"),
]
COMPILED_MUTANTS = [
    ("tl.program_id(0).to(tl.int64)", "tl.program_id(0)"),
    ("heads * x_h + tokens * x_t + features", "heads * x_h + tokens * x_t + features // 2 + features % 2 * (D // 2)"),  # half-split memory
]


def mutant(folder, old, new, interpreted=True):
    """The module from a file of its own, since Triton reads the kernel's source."""
    source = PATH.read_text(encoding="utf-8")
    assert source.count(old) == 1, f"{PATH.name} has {old!r} {source.count(old)} times; a mutant needs exactly one"
    path = folder / "mutant.py"
    path.write_text(source.replace(old, new), encoding="utf-8")
    return load(path, interpreted)


def noticed(module, claims):
    return any(failures(module, [claim]) for claim in claims)  # stops at the first, before one that could do harm


@pytest.mark.parametrize("old, new", MUTANTS, ids=[f"{old} → {new}" for old, new in MUTANTS])
def test_mutant_is_caught(tmp_path, old, new):
    assert noticed(mutant(tmp_path, old, new), CLAIMS), f"no claim notices {new!r} for {old!r}"


@pytest.mark.parametrize("old, new", COMPILED_MUTANTS, ids=[f"{old} → {new}" for old, new in COMPILED_MUTANTS])
def test_compiled_mutant_is_caught(tmp_path, old, new):
    assert noticed(mutant(tmp_path, old, new, interpreted=False), COMPILED_CLAIMS), f"no claim notices {new!r} for {old!r}"


def test_unmutated_source_passes(tmp_path):
    assert not noticed(mutant(tmp_path, "sin * SIGN", "SIGN * sin"), CLAIMS)
    assert not noticed(mutant(tmp_path, "sin * SIGN", "SIGN * sin", interpreted=False), COMPILED_CLAIMS)


# ---- where it cannot run --------------------------------------------------------------------------

def refuses_with(call, reason):
    with pytest.raises(RuntimeError, match=re.escape(reason)):
        call()


def test_without_triton_the_module_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    spec = importlib.util.spec_from_file_location("without_triton", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    reason = module.unavailable()
    assert "Triton cannot be imported" in reason and "\n" not in reason
    refuses_with(lambda: module.apply_table_fused(torch.zeros(3, 8), rotation_table(range(3), ropebook.frequencies(8))), reason)


def test_without_a_gpu_the_interpreter_is_named(monkeypatch):
    x, table = torch.zeros(3, 8), rotation_table(range(3), ropebook.frequencies(8))
    module, interpreted = load(interpreted=False), load()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    reason = module.unavailable()
    assert "no GPU" in reason and "TRITON_INTERPRET=1" in reason and "\n" not in reason
    refuses_with(lambda: module.apply_table_fused(x, table), reason)
    assert interpreted.unavailable() is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert module.unavailable() is None
    refuse(lambda: module.apply_table_fused(x, table), "GPU", "cpu")


def test_the_interpreter_is_one_variable_away():
    need_triton()
    code = ("import torch, ropebook; from ropebook import rotation_torch, rotation_triton; x = torch.ones(2, 8);"
            "table = rotation_torch.rotation_table([1, 2], ropebook.frequencies(8)); print(rotation_triton.unavailable());"
            "print((rotation_triton.apply_table_fused(x, table) - rotation_torch.apply_table(x, table)).abs().max().item() < 1e-6)")
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "None\nTrue\n"
