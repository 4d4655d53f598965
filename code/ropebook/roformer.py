"""A small RoFormer: a Transformer that knows order only through rotated queries and keys. Its rivals run in the same model.

Shapes: B sequences in a batch, T tokens in a sequence, C features of a token (the model's width), H heads,
D = C / H features of a head, V tokens in the vocabulary, M masked tokens in the batch.

Layer normalisation stands before each sublayer (pre-LN). The paper's model, like BERT, has it after the residual sum
(post-LN), which wants a long, careful warm-up; we train for minutes. No dropout, for the same reason.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ropebook.encodings import sinusoid
from ropebook.frequencies import frequencies
from ropebook.linear import FORMS
from ropebook.linear_torch import quadratic, sides
from ropebook.rotation_torch import apply_table, rotation_table

ENCODINGS = ("RoPE", "ALiBi", "sinusoidal", "learned", "NoPE")
START = 0.02  # standard deviation of an embedding's first weights


@dataclass(frozen=True)
class RoFormerConfig:
    """The sizes of a RoFormer, how it learns of order, and how its attention weighs."""

    vocabulary: int  # V
    width: int = 128  # C
    heads: int = 4  # H
    layers: int = 4
    base: float = 10000.0  # of the frequencies of the rotation, or of the sinusoidal waves
    encoding: str = "RoPE"  # or a rival; only "learned" has a longest sequence
    longest: int = 512  # positions that "learned" has vectors for
    attention: str = "softmax"  # or a form of linear attention from `ropebook.linear.FORMS`
    causal: bool = False  # whether a token sees only itself and those before it

    def __post_init__(self):
        for name in ("vocabulary", "width", "heads", "layers", "longest"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        for name, known in (("encoding", ENCODINGS), ("attention", ("softmax", *FORMS))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}")
        if self.attention not in ("softmax", "plain") and self.encoding != "RoPE":
            raise ValueError(f"attention {self.attention!r} turns its features, so the encoding must be RoPE, got {self.encoding!r}")
        if self.attention == "plain" and self.encoding in ("RoPE", "ALiBi"):
            raise ValueError(f"attention 'plain' has no place for the encoding {self.encoding!r}")
        if self.width % (2 * self.heads):
            raise ValueError(f"width must be an even multiple of heads, got width {self.width} and heads {self.heads}")

    @property
    def head_dim(self):
        return self.width // self.heads  # D


class Places(NamedTuple):
    """What the positions give to attention; None where the encoding gives nothing."""

    table: torch.Tensor | None  # (T, D/2) complex: RoPE turns queries and keys by it
    bias: torch.Tensor | None  # (H, T, T): ALiBi adds it to the scores


class SelfAttention(nn.Module):
    """Every token looks at every token, or at those before it; positions enter by turning queries and keys."""

    def __init__(self, config):
        super().__init__()
        self.heads, self.form, self.causal = config.heads, config.attention, config.causal
        self.query_key_value = nn.Linear(config.width, 3 * config.width)
        self.output = nn.Linear(config.width, config.width)

    def forward(self, x, places):
        """x (B, T, C), places `Places`; returns (B, T, C)."""
        parts = self.query_key_value(x).unflatten(-1, (3, self.heads, -1))  # (B, T, 3, H, D)
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # each (B, H, T, D)
        return self.output(self.mix(q, k, v, places).transpose(1, 2).flatten(-2))  # (B, T, C)

    def mix(self, q, k, v, places):
        """Each token's weighted mean of the values: q, k, v (B, H, T, D); returns (B, H, T, D)."""
        if self.form != "softmax":
            return quadratic(*sides(q, k, places.table, self.form), v, self.causal)
        if places.table is not None:
            q, k = apply_table(q, places.table), apply_table(k, places.table)
        if places.bias is not None:
            return F.scaled_dot_product_attention(q, k, v, attn_mask=places.bias.to(q.dtype))
        return F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)


class Block(nn.Module):
    """Attention mixes tokens, the feed-forward net works on each alone; both add to the stream x."""

    def __init__(self, config):
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = SelfAttention(config)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(config.width),
            nn.Linear(config.width, 4 * config.width),
            nn.GELU(),
            nn.Linear(4 * config.width, config.width),
        )

    def forward(self, x, places):
        """x (B, T, C), places `Places`; returns (B, T, C)."""
        x = x + self.attention(self.attention_norm(x), places)
        return x + self.feed_forward(x)


class RoFormer(nn.Module):
    """Tokens in, scores for every token of the vocabulary out. Input and output share one embedding matrix."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.theta = frequencies(config.head_dim, config.base)  # (D/2,) float64: not a weight, never cast or moved
        self.scale = 1.0  # of cosines and sines: YaRN sharpens the attention of long texts by it (chapter 12)
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        if config.encoding == "learned":
            self.position_embedding = nn.Embedding(config.longest, config.width)
        self.embedding_norm = nn.LayerNorm(config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.bias = nn.Parameter(torch.zeros(config.vocabulary))
        self.apply(_initialise)

    def encode(self, tokens, positions):
        """What the encoder makes of each token.

        tokens     (B, T)     token ids, integers below V
        positions  (T,)       tokens; finite real numbers, the same for all B sequences
        returns    (B, T, C)
        raises     ValueError if the T of tokens and of positions differ, naming both
        """
        if tokens.shape[-1] != len(positions):
            raise ValueError(f"tokens have T = {tokens.shape[-1]}, positions have T = {len(positions)}")
        x = self.embedding(tokens)  # (B, T, C)
        x = self.embedding_norm(self.add_positions(x, positions))
        places = self.places(positions, x)
        for block in self.blocks:
            x = block(x, places)
        return self.norm(x)

    def add_positions(self, x, positions):
        """x (B, T, C) with each position's vector added, by the encodings that add one to the words, as large as words start."""
        if self.config.encoding == "sinusoidal":
            waves = sinusoid(positions, self.config.width, self.config.base) * (2**0.5 * START)
            return x + torch.from_numpy(waves).to(x)
        if self.config.encoding == "learned":
            return x + self.position_embedding(self.rows(positions).to(x.device))
        return x

    def rows(self, positions):
        """The rows of the learned table for these positions (T,), int64; it has none between or beyond its own."""
        rows = torch.as_tensor(np.asarray(positions, dtype=np.float64))
        missing = rows[(rows < 0) | (rows >= self.config.longest) | (rows != rows.round())]
        if len(missing):
            raise ValueError(f"the learned positions are the whole numbers 0 to {self.config.longest - 1}, got {missing[0].item():g}")
        return rows.long()

    def places(self, positions, x):
        """What the positions (T,) give to attention, in the precision and on the device of x."""
        table = bias = None
        if self.config.encoding == "RoPE":
            working = torch.float64 if x.dtype == torch.float64 else torch.float32
            table = self.scale * rotation_table(positions, self.theta, working, x.device)  # (T, D/2) complex
        if self.config.encoding == "ALiBi":
            bias = alibi_bias(positions, self.config.heads, self.config.causal).to(x.device)  # (H, T, T)
        return Places(table, bias)

    def forward(self, tokens, positions, blanks=None):
        """The scores (logits) of every token of the vocabulary, at all places or only where they are wanted.

        tokens     (B, T)     token ids
        positions  (T,)       tokens
        blanks     (B, T)     bool: the M places to score; None scores all
        returns    (B, T, V), or (M, V) with blanks in reading order
        """
        x = self.encode(tokens, positions)
        if blanks is not None:
            x = x[blanks]  # (M, C)
        return F.linear(x, self.embedding.weight, self.bias)


def alibi_bias(positions, heads, causal=False):
    """What ALiBi adds to the scores: head h = 1 … H loses 2^(−8 h / H) for each token of distance.

    positions  (T,)       tokens
    causal     whether a token sees only those at its own or an earlier position
    returns    (H, T, T)  float64
    source     Press et al., 2022
    """
    places = torch.as_tensor(np.asarray(positions, dtype=np.float64))
    offsets = places[:, None] - places  # (T, T)
    slopes = 2.0 ** (-8 * torch.arange(1, heads + 1, dtype=torch.float64) / heads)
    bias = -slopes[:, None, None] * offsets.abs()
    return bias.masked_fill(offsets < 0, -torch.inf) if causal else bias


def _initialise(module):
    """Embeddings start small; a linear layer starts so that it keeps the size of what it is given."""
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=START)
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=module.in_features**-0.5)
        nn.init.zeros_(module.bias)
