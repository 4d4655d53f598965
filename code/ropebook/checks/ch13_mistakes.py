"""For the checkers of chapter 13: the right answers with the mistakes that they invite, and the lesson of each."""

from itertools import permutations

import torch
from torch.nn.functional import normalize

from ropebook.layouts import head_rows_to_half_split, head_rows_to_interleaved

# ---- 13.1 -------------------------------------------------------------------

PRE, POST = (lambda x, f, norm: x + f(norm(x))), (lambda x, f, norm: norm(x + f(x)))


def both(form, second=None, order=(0, 1)):
    """A block whose sublayers are put into the stream by a form (x, f, norm), the second maybe by another; order: of the norms."""
    return lambda x, attention, feed, *norms: (second or form)(form(x, attention, norms[order[0]]), feed, norms[order[1]])


def _from_old(form, second):
    """A block whose second half, second(x, y, f, norm), has the x from before attention beside y, what the first made of it."""
    return lambda x, attention, feed, norm_1, norm_2: second(x, form(x, attention, norm_1), feed, norm_2)


def _bare(x, f, norm):
    return x


_LOST = {PRE: lambda x, f, n: f(n(x)), POST: lambda x, f, n: n(f(x))}
_FORMS = (  # lesson, what a sublayer does to the stream
    ("what you add to is the normed x. The norm is for f alone; the stream goes on as it was: x + f(norm(x)).", lambda x, f, n: n(x) + f(n(x))),
    ("f reads the bare x, and what you add to is the normed one. It is the other way round: x + f(norm(x)).", lambda x, f, n: n(x) + f(x)),
    *(("x is not added. f makes only what is added to the stream; without x all that came before is lost.", lost) for lost in _LOST.values()),
    ("your norm stands around f alone. In post-LN it is around the sum, in pre-LN it is inside f.", lambda x, f, n: x + n(f(x))),
    *(("each norm is used twice, where (13b) and (13c) use it once: inside f, or around the sum.", twice) for twice in (
        lambda x, f, n: n(x + f(n(x))), lambda x, f, n: x + n(f(n(x))), lambda x, f, n: n(n(x + f(x))), lambda x, f, n: x + f(n(n(x))))),
    ("x is added once more to the normed sum. (13b) has one sum, inside the norm.", lambda x, f, n: x + n(x + f(x))),
    ("no norm is used. Each of the two sublayers has one.", lambda x, f, n: x + f(x)),
)
BLOCKS = (  # lesson, wrong(x, attention, feed_forward, norm_1, norm_2)
    *((lesson, both(form, order=order)) for form in (PRE, POST) for order, lesson in (
        ((1, 0), "norm_1 and norm_2 have changed places: norm_1 stands with attention, norm_2 with the feed-forward net."),
        ((0, 0), "norm_1 stands with both. The feed-forward net has a norm of its own, norm_2."),
        ((1, 1), "norm_2 stands with both. Attention has a norm of its own, norm_1."))),
    *((lesson, both(form)) for lesson, form in _FORMS),
    *(("the feed-forward net reads the x from before attention. It reads the stream that attention has changed.", _from_old(*forms))
      for forms in ((PRE, lambda x, y, f, n: y + f(n(x))), (POST, lambda x, y, f, n: n(y + f(x))))),
    *(("the second sum starts from the x before attention, so what attention made is not in it. Go on with the new x.", _from_old(*forms))
      for forms in ((PRE, lambda x, y, f, n: x + f(n(y))), (POST, lambda x, y, f, n: n(x + f(y))))),
    *(("the feed-forward net comes first. Attention does, with norm_1; then the feed-forward net, with norm_2.",
       lambda x, attention, feed, n1, n2, form=form: both(form)(x, feed, attention, n2, n1)) for form in (PRE, POST)),
    *(("the feed-forward net is missing. It is the second half of the block, with norm_2.", both(form, _bare)) for form in (PRE, POST)),
    *(("attention is missing. It is the first half of the block, with norm_1.", both(_bare, form)) for form in (PRE, POST)),
    *(("x is not added to what attention makes. f only adds to the stream.", both(_LOST[form], form)) for form in (PRE, POST)),
    *(("x is not added to what the feed-forward net makes. f only adds to the stream.", both(form, _LOST[form])) for form in (PRE, POST)),
    *(("your halves are of two kinds, one pre-LN and one post-LN. kind says which for both.", both(*forms))
      for forms in ((PRE, POST), (POST, PRE))),
    ("a norm too many at the end. A pre-LN model has one after its last block, not after each.", lambda *case: case[4](both(PRE)(*case))),
    ("x comes back as it was.", lambda x, *_: x),
)

# ---- 13.2 -------------------------------------------------------------------


def attended(q, k, v, present, keys=True, queries=False, fill=-torch.inf, root=None, softmax=-1):
    """The right answer to 13.2 with its mistakes as options; keys, queries: whether the scores of padding are filled there."""
    scores = q @ k.mT / (q.shape[-1] ** 0.5 if root is None else root)
    if keys:
        scores = scores.masked_fill(~present[:, None, None], fill)
    if queries:
        scores = scores.masked_fill(~present[:, None, :, None], fill)
    return scores.softmax(softmax) @ v


def _weighed(change):
    """13.2 with change(shares, there) after a softmax over all keys; there (B, 1, 1, T) is 1 or 0."""
    return lambda q, k, v, present: change((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1), present[:, None, None].to(q)) @ v


def _scored(change):
    """13.2 with change(scores, there) before the softmax."""
    return lambda q, k, v, present: change(q @ k.mT / q.shape[-1] ** 0.5, present[:, None, None].to(q)).softmax(-1) @ v


def _along(axis):
    """The texts of the mask taken for another axis of q, where the sizes allow it: 1, the heads, or 2, the queries."""

    def wrong(q, k, v, present):
        there = present[:, None] if axis == 1 else present
        fits = q.shape[0] == q.shape[axis]
        return (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~there, -torch.inf).softmax(-1) @ v if fits else None
    return wrong


_FILLS = (-torch.inf, -1e9)
_NO_SCALE = "the scores are not divided by √D."
ATTENTIONS = (  # lesson, wrong(q, k, v, present); compared where a token is there, so a mask on queries alone looks like none
    ("the padding takes part: no key is hidden. Scores are (…, queries, keys), so the condition needs the last axis, present[:, None, None].",
     lambda *case: attended(*case, keys=False)),
    *(("you hide the words and show the padding: the condition for −∞ is ~present.", lambda q, k, v, present, fill=fill:
       attended(q, k, v, ~present, fill=fill)) for fill in _FILLS),
    ("the padding's weights are 0, but its share is lost: those of the words no longer add up to 1. Hide the scores, before the softmax.",
     _weighed(lambda shares, there: shares * there)),
    ("a score of 0 is not hidden: e⁰ is 1, and the padding gets its share. Put −∞ there.", _scored(lambda scores, there: scores * there)),
    ("keys and values of the padding are 0, but a score of 0 is not hidden: e⁰ is 1, and that share is lost. Put −∞ there.",
     lambda q, k, v, present: attended(q, *(x * present[:, None, :, None] for x in (k, v)), present, keys=False)),
    ("present is added to the scores, which raises those of the words by 1. Hidden scores are −∞.", _scored(lambda scores, there: scores + there)),
    (_NO_SCALE, lambda *case: attended(*case, root=1.0)),
    (_NO_SCALE, lambda *case: attended(*case, root=1.0, keys=False)),
    ("the scores are divided by D instead of its root.", lambda q, *rest: attended(q, *rest, root=q.shape[-1])),
    ("the scores are multiplied by √D instead of divided.", lambda q, *rest: attended(q, *rest, root=q.shape[-1] ** -0.5)),
    ("the scores are divided by √C, for the features of all heads. D is the features of one.",
     lambda q, *rest: attended(q, *rest, root=(q.shape[1] * q.shape[-1]) ** 0.5)),
    ("the scores are divided by √T. D is the features of a head.", lambda q, *rest: attended(q, *rest, root=q.shape[2] ** 0.5)),
    *(("the softmax runs over the queries. Each query spreads 1 over its keys, the last axis.", lambda *case, fill=fill, on=on:
       attended(*case, fill=fill, softmax=-2, keys=on)) for fill in _FILLS for on in (True, False)),
    ("you mask with 0 · −∞, which is not a number. masked_fill or torch.where puts −∞ where it belongs and multiplies nothing.",
     lambda *case: torch.full_like(case[0], torch.nan)),
    ("with as many heads as texts, the mask of text h hides keys of head h. Lined up from the right, present needs two axes: [:, None, None].",
     _along(1)),
    ("with as many words as texts, the mask of text t hides keys of query t. present needs two more axes: [:, None, None].",
     _along(2)),
    ("queries and keys have changed places.", lambda q, k, *rest: attended(k, q, *rest)),
    ("every word gets the plain mean of the words there. Scores are q·k/√D.", lambda q, *rest: attended(0 * q, *rest)),
    ("words see none of those after them. Here every word sees all words.", lambda q, k, v, present: (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(
        ~(present[:, None, None] & torch.ones(q.shape[2], q.shape[2], dtype=torch.bool).tril()), -torch.inf).softmax(-1) @ v),
)

# ---- 13.3 -------------------------------------------------------------------

PARTS = ("query", "key", "value")


def joined(theirs, heads, reorder=(True, True, False), how=head_rows_to_interleaved, order=(0, 1, 2), biases=True, rows=True):
    """(weight (3 C, C), bias (3 C,)), the right answer to 13.3 with its mistakes as options.

    reorder  which of query, key and value; how(rows, heads) does it
    order    of the three in the result
    biases, rows  whether those of biases and of matrices are reordered
    """
    moved = lambda x, part, on: torch.as_tensor(how(x, heads)) if on and reorder[part] else x
    return tuple(torch.cat([moved(theirs[f"{PARTS[part]}.{kind}"], part, on) for part in order])
                 for kind, on in (("weight", rows), ("bias", biases)))


def _as_one_head(x, heads):
    return head_rows_to_interleaved(x, 1)


def _heads_and_features(x, heads):
    """Rows taken for (D, H) instead of (H, D)."""
    return x.unflatten(0, (2, -1, heads)).transpose(0, 1).flatten(0, 2)


def _swapped_halves(x, heads):
    return x.unflatten(0, (heads, 2, -1)).flip(1).flatten(0, 2)


def _columns(x, heads):
    return x if x.ndim == 1 else head_rows_to_interleaved(x.mT, heads).T


def _head_by_head(theirs, heads):
    """Rows as (H, 3, D): each head's query, key and value together."""
    return tuple(x.unflatten(0, (3, heads, -1)).transpose(0, 1).flatten(0, 2) for x in joined(theirs, heads))


def _transposed(theirs, heads):
    weight, bias = joined(theirs, heads)
    return torch.cat([part.mT for part in weight.chunk(3)]), bias


FUSIONS = (  # lesson, wrong(theirs, heads)
    *((lesson, lambda *case, on=on: joined(*case, reorder=on)) for on, lesson in (
        ((False, False, False), "no row has moved. Our pairs are neighbours, theirs are not: in queries and keys the rows of each head move."),
        ((True, True, True), "the values are reordered, too. They are not turned, and the next matrix expects their features as they were."),
        ((True, False, False), "only the queries are reordered. A score pairs a query's features with a key's in the same places: keys move, too."),
        ((False, True, False), "only the keys are reordered. A score pairs a query's features with a key's in the same places: queries move, too."),
        ((False, False, True), "the values are reordered, queries and keys are not. It is those that are turned."))),
    *((lesson, lambda *case, options=options: joined(*case, **options)) for options, lesson in (
        ({"how": head_rows_to_half_split}, "your reordering is the way back, from neighbours to halves. Row 1 of a head is row D/2 of theirs."),
        ({"how": _as_one_head}, "you reorder across heads. Cut the rows into heads first: each has its own first and second half."),
        ({"how": _as_one_head, "reorder": (True, True, True)},
         "you reorder across heads, and the values with them. Cut queries and keys into heads first."),
        ({"how": _heads_and_features}, "you take the rows for (D, heads). The rows of one head stand together: (heads, D)."),
        ({"how": _swapped_halves}, "the halves of each head have changed places. They interleave: 0, D/2, 1, D/2 + 1, …"),
        ({"how": _columns}, "you reorder the columns of the matrices. Rows make the features of queries and keys; columns read those of x."),
        ({"biases": False}, "the matrices are right, the biases stand as they did. A bias is added to the feature of its row and moves with it."),
        ({"rows": False}, "the biases are right, the matrices are not: their rows move as the biases do."))),
    *(("the parts stand in another order than queries, keys, values.", lambda *case, order=order, on=on: joined(*case, order=order, reorder=on))
      for order in list(permutations(range(3)))[1:] for on in ((True, True, False), (False, False, False))),
    ("each head's query, key and value stand together. Ours has all queries first, then all keys, then all values.", _head_by_head),
    ("your matrices are transposed. Theirs are (out, in), and so is ours.", _transposed),
)

# ---- 13.4 -------------------------------------------------------------------


def means(x, present):
    """(B, C): the mean of the tokens that are there; zeros where none is."""
    weights = present.to(x)[..., None]
    return (x * weights).sum(1) / weights.sum(1).clamp(min=1)


def cosines(rows, other=None):
    """(B, B) of vectors (B, C)."""
    return normalize(rows, dim=-1) @ normalize(rows if other is None else other, dim=-1).mT


def alike(x, present):
    return cosines(means(x, present))


def _ones_on_the_diagonal(x, present):
    return alike(x, present).fill_diagonal_(1)


def _mask_on_features(x, present):
    return cosines((x * present[:, None]).sum(1)) if x.shape[1] == x.shape[2] else None


def _over_pairs(x, present):
    """The mean of the cosines of all pairs of tokens."""
    return (lambda rows: rows @ rows.mT)(means(normalize(x, dim=-1), present))


def _largest(x, present):
    return cosines(x.masked_fill(~present[..., None], -torch.inf).amax(1).nan_to_num(neginf=0))


def _at(place):
    """The cosines of one token of each text; place(present) gives its index."""
    return lambda x, present: cosines(x[torch.arange(len(x)), place(present)])


_PLAIN = "those are dot products of the means. A cosine divides by both lengths."
LIKENESSES = (  # lesson, wrong(x, present)
    ("your means take the padding in. present says which tokens are there.", lambda x, present: cosines(x.mean(1))),
    ("your means are those of the padding: it is the tokens where present is true that count.", lambda x, present: alike(x, ~present)),
    (_PLAIN, lambda x, present: means(x, present) @ means(x, present).mT),
    (_PLAIN, lambda x, present: x.mean(1) @ x.mean(1).mT),
    ("those are dot products of sums, divided by T or not. A cosine divides by both lengths.",
     lambda x, present: (lambda rows: rows @ rows.mT)((x * present[..., None]).sum(1))),
    ("those are dot products of sums, divided by T or not. A cosine divides by both lengths.",
     lambda x, present: (lambda rows: rows @ rows.mT)((x * present[..., None]).mean(1))),
    ("only one of the two means has length 1. A cosine divides by both lengths.",
     lambda x, present: normalize(means(x, present), dim=-1) @ means(x, present).mT),
    ("only one of the two means has length 1. A cosine divides by both lengths.",
     lambda x, present: means(x, present) @ normalize(means(x, present), dim=-1).mT),
    ("each feature has length 1 over the texts. Each text should have, over its features: dim=-1.",
     lambda x, present: (lambda rows: rows @ rows.mT)(normalize(means(x, present), dim=0))),
    ("each token is brought to length 1 before the mean, so that long ones count no more than short ones. Take the mean of x as it is.",
     lambda x, present: alike(normalize(x, dim=-1), present)),
    ("that is the mean of the tokens' cosines, pair by pair. Take the means first, and then their cosine.", _over_pairs),
    ("those are the cosines of the first tokens. Take the mean of all that are there.",
     _at(lambda present: torch.zeros(len(present), dtype=torch.long))),
    ("those are the cosines of the first tokens there. Take the mean of all that are there.", _at(lambda present: present.int().argmax(1))),
    ("those are the cosines of the last tokens. Take the mean of all that are there.", _at(lambda present: torch.full((len(present),), -1))),
    ("those are the cosines of the last tokens there. Take the mean of all that are there.",
     _at(lambda present: (present * torch.arange(1, present.shape[1] + 1)).argmax(1))),
    ("you take each feature's largest value instead of its mean.", _largest),
    ("you take each feature's largest value, with the padding in it. Take the mean of the tokens that are there.",
     lambda x, present: cosines(x.amax(1))),
    ("present falls on the features. It belongs to the tokens and needs an axis behind it: present[..., None].", _mask_on_features),
    ("those are angles. Their cosines are asked for.", lambda x, present: alike(x, present).clamp(-1, 1).arccos()),
    ("those are distances from 1. The cosine itself is asked for.", lambda x, present: 1 - alike(x, present)),
)
EMPTY = (  # as LIKENESSES, where a text has nothing in it and the others are right
    ("a text with nothing in it is like nothing, not even itself: its entry on the diagonal is 0, and no 1 is put there.", _ones_on_the_diagonal),
)
