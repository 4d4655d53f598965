"""What the tests of the RoFormer and of its heads share: small models in float64, words, padding, and tolerances."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mutation import failures, mutated

from ropebook import linear, roformer

torch.set_num_threads(1)  # small models: threads would only wait for each other
V, C, H, T, B = 50, 16, 2, 12, 3
D = C // H
POSITIONS = torch.arange(T)
WAYS = [{"encoding": encoding} for encoding in roformer.ENCODINGS]
WAYS += [{"attention": form, "encoding": "NoPE" if form == "plain" else "RoPE"} for form in linear.FORMS]
WAYS += [{"rotate_values": True}, {"norm": "post-LN"}]

# Two evaluations of two blocks in float64: some 20 sums of up to 4 C = 64 terms below 10 in size are off by 20 · 64 · 10 EPS = 1.4e-12;
# softmax, quotients and normalisations enlarge that by less than 7.
ROUNDED = 1e-11
SINGLE = 2.0**-24  # rounding to float32
COUNTER = "self.__dict__.setdefault('steps', iter(range(99))).__next__()"  # for mutants: a trainer's own steps, which a restored one does not know
SEEN = 1e-3  # features are of order 1: what reaches them at all moves them by more


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def words(seed=1, batch=B):
    return torch.randint(V, (batch, T), generator=seeded(seed))


def normal(*shape, seed=2):
    return torch.randn(shape, dtype=torch.float64, generator=seeded(seed))


def random_weights(made):
    """The model in float64 with all weights random, those of normalisations and biases too, so that none can be forgotten unseen."""
    made = made.double()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if weight.ndim == 1:
                weight += 0.3 * torch.randn_like(weight)
            if name.endswith("offset_embedding.weight"):
                weight *= 50  # from 0.02 to order 1, so that it is seen
    return made


def config(lib, **changes):
    return lib.RoFormerConfig(**{"vocabulary": V, "width": C, "heads": H, "layers": 2, **changes})


def model(lib, **changes):
    """The same for the same config."""
    torch.manual_seed(0)
    return random_weights(lib.RoFormer(config(lib, **changes)))


def present_in(*places):
    """(B, T) bool with one text for each slice of padding."""
    present = torch.ones(len(places), T, dtype=torch.bool)
    for row, padding in zip(present, places):
        row[padding] = False
    return present


PRESENT = present_in(slice(0, 4), slice(7, T), slice(3, 6))  # padding before, after and inside of a text


def near(got, right, atol=ROUNDED):
    torch.testing.assert_close(got, right, rtol=0, atol=atol)


def silent(made):
    """Names of the weights without a finite gradient other than 0."""
    return [name for name, w in made.named_parameters() if w.grad is None or not w.grad.isfinite().all() or not w.grad.abs().sum() > 0]


def normalised(x, norm, epsilon):
    """Layer normalisation by hand."""
    off = x - x.mean(-1, keepdim=True)
    return off / (off.square().mean(-1, keepdim=True) + epsilon).sqrt() * norm.weight + norm.bias


def gelu(h):
    """h Φ(h), with Φ the normal distribution."""
    return h * (1 + torch.erf(h / 2**0.5)) / 2


def claim_tests(claims, mutants):
    """Two tests for a file: every claim holds for its module, and every mutant (claim, old, new) of the module is noticed by the claim.

    claims   {module: [claim]}
    """
    home = {claim: module for module, some in claims.items() for claim in some}

    @pytest.mark.parametrize("claim", home, ids=lambda claim: claim.__name__)
    def test_claim_holds(claim):
        claim(home[claim])

    @pytest.mark.parametrize("claim, old, new", mutants, ids=[f"{old} → {new}" for _, old, new in mutants])
    def test_mutant_is_caught(claim, old, new):
        assert caught(claim, home[claim], old, new), f"{claim.__name__} does not notice {new!r} for {old!r}"

    return test_claim_holds, test_mutant_is_caught


def caught(claim, module, old, new):
    """Whether the claim notices the edit of that module's source."""
    return bool(failures(SimpleNamespace(**mutated(Path(module.__file__), old, new)), [claim]))
