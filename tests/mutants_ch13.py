"""Wrong answers to the exercises of chapter 13, each with part of the lesson that its checker must give."""

from functools import partial

import numpy as np
import torch
from torch.nn.functional import cosine_similarity, normalize, scaled_dot_product_attention

from ropebook.layouts import head_rows_to_half_split, head_rows_to_interleaved

# ---- 13.1 -------------------------------------------------------------------


def sublayer(x, f, norm, kind):
    return x + f(norm(x)) if kind == "pre-LN" else norm(x + f(x))


def block(x, attention, feed_forward, norm_1, norm_2, kind):
    """The right answer to exercise 13.1."""
    return sublayer(sublayer(x, attention, norm_1, kind), feed_forward, norm_2, kind)


def always(kind):
    return lambda *case: block(*case[:5], kind)


def exchanged(*case):
    return block(*case[:5], {"pre-LN": "post-LN", "post-LN": "pre-LN"}[case[5]])


def with_norms(first, second):
    return lambda x, a, f, *rest: block(x, a, f, rest[first], rest[second], rest[2])


def halves(form, second=None):
    """Both halves in one form (x, f, norm, kind), or the second in another."""
    return lambda x, a, f, n1, n2, kind: (second or form)(form(x, a, n1, kind), f, n2, kind)


def only(kind, form):
    """A mistake in one kind: the other is right."""
    return lambda *case: form(*case) if case[5] == kind else block(*case)


def fed_the_old(x, a, f, n1, n2, kind):
    y = sublayer(x, a, n1, kind)
    return y + f(n2(x)) if kind == "pre-LN" else n2(y + f(x))


def added_to_the_old(x, a, f, n1, n2, kind):
    y = sublayer(x, a, n1, kind)
    return x + f(n2(y)) if kind == "pre-LN" else n2(x + f(y))


def lost(x, f, norm, kind):
    return f(norm(x)) if kind == "pre-LN" else norm(f(x))


def normed_in_place(x, a, f, n1, n2, kind):
    x = n1(x) if kind == "pre-LN" else x
    x = x + a(x)
    x = n2(x) if kind == "pre-LN" else n1(x)
    x = x + f(x)
    return x if kind == "pre-LN" else n2(x)


def in_place(x, a, f, n1, n2, kind):
    x += block(x, a, f, n1, n2, kind) - x
    return x


def on_a_copy(x, a, f, n1, n2, kind):
    """The right answer to exercise 13.1 with +=, on a copy."""
    x = x.clone()
    for g, n in ((a, n1), (f, n2)):
        x += g(n(x)) if kind == "pre-LN" else g(x)
        if kind == "post-LN":
            x = n(x)
    return x


def identities(x, a, f, n1, n2, kind):
    """The right answer to exercise 13.1 with one formula for both kinds."""
    same = lambda x: x
    for g, n in ((a, n1), (f, n2)):
        before, after = (n, same) if kind.startswith("pre") else (same, n)
        x = after(torch.stack([x, g(before(x))]).sum(0))
    return x


# ---- 13.2 -------------------------------------------------------------------


def scores_of(q, k, root=None):
    return q @ k.transpose(-1, -2) / (root or q.shape[-1] ** 0.5)


def attention(q, k, v, present, condition=lambda there: ~there[:, None, None], fill=-torch.inf, root=lambda q: q.shape[-1] ** 0.5, axis=-1):
    """The right answer to exercise 13.2, with its mistakes as options."""
    return scores_of(q, k, root(q)).masked_fill(condition(present), fill).softmax(axis) @ v


def added(number):
    return lambda q, k, v, present: (scores_of(q, k) + number * (~present)[:, None, None]).softmax(-1) @ v


def additive(q, k, v, present):
    """The right answer to exercise 13.2 with a sum: −∞ is below any number."""
    mask = torch.zeros(present.shape).masked_fill(~present, -torch.inf)
    return (scores_of(q, k) + mask[:, None, None, :]).softmax(-1) @ v


def after_softmax(q, k, v, present, renormalise=False, least=0.0):
    shares = scores_of(q, k).softmax(-1) * present[:, None, None]
    return (shares / shares.sum(-1, keepdim=True).clamp(min=least) if renormalise else shares) @ v


def exponentials(q, k, v, present):
    shares = scores_of(q, k).exp() * present[:, None, None]
    return shares / shares.sum(-1, keepdim=True) @ v


def exponentials_of_hidden(q, k, v, present):
    """The right answer to exercise 13.2 with a softmax by hand."""
    scores = torch.where(present[:, None, None, :], torch.einsum("bhtd,bhsd->bhts", q, k) * q.size(-1) ** -0.5, -torch.inf)
    shares = (scores - scores.amax(-1, keepdim=True)).exp()
    return torch.einsum("bhts,bhsd->bhtd", shares / shares.sum(-1, keepdim=True), v)


def text_by_text(q, k, v, present):
    """The right answer to exercise 13.2 by leaving the padding out, in float64."""
    q, k, v = (x.double() for x in (q, k, v))
    return torch.stack([scaled_dot_product_attention(q[b], k[b][:, here], v[b][:, here]) for b, here in enumerate(present)])


def query_by_query(q, k, v, present):
    """The right answer to exercise 13.2 with loops and lists; zeros at padding."""
    out = torch.zeros_like(q)
    for b, h, t in np.ndindex(*q.shape[:3]):
        there = [s for s in range(q.shape[2]) if present[b, s]]
        shares = torch.stack([q[b, h, t].dot(k[b, h, s]) / q.shape[3] ** 0.5 for s in there]).softmax(0)
        if present[b, t]:
            out[b, h, t] = sum(share * v[b, h, s] for share, s in zip(shares, there))
    return out


def emptied(q, k, v, present):
    k[~present[:, None].expand(k.shape[:-1])] = 0
    return attention(q, k, v, present)


def fits(sizes, wrong, right=attention):
    """A mistake that shows where the sizes agree."""
    return lambda q, *rest: wrong(q, *rest) if sizes(*q.shape) else right(q, *rest)


# ---- 13.3 -------------------------------------------------------------------


def fused(theirs, heads, parts=("query", "key", "value"), moved=("query", "key"), to=head_rows_to_interleaved, kinds=("weight", "bias")):
    """The right answer to exercise 13.3, with its mistakes as options."""

    def one(part, kind):
        rows = theirs[f"{part}.{kind}"]
        return torch.as_tensor(to(rows, heads)) if part in moved and kind in kinds else rows

    return tuple(torch.cat([one(part, kind) for part in parts]) for kind in ("weight", "bias"))


def across(rows, heads):
    return head_rows_to_interleaved(rows, 1)


def by_columns(rows, heads):
    return rows if rows.ndim == 1 else torch.as_tensor(head_rows_to_interleaved(rows.T, heads)).T


def by_views(theirs, heads):
    """The right answer to exercise 13.3 with views only."""
    def rows(x):
        return x.view(heads, 2, -1, *x.shape[1:]).transpose(1, 2).reshape(x.shape)
    weights, biases = ([theirs[f"{part}.{kind}"] for part in ("query", "key", "value")] for kind in ("weight", "bias"))
    return [torch.cat([rows(q), rows(k), v]) for q, k, v in (weights, biases)]


def by_index(theirs, heads):
    """The right answer to exercise 13.3 with row numbers, in loops."""
    C = len(theirs["query.bias"])
    D, weight, bias = C // heads, np.zeros((3 * C, C)), np.zeros(3 * C)
    for place, part in enumerate(("query", "key", "value")):
        for h in range(heads):
            for j in range(D):
                old = h * D + (j // 2 + (D // 2 if j % 2 else 0) if part != "value" else j)
                weight[place * C + h * D + j], bias[place * C + h * D + j] = theirs[f"{part}.weight"][old], theirs[f"{part}.bias"][old]
    return weight, bias


def by_matrix(theirs, heads):
    """The right answer to exercise 13.3 with a matrix of 0 and 1."""
    C = len(theirs["query.bias"])
    order = torch.arange(C).view(heads, 2, -1).mT.flatten()
    swap = torch.block_diag(torch.eye(C)[order], torch.eye(C)[order], torch.eye(C))
    return tuple(swap @ torch.cat([theirs[f"{part}.{kind}"] for part in ("query", "key", "value")]) for kind in ("weight", "bias"))


def popped(theirs, heads):
    out = fused(theirs, heads)
    theirs.pop("query.bias")
    return out


def reordered_in_place(theirs, heads):
    out = fused(theirs, heads)
    theirs["query.weight"].copy_(out[0][: len(theirs["query.bias"])])
    return out


def head_by_head(theirs, heads):
    return tuple(x.unflatten(0, (3, heads, -1)).transpose(0, 1).flatten(0, 2) for x in fused(theirs, heads))


# ---- 13.4 -------------------------------------------------------------------


def means(x, present, least=1):
    return (x * present[..., None]).sum(1) / present.sum(1, keepdim=True).clamp(min=least)


def products(rows):
    return rows @ rows.T


def likeness(x, present):
    """The right answer to exercise 13.4."""
    return products(normalize(means(x, present), dim=-1))


def of_sums(x, present):
    """The right answer to exercise 13.4 without a division by counts."""
    return products(normalize(torch.einsum("btc,bt->bc", x, present.float()), dim=-1))


def pair_by_pair(x, present):
    """The right answer to exercise 13.4 in loops."""
    table = torch.zeros(len(x), len(x))
    for a in range(len(x)):
        for b in range(len(x)):
            if present[a].any() and present[b].any():
                table[a, b] = cosine_similarity(x[a][present[a]].mean(0), x[b][present[b]].mean(0), dim=0)
    return table


def repaired(x, present):
    """The right answer to exercise 13.4 with 0 / 0 put right at the end, in float64."""
    rows = (x * present[..., None]).double().sum(1) / present.sum(1, keepdim=True)
    return products(rows / rows.norm(dim=-1, keepdim=True)).nan_to_num()


def one_on_the_diagonal(x, present):
    return likeness(x, present).fill_diagonal_(1)


def first_there(x, present):
    return products(normalize(x[torch.arange(len(x)), present.int().argmax(1)], dim=-1))


def zeroed(x, present):
    x[~present] = 0
    return likeness(x, present)


def cosines(rows):
    return products(normalize(rows, dim=-1))


MUTANTS = [
    ("13.1", always("pre-LN"), 'For kind "post-LN" your block is pre-LN. Look at kind'),
    ("13.1", always("post-LN"), 'For kind "pre-LN" your block is post-LN. Look at kind'),
    ("13.1", exchanged, "The two kinds have changed places"),
    ("13.1", with_norms(1, 0), "norm_1 and norm_2 have changed places"),
    ("13.1", only("post-LN", with_norms(1, 0)), 'For kind "post-LN": norm_1 and norm_2 have changed places'),
    ("13.1", with_norms(0, 0), "norm_1 stands with both"),
    ("13.1", with_norms(1, 1), "norm_2 stands with both"),
    ("13.1", normed_in_place, "what you add to is the normed x"),
    ("13.1", only("pre-LN", halves(lambda x, f, n, kind: n(x) + f(x))), "f reads the bare x"),
    ("13.1", fed_the_old, "reads the x from before attention"),
    ("13.1", only("post-LN", fed_the_old), "reads the x from before attention"),
    ("13.1", added_to_the_old, "what attention made is not in it"),
    ("13.1", only("post-LN", added_to_the_old), "what attention made is not in it"),
    ("13.1", halves(lambda x, f, n, kind: n(x + f(n(x)))), "each norm is used twice"),
    ("13.1", halves(lambda x, f, n, kind: x + n(f(n(x)))), "each norm is used twice"),
    ("13.1", only("post-LN", halves(lambda x, f, n, kind: n(sublayer(x, f, n, kind)))), "each norm is used twice"),
    ("13.1", halves(lambda x, f, n, kind: x + n(f(x))), "stands around f alone"),
    ("13.1", only("post-LN", halves(lambda x, f, n, kind: x + n(x + f(x)))), "one sum, inside the norm"),
    ("13.1", halves(lambda x, f, n, kind: x + f(x)), "no norm is used"),
    ("13.1", halves(lost), "x is not added. f makes only"),
    ("13.1", only("post-LN", halves(lost)), "x is not added. f makes only"),
    ("13.1", halves(lost, sublayer), "x is not added to what attention makes"),
    ("13.1", only("post-LN", halves(sublayer, lost)), "x is not added to what the feed-forward net makes"),
    ("13.1", lambda x, a, f, n1, n2, kind: block(x, f, a, n2, n1, kind), "the feed-forward net comes first"),
    ("13.1", lambda x, a, f, n1, n2, kind: sublayer(x, a, n1, kind), "the feed-forward net is missing"),
    ("13.1", lambda x, a, f, n1, n2, kind: sublayer(x, f, n2, kind), "attention is missing"),
    ("13.1", lambda *case: sublayer(sublayer(case[0], case[1], case[3], "pre-LN"), case[2], case[4], "post-LN"), "of two kinds"),
    ("13.1", only("pre-LN", lambda *case: case[4](block(*case))), "a norm too many"),
    ("13.1", lambda x, *_: x, "x comes back as it was"),
    ("13.1", in_place, "changes the x"),
    ("13.1", lambda *case: block(*case).bfloat16(), "yours is"),
    ("13.1", lambda *case: block(*case).mean(0), "the shape should be (5, 8)"),
    ("13.1", lambda *case: block(*case) if case[5] == "pre-LN" else None, "every path needs a return"),
    ("13.1", lambda *case: list(block(*case)), "torch.stack makes one"),
    ("13.2", lambda q, k, v, present: scores_of(q, k).softmax(-1) @ v, "no key is hidden"),
    ("13.2", scaled_dot_product_attention, "stopped with RuntimeError"),
    ("13.2", partial(attention, condition=lambda there: ~there[:, None, :, None]), "needs the last axis"),
    ("13.2", partial(attention, condition=lambda there: ~there[:, None, :, None], fill=-1e9), "needs the last axis"),
    ("13.2", partial(attention, condition=lambda there: ~(there[:, None, None] & there[:, None, :, None])), "hide keys only"),
    ("13.2", partial(attention, condition=lambda there: there[:, None, None]), "the condition for −∞ is ~present"),
    ("13.2", partial(attention, condition=lambda there: there[:, None, None], fill=-1e9), "the condition for −∞ is ~present"),
    ("13.2", after_softmax, "no longer add up to 1"),
    ("13.2", partial(after_softmax, renormalise=True), "before they are hidden"),
    ("13.2", partial(after_softmax, renormalise=True, least=1e-9), "now it shows"),
    ("13.2", exponentials, "∞ · 0 is not a number"),
    ("13.2", added(-1e4), "nothing beside one of 1e30"),
    ("13.2", added(-1e9), "nothing beside one of 1e30"),
    ("13.2", added(-torch.inf), "0 · −∞"),
    ("13.2", lambda q, k, v, present: (scores_of(q, k) * present[:, None, None]).softmax(-1) @ v, "e⁰ is 1"),
    ("13.2", partial(attention, fill=0.0), "e⁰ is 1"),
    ("13.2", lambda q, k, v, present: scaled_dot_product_attention(q, *(x * present[:, None, :, None] for x in (k, v))), "that share is lost"),
    ("13.2", lambda q, k, v, present: (scores_of(q, k) + present[:, None, None]).softmax(-1) @ v, "raises those of the words by 1"),
    ("13.2", partial(attention, root=lambda q: 1.0), "not divided by √D"),
    ("13.2", partial(attention, root=lambda q: q.shape[-1]), "divided by D instead of its root"),
    ("13.2", partial(attention, root=lambda q: q.shape[-1] ** -0.5), "multiplied by √D"),
    ("13.2", partial(attention, root=lambda q: (q.shape[1] * q.shape[-1]) ** 0.5), "divided by √C"),
    ("13.2", partial(attention, root=lambda q: q.shape[2] ** 0.5), "divided by √T"),
    ("13.2", partial(attention, axis=-2), "softmax runs over the queries"),
    ("13.2", partial(attention, axis=-2, fill=-1e9), "softmax runs over the queries"),
    ("13.2", fits(lambda B, H, T, D: B == H != T or B == H == T, partial(attention, condition=lambda there: ~there[:, None])),
     "hides keys of head h"),
    ("13.2", fits(lambda B, H, T, D: B == T, partial(attention, condition=lambda there: ~there)), "hides keys of query t"),
    ("13.2", partial(attention, condition=lambda there: ~there), "stopped with RuntimeError"),
    ("13.2", lambda q, k, v, present: attention(k, q, v, present), "queries and keys have changed places"),
    ("13.2", lambda q, k, v, present: attention(0 * q, k, v, present), "the plain mean"),
    ("13.2", partial(attention, condition=lambda there: ~(there[:, None, None] & torch.ones(there.shape[1], there.shape[1]).tril().bool())),
     "Here every word sees all words"),
    ("13.2", emptied, "changes the k"),
    ("13.2", lambda *case: attention(*case) + 1, "yours is"),
    ("13.2", lambda *case: attention(*case).transpose(1, 2), "the shape should be"),
    ("13.3", partial(fused, moved=()), "no row has moved"),
    ("13.3", partial(fused, moved=("query", "key", "value")), "the values are reordered, too"),
    ("13.3", partial(fused, moved=("query",)), "keys move, too"),
    ("13.3", partial(fused, moved=("key",)), "queries move, too"),
    ("13.3", partial(fused, moved=("value",)), "It is those that are turned"),
    ("13.3", partial(fused, to=head_rows_to_half_split), "the way back"),
    ("13.3", partial(fused, to=across), "across heads. Cut the rows"),
    ("13.3", partial(fused, to=across, moved=("query", "key", "value")), "across heads, and the values"),
    ("13.3", partial(fused, to=lambda rows, heads: rows.unflatten(0, (2, -1, heads)).transpose(0, 1).flatten(0, 2)), "for (D, heads)"),
    ("13.3", lambda theirs, heads: fused(theirs, len(theirs["key.bias"]) // heads), "stopped with ValueError"),
    ("13.3", partial(fused, to=lambda rows, heads: rows.unflatten(0, (heads, 2, -1)).flip(1).flatten(0, 2)), "changed places. They interleave"),
    ("13.3", partial(fused, to=by_columns), "reorder the columns"),
    ("13.3", partial(fused, kinds=("weight",)), "the biases stand as they did"),
    ("13.3", partial(fused, kinds=("bias",)), "the biases are right, the matrices are not"),
    ("13.3", partial(fused, parts=("query", "value", "key")), "another order than queries, keys, values"),
    ("13.3", partial(fused, parts=("key", "query", "value")), "another order than queries, keys, values"),
    ("13.3", partial(fused, parts=("value", "key", "query"), moved=()), "another order than queries, keys, values"),
    ("13.3", head_by_head, "query, key and value stand together"),
    ("13.3", lambda *case: (torch.cat([part.T for part in fused(*case)[0].chunk(3)]), fused(*case)[1]), "matrices are transposed"),
    ("13.3", lambda *case: fused(*case)[::-1], "The weight comes first"),
    ("13.3", lambda *case: (torch.cat(fused(*case)[0].chunk(3), dim=1), fused(*case)[1]), "side by side"),
    ("13.3", lambda *case: fused(*case)[0], "Return two things"),
    ("13.3", lambda *case: {"weight": 1, "bias": 2}, "Return two things"),
    ("13.3", lambda *case: (fused(*case)[0].half(), fused(*case)[1]), "is not theirs that belongs there"),
    ("13.3", popped, "changes the dict"),
    ("13.3", reordered_in_place, "changes the dict"),
    ("13.4", lambda x, present: cosines(x.mean(1)), "take the padding in"),
    ("13.4", lambda x, present: likeness(x, ~present), "those of the padding"),
    ("13.4", lambda x, present: products(means(x, present)), "A cosine divides by both lengths"),
    ("13.4", lambda x, present: products(x.mean(1)), "A cosine divides by both lengths"),
    ("13.4", lambda x, present: products((x * present[..., None]).mean(1)), "dot products of sums, divided by T or not"),
    ("13.4", lambda x, present: products((x * present[..., None]).sum(1)), "dot products of sums, divided by T or not"),
    ("13.4", lambda x, present: normalize(means(x, present), dim=-1) @ means(x, present).T, "only one of the two"),
    ("13.4", lambda x, present: products(normalize(means(x, present), dim=0)), "over its features: dim=-1"),
    ("13.4", lambda x, present: likeness(normalize(x, dim=-1), present), "long ones count no more"),
    ("13.4", lambda x, present: products(means(normalize(x, dim=-1), present)), "pair by pair"),
    ("13.4", lambda x, present: cosines(x[:, 0]), "the first tokens. Take the mean"),
    ("13.4", first_there, "the first tokens there"),
    ("13.4", lambda x, present: cosines(x[:, -1]), "the last tokens. Take the mean"),
    ("13.4", lambda x, present: cosines(x.masked_fill(~present[..., None], -torch.inf).amax(1)), "largest value instead of its mean"),
    ("13.4", lambda x, present: cosines(x.amax(1)), "with the padding in it"),
    ("13.4", lambda x, present: cosines((x * present[:, None]).sum(1)) if x.shape[1] == x.shape[2] else likeness(x, present),
     "needs an axis behind it"),
    ("13.4", lambda x, present: likeness(x, present).clamp(-1, 1).arccos(), "those are angles"),
    ("13.4", lambda x, present: 1 - likeness(x, present), "distances from 1"),
    ("13.4", one_on_the_diagonal, "no 1 is put there"),
    ("13.4", lambda x, present: cosines(means(x, present, least=0)), "are no numbers"),
    ("13.4", lambda x, present: (lambda rows: products(rows / rows.norm(dim=-1, keepdim=True)))(means(x, present)), "are no numbers"),
    ("13.4", lambda x, present: torch.where(present.any(1)[:, None], likeness(x, present), 0.5), "are not 0"),
    ("13.4", lambda x, present: cosines(torch.stack([row[here].mean(0) for row, here in zip(x, present)])), "are no numbers"),
    ("13.4", zeroed, "changes the x"),
    ("13.4", lambda x, present: cosine_similarity(x[:, 0], x[:, 1]), "the shape should be (4, 4)"),
    ("13.4", lambda x, present: likeness(x, present) ** 2, "yours is"),
    ("13.4", lambda x, present: likeness(x, present) if present.any(1).all() else None, "every path needs a return"),
]

# Right answers, spelled in other ways than the solutions.
ALSO_RIGHT = [
    ("13.1", block),
    ("13.1", on_a_copy),
    ("13.1", identities),
    ("13.1", lambda x, *rest: block(x.double(), *rest)),
    ("13.1", lambda x, *rest: block(x[None], *rest)[0]),
    ("13.1", lambda *case: block(*case).requires_grad_()),
    ("13.2", attention),
    ("13.2", additive),
    ("13.2", exponentials_of_hidden),
    ("13.2", text_by_text),
    ("13.2", query_by_query),
    ("13.2", partial(attention, fill=-1e9)),
    ("13.2", partial(attention, fill=-1e4)),
    ("13.2", added(torch.finfo(torch.float32).min)),
    ("13.2", lambda q, k, v, present: scaled_dot_product_attention(q, k, v, attn_mask=present[:, None, None])),
    ("13.2", lambda *case: attention(*(x.double() for x in case[:3]), case[3])),
    ("13.2", lambda q, k, v, present: attention(q, k, v, present, lambda there: ~(there[:, None, None] & there[:, None, :, None])).nan_to_num()),
    ("13.3", fused),
    ("13.3", by_views),
    ("13.3", by_index),
    ("13.3", by_matrix),
    ("13.3", lambda theirs, heads: tuple(x.double() for x in fused(theirs, heads))),
    ("13.3", lambda theirs, heads: fused({name: x.numpy() for name, x in theirs.items()} | theirs, heads)),
    ("13.4", likeness),
    ("13.4", of_sums),
    ("13.4", pair_by_pair),
    ("13.4", repaired),
    ("13.4", lambda x, present: cosines((x * present[..., None]).mean(1))),  # divided by T: a cosine does not see it
    ("13.4", lambda x, present: (lambda rows: cosine_similarity(rows[:, None], rows, dim=-1))(means(x, present))),
    ("13.4", lambda x, present: likeness(x.double(), present).tolist()),
]
