"""A small RoFormer: a Transformer encoder that knows order only through rotated queries and keys.

Shapes: B sequences in a batch, T tokens in a sequence, C features of a token (the model's width), H heads,
D = C / H features of a head, V tokens in the vocabulary, M masked tokens in the batch.

Layer normalisation stands before each sublayer (pre-LN). The paper's model, like BERT, has it after the residual sum
(post-LN), which wants a long, careful warm-up; we train for minutes. No dropout, for the same reason.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from ropebook.frequencies import frequencies
from ropebook.rotation_torch import apply_table, rotation_table


@dataclass(frozen=True)
class RoFormerConfig:
    """The sizes of a RoFormer. There is no longest sequence: the rotation needs no table of positions."""

    vocabulary: int  # V
    width: int = 128  # C
    heads: int = 4  # H
    layers: int = 4
    base: float = 10000.0  # of the rotation's frequencies

    def __post_init__(self):
        for name in ("vocabulary", "width", "heads", "layers"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        if self.width % (2 * self.heads):
            raise ValueError(f"width must be an even multiple of heads, got width {self.width} and heads {self.heads}")

    @property
    def head_dim(self):
        return self.width // self.heads  # D


class SelfAttention(nn.Module):
    """Every token looks at every token; positions enter by turning queries and keys."""

    def __init__(self, config):
        super().__init__()
        self.heads = config.heads
        self.query_key_value = nn.Linear(config.width, 3 * config.width)
        self.output = nn.Linear(config.width, config.width)

    def forward(self, x, table):
        """x (B, T, C), table (T, D/2) complex; returns (B, T, C)."""
        parts = self.query_key_value(x).unflatten(-1, (3, self.heads, -1))  # (B, T, 3, H, D)
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # each (B, H, T, D)
        mixed = F.scaled_dot_product_attention(apply_table(q, table), apply_table(k, table), v)  # (B, H, T, D)
        return self.output(mixed.transpose(1, 2).flatten(-2))  # (B, T, C)


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

    def forward(self, x, table):
        """x (B, T, C), table (T, D/2) complex; returns (B, T, C)."""
        x = x + self.attention(self.attention_norm(x), table)
        return x + self.feed_forward(x)


class RoFormer(nn.Module):
    """Tokens in, scores for every token of the vocabulary out. Input and output share one embedding matrix."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.theta = frequencies(config.head_dim, config.base)  # (D/2,) float64: not a weight, never cast or moved
        self.embedding = nn.Embedding(config.vocabulary, config.width)
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
        x = self.embedding_norm(self.embedding(tokens))  # (B, T, C)
        working = torch.float64 if x.dtype == torch.float64 else torch.float32
        table = rotation_table(positions, self.theta, working, x.device)  # (T, D/2) complex
        for block in self.blocks:
            x = block(x, table)
        return self.norm(x)

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


def _initialise(module):
    """Embeddings start small; a linear layer starts so that it keeps the size of what it is given."""
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=module.in_features**-0.5)
        nn.init.zeros_(module.bias)
