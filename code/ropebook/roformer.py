"""A RoFormer: a Transformer that knows order only through rotated queries and keys. Its rivals run in the same model.

`RoFormer` fills blanks or, if causal, predicts the next token; `Classifier` sorts texts, `Matcher` tells which of them belong
together, `Translator` reads one text and writes another. All four are the same stack of blocks, with another head.

Shapes: B sequences in a batch, T tokens in a sequence, S tokens of the source of a translation, C features of a token (the
model's width), H heads, D = C / H features of a head, V tokens in the vocabulary, M masked tokens in the batch.

Layer normalisation stands before each sublayer (pre-LN), unless `norm` is "post-LN": the paper's model, like BERT, has it after
the residual sum, which learns more slowly in the minutes that this book's models train for (chapter 13).
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from ropebook.encodings import bucket, sinusoid
from ropebook.frequencies import frequencies
from ropebook.linear import FORMS
from ropebook.linear_torch import quadratic, seen, sides
from ropebook.rotation_torch import apply_table, rotation_table

ENCODINGS = ("RoPE", "ALiBi", "T5", "sinusoidal", "learned", "NoPE")
NORMS = ("pre-LN", "post-LN")
BUCKETS = 32  # of offsets in T5's bias; those of more than 128 tokens share the last of each side
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
    norm: str = "pre-LN"  # or "post-LN", the paper's
    inner: int = 0  # features inside the feed-forward net; 0 stands for 4 C
    embedding: int = 0  # features of a token before the first block; 0 stands for C
    segments: int = 0  # kinds of tokens, such as those of a first and a second sentence; 0 tells none apart
    rotate_values: bool = False  # values turn with the keys, and are not turned back: an option of Hugging Face's model
    transform: bool = False  # BERT's head: one more layer before the scores
    dropout: float = 0.0
    epsilon: float = 1e-5  # of the layer normalisations

    def __post_init__(self):
        least = {"vocabulary": 1, "width": 1, "heads": 1, "layers": 1, "longest": 1, "inner": 0, "embedding": 0, "segments": 0}
        for name, bound in least.items():
            value = getattr(self, name)
            if not isinstance(value, int) or value < bound:
                raise ValueError(f"{name} must be a whole number of at least {bound}, got {value!r}")
        for name in ("dropout", "epsilon"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, got {getattr(self, name)!r}")
        for name, known in (("encoding", ENCODINGS), ("attention", ("softmax", *FORMS)), ("norm", NORMS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}")
        if self.attention not in ("softmax", "plain") and self.encoding != "RoPE":
            raise ValueError(f"attention {self.attention!r} turns its features, so the encoding must be RoPE, got {self.encoding!r}")
        if self.attention == "plain" and self.encoding in ("RoPE", "ALiBi", "T5"):
            raise ValueError(f"attention 'plain' has no place for the encoding {self.encoding!r}")
        if self.rotate_values and (self.encoding, self.attention) != ("RoPE", "softmax"):
            raise ValueError(f"rotate_values needs encoding 'RoPE' and attention 'softmax', got {self.encoding!r} and {self.attention!r}")
        if self.width % (2 * self.heads):
            raise ValueError(f"width must be an even multiple of heads, got width {self.width} and heads {self.heads}")

    @property
    def head_dim(self):
        return self.width // self.heads  # D


class Places(NamedTuple):
    """What attention is told beside the words; None where there is nothing to tell."""

    table: torch.Tensor | None  # (T, D/2) complex: RoPE turns queries and keys by it
    bias: torch.Tensor | None  # (H, T, T), or (B, H, T, T) with padding: added to the scores, −inf where a token must not look
    present: torch.Tensor | None = None  # (B, T) bool, false for padding: for linear attention, which has no scores to add to


class SelfAttention(nn.Module):
    """Every token looks at every token, or at those before it; positions enter by turning queries and keys."""

    def __init__(self, config):
        super().__init__()
        self.heads, self.form, self.causal = config.heads, config.attention, config.causal
        self.rotate_values, self.dropout = config.rotate_values, config.dropout
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
            return quadratic(*sides(q, k, places.table, self.form), v, self.causal, places.present)
        if places.table is not None:
            q, k = apply_table(q, places.table), apply_table(k, places.table)
            v = apply_table(v, places.table) if self.rotate_values else v
        rate = self.dropout if self.training else 0.0
        if places.bias is not None:
            return F.scaled_dot_product_attention(q, k, v, attn_mask=places.bias.to(q.dtype), dropout_p=rate)
        return F.scaled_dot_product_attention(q, k, v, is_causal=self.causal, dropout_p=rate)


class CrossAttention(nn.Module):
    """Every token of a translation looks at every token of its source. No rotation: the two texts do not share a line of positions."""

    def __init__(self, config):
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.query = nn.Linear(config.width, config.width)
        self.key_value = nn.Linear(config.width, 2 * config.width)
        self.output = nn.Linear(config.width, config.width)

    def forward(self, x, source, present):
        """x (B, T, C), source (B, S, C), present (B, S) bool, false for padding, or None; returns (B, T, C)."""
        q = self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, T, D)
        k, v = self.key_value(source).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (B, H, S, D)
        mask = None if present is None else present[:, None, None]  # (B, 1, 1, S)
        return self.output(self.mix(q, k, v, mask).transpose(1, 2).flatten(-2))

    def mix(self, q, k, v, mask):
        """Each token's weighted mean of the source's values: q (B, H, T, D), k and v (B, H, S, D); returns (B, H, T, D)."""
        rate = self.dropout if self.training else 0.0
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=rate)


class Block(nn.Module):
    """Attention mixes tokens, the feed-forward net works on each alone; both add to the stream x.

    A sublayer f makes of x, pre-LN: x + f(norm(x)), and post-LN: norm(x + f(x)).
    """

    def __init__(self, config, crossed=False):
        super().__init__()
        self.post = config.norm == "post-LN"
        inner = config.inner or 4 * config.width
        self.attention_norm = nn.LayerNorm(config.width, config.epsilon)
        self.attention = SelfAttention(config)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(config.width, config.epsilon), nn.Linear(config.width, inner), nn.GELU(), nn.Linear(inner, config.width)
        )
        if crossed:
            self.cross_norm, self.cross = nn.LayerNorm(config.width, config.epsilon), CrossAttention(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x, places, source=None, source_present=None):
        """x (B, T, C), places `Places`; source (B, S, C) and its padding for a block that also looks at it; returns (B, T, C)."""
        x = self.add(x, self.attention_norm, lambda normed: self.attention(normed, places))
        if source is not None:
            x = self.add(x, self.cross_norm, lambda normed: self.cross(normed, source, source_present))
        return self.add(x, self.feed_forward[0], self.feed_forward[1:])

    def add(self, x, norm, sublayer):
        """x with what a sublayer makes of it, the normalisation before or after."""
        if self.post:
            return norm(x + self.dropout(sublayer(x)))
        return x + self.dropout(sublayer(norm(x)))


class Stack(nn.Module):
    """Embeddings and blocks: what all models here have in common."""

    def __init__(self, config, crossed=False):
        super().__init__()
        self.config = config
        self.theta = frequencies(config.head_dim, config.base)  # (D/2,) float64: not a weight, never cast or moved
        self.scale = 1.0  # of cosines and sines: YaRN sharpens the attention of long texts by it (chapter 12)
        self.checkpointing = False  # True: blocks forget what they computed, and compute it again for the gradients
        features = config.embedding or config.width  # E
        self.embedding = nn.Embedding(config.vocabulary, features)
        if config.encoding == "learned":
            self.position_embedding = nn.Embedding(config.longest, features)
        if config.encoding == "T5":
            self.offset_embedding = nn.Embedding(BUCKETS, config.heads)
        if config.segments:
            self.segment_embedding = nn.Embedding(config.segments, features)
        self.embedding_norm = nn.LayerNorm(features, config.epsilon)
        self.embedding_dropout = nn.Dropout(config.dropout)
        self.widen = nn.Identity() if features == config.width else nn.Linear(features, config.width)
        self.blocks = nn.ModuleList(Block(config, crossed) for _ in range(config.layers))
        self.norm = nn.Identity() if config.norm == "post-LN" else nn.LayerNorm(config.width, config.epsilon)

    def encode(self, tokens, positions, present=None, segments=None, source=None, source_present=None):
        """What the blocks make of each token.

        tokens     (B, T)     token ids, integers below V
        positions  (T,)       tokens; finite real numbers, the same for all B sequences
        present    (B, T)     bool: false for padding, which no other token looks at; None if there is none
        segments   (B, T)     integers below `config.segments`; None stands for 0 everywhere
        source     (B, S, C)  for blocks that look at one: what an encoder made of it; source_present (B, S) as present
        returns    (B, T, C)  at padding, numbers without meaning
        raises     ValueError if the shapes do not fit, naming both, or if segments come to a model that has none
        """
        if tokens.shape[-1] != len(positions):
            raise ValueError(f"tokens have T = {tokens.shape[-1]}, positions have T = {len(positions)}")
        if segments is not None and not self.config.segments:
            raise ValueError("segments are given, but config.segments = 0 tells none apart")
        for name, other in (("present", present), ("segments", segments)):
            if other is not None and other.shape != tokens.shape:
                raise ValueError(f"tokens have shape {tuple(tokens.shape)}, {name} {tuple(other.shape)}")
        x = self.add_positions(self.embedding(tokens), positions)  # (B, T, E)
        if self.config.segments:
            x = x + self.segment_embedding(torch.zeros_like(tokens) if segments is None else segments)
        x = self.widen(self.embedding_dropout(self.embedding_norm(x)))  # (B, T, C)
        places = self.places(positions, x, present)
        for block in self.blocks:
            given = (x, places, source, source_present)
            x = checkpoint(block, *given, use_reentrant=False) if self.checkpointing and self.training else block(*given)
        return self.norm(x)

    def add_positions(self, x, positions):
        """x (B, T, E) with each position's vector added, by the encodings that add one to the words, as large as words start."""
        if self.config.encoding == "sinusoidal":
            waves = sinusoid(_numbers(positions), x.shape[-1], self.config.base) * (2**0.5 * START)
            return x + torch.from_numpy(waves).to(x)
        if self.config.encoding == "learned":
            return x + self.position_embedding(self.rows(positions).to(x.device))
        return x

    def rows(self, positions):
        """The rows of the learned table for these positions (T,), int64; it has none between or beyond its own."""
        rows = _numbers(positions)
        missing = rows[(rows < 0) | (rows >= self.config.longest) | (rows != rows.round())]
        if len(missing):
            raise ValueError(f"the learned positions are the whole numbers 0 to {self.config.longest - 1}, got {missing[0].item():g}")
        return rows.long()

    def places(self, positions, x, present=None):
        """What attention is told beside the words, in the precision and on the device of x; arguments as `encode`."""
        config, table, bias = self.config, None, None
        if config.encoding == "RoPE":
            working = torch.float64 if x.dtype == torch.float64 else torch.float32
            table = self.scale * rotation_table(positions, self.theta, working, x.device)  # (T, D/2) complex
        if config.attention != "softmax":
            return Places(table, None, present)
        if config.encoding == "ALiBi":
            bias = alibi_bias(positions, config.heads).to(x)  # (H, T, T)
        if config.encoding == "T5":
            bias = self.offset_embedding(buckets(positions).to(x.device)).movedim(-1, 0)  # (H, T, T)
        if bias is None and present is None:
            return Places(table, None)
        bias = torch.zeros(1, len(positions), len(positions), device=x.device) if bias is None else bias
        if config.causal:
            bias = bias.masked_fill(_ahead(len(positions)).to(x.device), -torch.inf)
        if present is not None:
            bias = bias.masked_fill(~seen(present), -torch.inf)  # (B, H, T, T)
        return Places(table, bias)


class RoFormer(Stack):
    """Tokens in, scores for every token of the vocabulary out. Input and output share one embedding matrix."""

    def __init__(self, config):
        super().__init__(config)
        features = self.embedding.embedding_dim  # E
        if config.transform:
            self.transform = nn.Sequential(nn.Linear(config.width, features), nn.GELU(), nn.LayerNorm(features, config.epsilon))
        elif features != config.width:
            raise ValueError(f"scores are products with embeddings, so transform must lead from width {config.width} to {features}")
        self.bias = nn.Parameter(torch.zeros(config.vocabulary))
        self.apply(_initialise)

    def forward(self, tokens, positions, blanks=None, present=None, segments=None):
        """The scores (logits) of every token of the vocabulary, at all places or only where they are wanted.

        tokens     (B, T)     token ids
        positions  (T,)       tokens
        blanks     (B, T)     bool: the M places to score; None scores all
        present    (B, T)     bool: false for padding; segments (B, T): see `encode`
        returns    (B, T, V), or (M, V) with blanks in reading order
        """
        x = self.encode(tokens, positions, present, segments)
        if blanks is not None:
            x = x[blanks]  # (M, C)
        if self.config.transform:
            x = self.transform(x)  # (…, E)
        return F.linear(x, self.embedding.weight, self.bias)


class Classifier(Stack):
    """Tokens in, one score for each class out: of the first token, as BERT does it, or of the mean of all that are present."""

    def __init__(self, config, classes, pooling="mean"):
        """classes: how many; pooling: "mean" or "first"."""
        super().__init__(config)
        if not isinstance(classes, int) or classes < 1:
            raise ValueError(f"classes must be a whole number of at least 1, got {classes!r}")
        if pooling not in ("mean", "first"):
            raise ValueError(f"pooling must be mean or first, got {pooling!r}")
        self.pooling = pooling
        self.dropout = nn.Dropout(config.dropout)
        self.hidden, self.output = nn.Linear(config.width, config.width), nn.Linear(config.width, classes)
        self.apply(_initialise)

    def forward(self, tokens, positions, present=None, segments=None):
        """Arguments as `encode`; returns (B, classes)."""
        x = _pooled(self.encode(tokens, positions, present, segments), present, self.pooling)  # (B, C)
        return self.output(self.dropout(F.gelu(self.hidden(self.dropout(x)))))


class Matcher(Stack):
    """Each text becomes one vector of length 1; texts that belong together should point the same way. The dot product is their likeness."""

    def __init__(self, config):
        super().__init__(config)
        self.apply(_initialise)

    def forward(self, tokens, positions, present=None):
        """Arguments as `encode`; returns (B, C), rows of length 1."""
        return F.normalize(_pooled(self.encode(tokens, positions, present), present, "mean"), dim=-1)


class Translator(nn.Module):
    """An encoder reads the source, a causal decoder writes the translation and looks at both; all share one embedding matrix."""

    def __init__(self, config):
        """config of both; its `causal` is set for the decoder and not for the encoder."""
        super().__init__()
        if config.embedding not in (0, config.width):
            raise ValueError(f"scores are products with embeddings, so embedding must be width {config.width}, got {config.embedding}")
        self.config = config
        self.encoder, self.decoder = Stack(replace(config, causal=False)), Stack(replace(config, causal=True), crossed=True)
        self.decoder.embedding = self.encoder.embedding
        self.bias = nn.Parameter(torch.zeros(config.vocabulary))
        self.apply(_initialise)

    def read(self, source, present=None):
        """What the encoder makes of the source: tokens (B, S), present as in `encode`; returns (B, S, C)."""
        return self.encoder.encode(source, torch.arange(source.shape[1]), present)

    def write(self, tokens, memory, source_present=None, last=False):
        """Scores of the token after each of tokens (B, T), or only of the last; memory (B, S, C) from `read`.

        returns  (B, T, V), or (B, 1, V) with last
        """
        x = self.decoder.encode(tokens, torch.arange(tokens.shape[1]), source=memory, source_present=source_present)
        return F.linear(x[:, -1:] if last else x, self.encoder.embedding.weight, self.bias)

    def forward(self, source, tokens, source_present=None):
        """Source (B, S) and the translation so far (B, T) in, scores of each next token out: (B, T, V)."""
        return self.write(tokens, self.read(source, source_present), source_present)


def alibi_bias(positions, heads):
    """What ALiBi adds to the scores: head h = 1 … H loses 2^(−8 h / H) for each token of distance.

    positions  (T,)       tokens
    returns    (H, T, T)  float64
    source     Press et al., 2022
    """
    places = _numbers(positions)
    slopes = 2.0 ** (-8 * torch.arange(1, heads + 1, dtype=torch.float64) / heads)
    return -slopes[:, None, None] * (places[:, None] - places).abs()


def buckets(positions):
    """The bucket of T5's bias for each offset m − n of whole positions (T,): int64 (T, T). Raffel et al., 2020; chapter 02."""
    places = _numbers(positions).numpy()
    return torch.from_numpy(bucket(places[:, None] - places, BUCKETS)).long()


def _numbers(positions):
    """Positions as float64 on the CPU, from a list, an array or a tensor of any dtype and device."""
    return torch.from_numpy(np.asarray(positions.cpu().double() if torch.is_tensor(positions) else positions, dtype=np.float64))


def _ahead(length):
    """Which key stands after which query: (T, T) bool."""
    return torch.ones(length, length, dtype=torch.bool).triu(1)


def _pooled(x, present, pooling):
    """One vector for each text: that of its first token, or the mean of those present, or 0. x (B, T, C), present (B, T) or None."""
    if pooling == "first":
        return x[:, 0]
    if present is None:
        return x.mean(1)
    weights = present.to(x.dtype)[..., None]  # (B, T, 1)
    return (x * weights).sum(1) / weights.sum(1).clamp(min=1)


def _initialise(module):
    """Embeddings start small; a linear layer starts so that it keeps the size of what it is given."""
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=START)
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=module.in_features**-0.5)
        nn.init.zeros_(module.bias)
