"""Training a `Translator` on sentence pairs, and letting it translate: greedily, or with a beam of hypotheses. Chapter 16.

Shapes: B pairs in a batch, S tokens of a source, T tokens of a translation, K hypotheses in a beam, V tokens in the vocabulary.

Token ids are those of `ropebook.pairs.translation_tokenizer`. A source is read as it is; a translation is written between BEGIN and END.
"""

import torch
import torch.nn.functional as F

from ropebook.finetuning import epoch_rows, padded, tokenized
from ropebook.processes import ALONE
from ropebook.training import Trainer, answering, precision

PAD, BEGIN, END = 0, 1, 2
SMOOTHING = 0.1  # of the wanted distribution is spread evenly over the vocabulary
POOL = 20  # batches of pairs, or all if they are fewer, are sorted by length together, so that little of a batch is padding


def encoded(pairs, words):
    """Sentence pairs as token ids: the sources, and the translations between BEGIN and END; two lists of (length,) int64.

    pairs    list of `ropebook.pairs.Pair`
    words    their tokenizer
    """
    sources = tokenized([pair.english for pair in pairs], words)
    targets = [torch.tensor([BEGIN, *item.ids, END]) for item in words.encode_batch([pair.german for pair in pairs])]
    return sources, targets


def smoothed_loss(logits, wanted, smoothing=SMOOTHING):
    """Sum of the losses of the wanted tokens, nats; with smoothing ε the wish is 1 − ε for the token and ε / V for each of all V.

    logits   (B, T, V)
    wanted   (B, T) int64, PAD where nothing is wanted
    source   Szegedy et al., 2016, section 7; Vaswani et al., 2017, section 5.4
    """
    return F.cross_entropy(logits.flatten(0, 1).float(), wanted.flatten(), ignore_index=PAD, label_smoothing=smoothing, reduction="sum")


class TranslationTrainer(Trainer):
    """Trains a `Translator`; an epoch has no pair twice, and those of like lengths stand together in a batch."""

    def __init__(self, model, sources, targets, config, precision="auto", team=ALONE):
        """sources, targets: from `encoded`; `config.length` tokens of each are read at most; the rest as `Trainer`."""
        super().__init__(model, None, None, config, precision, team)
        self.sources, self.targets = ([text[: config.length] for text in side] for side in (sources, targets))
        self.lengths = torch.tensor([len(text) for text in self.targets])

    def batch(self):
        rows = self.rows()
        (source, present), (target, _) = (padded([side[row] for row in rows]) for side in (self.sources, self.targets))
        return (source, present, target), (target[:, 1:] != PAD).sum().item()

    def rows(self):
        """The pairs of this step: of a pool that comes in a random order, sorted by length, one of the batches that it falls into."""
        count, batch = len(self.sources), self.config.batch
        size = max(1, min(POOL, count // batch))  # batches in a pool
        pool, place = divmod(self.done, size)
        rows = epoch_rows(count, size * batch, pool, self.config.seed)
        rows = rows[self.lengths[rows].argsort(stable=True)]
        return rows.chunk(size)[epoch_rows(size, size, pool, self.config.seed)[place]]

    def total_loss(self, source, present, target):
        source, present, target = (part.to(self.device) for part in (source, present, target))
        with precision(self.device, self.precision):
            logits = self.model(source, target[:, :-1], present)  # (B, T, V)
        return smoothed_loss(logits, target[:, 1:])


def translation_scores(model, sources, targets, batch=64):
    """How well a `Translator` guesses each next token of held-out translations, given all before it; no smoothing.

    returns  {"loss": nats per token, "top1": share of tokens that were its first choice}
    """
    device, loss, right, asked = model.bias.device, 0.0, 0, 0
    with answering(model):
        for first in range(0, len(sources), batch):
            source, present = (part.to(device) for part in padded(sources[first : first + batch]))
            target = padded(targets[first : first + batch])[0].to(device)
            logits, wanted = model(source, target[:, :-1], present), target[:, 1:]
            loss += smoothed_loss(logits, wanted, 0.0).item()
            right += ((logits.argmax(-1) == wanted) & (wanted != PAD)).sum().item()
            asked += (wanted != PAD).sum().item()
    return {"loss": loss / asked, "top1": right / asked}


def beam_search(model, source, present, width=4, penalty=0.6, longest=None):
    """The best translation among `width` hypotheses that grow token by token; an ended one keeps its place while none beats it.

    Hypotheses are ranked by log-probability / length^penalty, the length without BEGIN and with END; width 1 is the greedy choice.

    source   (B, S) int64, present (B, S) bool, false for padding
    longest  tokens of a translation, END included; None: 10 more than twice those of its own source
    returns  list of B lists of token ids, without BEGIN and END
    raises   ValueError if width or longest is below 1, naming it
    """
    if width < 1 or longest is not None and longest < 1:
        raise ValueError(f"width and longest must be at least 1, got {width} and {longest}")
    count, device = len(source), source.device
    limits = (2 * present.sum(1) + 10 if longest is None else torch.full((count,), longest, device=device))[:, None]  # (B, 1)
    spread = lambda x: x.repeat_interleave(width, dim=0)  # a row for each hypothesis
    tokens = torch.full((count, width, 1), BEGIN, device=device)
    scores = torch.full((count, width), -torch.inf, device=device).index_fill_(1, torch.tensor([0], device=device), 0.0)  # one to begin with
    lengths = torch.zeros(count, width, device=device)
    with answering(model):
        memory, present = spread(model.read(source, present)), spread(present)
        for _ in range(int(limits.max())):
            ended = (tokens[..., -1] == END) | (tokens[..., -1] == PAD) | (lengths >= limits)  # (B, K)
            if ended.all():
                break
            after = model.write(tokens.flatten(0, 1), memory, present, last=True)[:, 0].float().log_softmax(-1).view(count, width, -1)
            after[ended] = -torch.inf
            after[..., PAD] = torch.where(ended, 0.0, -torch.inf)  # nothing follows an end, and it costs nothing
            grown = lengths + ~ended
            total = scores[..., None] + after  # (B, K, V)
            best = (total / grown[..., None] ** penalty).flatten(1).topk(width).indices  # (B, K)
            parent, token = best // total.shape[-1], best % total.shape[-1]
            tokens = torch.cat([tokens.take_along_dim(parent[..., None], 1), token[..., None]], dim=-1)
            scores, lengths = total.flatten(1).take_along_dim(best, 1), grown.take_along_dim(parent, 1)
    return [[token for token in row.tolist() if token > END] for row in tokens[:, 0]]


def translate(model, texts, words, width=4, penalty=0.6, batch=32):
    """The translations of English texts, a list of str in their order; texts of like lengths go together.

    model    a trained `Translator`; words: the tokenizer; width and penalty as in `beam_search`
    """
    sources = tokenized(texts, words)
    order = sorted(range(len(texts)), key=lambda index: len(sources[index]))
    found = [""] * len(texts)
    for first in range(0, len(order), batch):
        rows = order[first : first + batch]
        source, present = (part.to(model.bias.device) for part in padded([sources[row] for row in rows]))
        for row, ids in zip(rows, beam_search(model, source, present, width, penalty)):
            found[row] = words.decode(ids)
    return found


def bleu(translations, references):
    """The BLEU of translations against one reference each, and the signature that says how it was computed: sacreBLEU, Post 2018.

    returns  (score from 0 to 100, "nrefs:1|case:mixed|…")
    raises   ValueError if there are not as many references as translations, naming both
    """
    if len(translations) != len(references):  # sacreBLEU would leave out the rest
        raise ValueError(f"each translation needs a reference, got {len(translations)} translations and {len(references)} references")
    from sacrebleu.metrics import BLEU

    metric = BLEU()
    score = metric.corpus_score(list(translations), [list(references)]).score
    return score, str(metric.get_signature())
