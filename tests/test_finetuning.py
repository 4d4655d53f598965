"""Fine-tuning on whole texts: batches, losses and scores against independent ones; on our code and on broken copies.

Small models in float64; texts are letters. The tasks and the experiments read little texts of their own instead of the book's.
"""

import math
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from roformer_models import COUNTER, SINGLE, C, T, V, claim_tests, config, near, random_weights, seeded
from rotation_claims import EPS, refuse
from safetensors.torch import load_file, save_file

from ropebook import eras, experiment_longtext, finetuning, passages, roformer, tasks, train
from ropebook.processes import ALONE
from ropebook.text import tokenizer
from ropebook.training import TrainingConfig

K, N, B = 3, 10, 4  # classes, texts, texts in a batch: an epoch has two batches, and two texts are left over
TRAINING = TrainingConfig(steps=20, batch=B, length=T, rate=0.01, warmup=2, seed=3)
LABELS = torch.tensor([0, 1, 2, 0, 0, 1, 2, 1, 0, 2])
triplets = passages.triplets  # the book's own, before the tests put little ones in their place


def texts(length=T, count=N, seed=0):
    return torch.randint(V, (count, length), generator=seeded(seed))


def classifier(**changes):
    torch.manual_seed(0)
    return random_weights(roformer.Classifier(config(roformer, layers=1, **changes), K))


def matcher(**changes):
    torch.manual_seed(0)
    return random_weights(roformer.Matcher(config(roformer, layers=1, **changes)))


class Letters:
    """A tokenizer that knows letters."""

    @staticmethod
    def encode_batch(texts):
        return [SimpleNamespace(ids=[ord(letter) - ord("a") + 1 for letter in text]) for text in texts]


def spelt(count, seed):
    """Texts of 3 to 17 letters: some are longer than T."""
    letters = torch.randint(26, (count, 17), generator=seeded(seed))
    return ["".join(chr(ord("a") + letter) for letter in row[: 3 + 5 * place % 15]) for place, row in enumerate(letters.tolist())]


TRIPLETS = list(zip(spelt(N, 1), spelt(N, 2)[::-1], spelt(N, 3)))


def alone(model, text):
    """The vector of one text, with no other beside it: (C,)."""
    ids = torch.tensor([[ord(letter) - ord("a") + 1 for letter in text[:T]]])
    with torch.no_grad():
        return model(ids, torch.arange(ids.shape[1]))[0]


def classifier_trainer(lib, texts=texts(), model=None, **changes):
    return lib.ClassifierTrainer(model or classifier(**changes), texts, LABELS, TRAINING)


def matcher_trainer(lib, **changes):
    return lib.MatcherTrainer(matcher(**changes), TRIPLETS, Letters, TRAINING)


def rows_of(batch, of):
    """Which rows of a table the rows of a batch are."""
    return [of.index(row) for row in batch]


# ---- epochs --------------------------------------------------------------------------------------


def an_epoch_has_no_example_twice(lib):
    """All of them if batches divide them; else one batch's rest is left out, others in other epochs."""
    for count, batch in ((12, 4), (11, 4), (5, 5), (7, 1)):
        epochs = []
        for epoch in range(30):
            steps = range(epoch * (count // batch), (epoch + 1) * (count // batch))
            rows = [lib.epoch_rows(count, batch, step, 0) for step in steps]
            assert all(part.dtype == torch.int64 and part.shape == (batch,) for part in rows)
            epochs.append(torch.cat(rows).tolist())
            assert len(set(epochs[-1])) == count // batch * batch and set(epochs[-1]) <= set(range(count))
        left_out = {row for epoch in epochs for row in set(range(count)) - set(epoch)}
        assert left_out == (set(range(count)) if count % batch else set())


def fewer_than_a_batch_are_an_epoch(lib):
    assert all(sorted(lib.epoch_rows(3, 4, step, 0).tolist()) == [0, 1, 2] for step in range(5))


def seed_and_epoch_decide_the_order(lib):
    """50! orders: no two are the same by chance. Whoever else draws at random changes nothing and is not changed."""
    before = torch.get_rng_state()
    seeds = (-1, 0, 1, 2, 2**40)
    orders = {tuple(lib.epoch_rows(50, 50, epoch, seed).tolist()) for seed in seeds for epoch in range(20)}
    assert len(orders) == len(seeds) * 20
    assert torch.equal(torch.get_rng_state(), before)
    first = lib.epoch_rows(50, 10, 7, 1)
    torch.manual_seed(99)
    assert torch.equal(lib.epoch_rows(50, 10, 7, 1), first)


# ---- another model's weights ---------------------------------------------------------------------


def a_model_starts_from_the_weights_that_it_shares(lib):
    """Those and no others; as values, so that neither model's training moves the other."""
    torch.manual_seed(1)
    other = random_weights(roformer.RoFormer(config(roformer))).requires_grad_(False)
    given = {name: weight.clone() for name, weight in other.state_dict().items()}
    made = classifier()  # with one block instead of two, and a head of its own
    own = {name: weight.clone() for name, weight in made.state_dict().items()}
    names = lib.start_from(made, other)
    assert names == [name for name in own if name.split(".")[0] not in ("hidden", "output")] and len(names) == 3 + 12 + 2
    for name, weight in made.state_dict().items():
        assert torch.equal(weight, given[name] if name in names else own[name])
    assert all(weight.requires_grad for weight in made.parameters())
    with torch.no_grad():
        for weight in made.parameters():
            weight += 1
    assert all(torch.equal(weight, given[name]) for name, weight in other.state_dict().items())


def weights_of_another_shape_are_refused(lib):
    other = roformer.RoFormer(config(roformer, width=32))
    made = classifier()
    own = {name: weight.clone() for name, weight in made.state_dict().items()}
    refuse(lambda: lib.start_from(made, other), "embedding.weight", "(50, 16)", "(50, 32)")
    assert all(torch.equal(weight, own[name]) for name, weight in made.state_dict().items())
    refuse(lambda: lib.start_from(made, torch.nn.Linear(2, 2)), "Linear", "Classifier")


# ---- the classifier ------------------------------------------------------------------------------


def a_classifier_reads_the_first_tokens(lib):
    long = texts(T + 5)
    right = classifier_trainer(lib, long[:, :T].clone()).loss().item()
    assert classifier_trainer(lib, long).loss().item() == right
    for place, same in ((T, True), (T - 1, False), (0, False)):
        changed = long.clone()
        changed[:, place] = (changed[:, place] + 1) % V
        assert (classifier_trainer(lib, changed).loss().item() == right) is same
    refuse(lambda: classifier_trainer(lib, texts(T - 1)), str(T - 1), str(T))


def the_loss_is_the_mean_cross_entropy(lib):
    """In float64, a text at a time. Scores, their logsumexp of K terms and the sum of B losses are rounded to float32."""
    run = classifier_trainer(lib)
    for step in range(4):
        run.done, losses = step, []
        for row in lib.epoch_rows(N, B, step, TRAINING.seed):
            with torch.no_grad():
                scores = run.model(texts()[row][None], torch.arange(T))[0].tolist()
            losses.append(math.log(sum(map(math.exp, scores))) - scores[LABELS[row]])
        assert run.loss().item() == pytest.approx(sum(losses) / B, abs=(2 + K + B) * SINGLE * max(1, *map(abs, losses), *map(abs, scores)))


def trainers_go_through_epochs(lib):
    """Each text with its own label, each triplet whole."""
    runs = classifier_trainer(lib), matcher_trainer(lib)
    sides = [[item.ids[:T] for item in Letters.encode_batch(side)] for side in zip(*TRIPLETS)]
    for epoch in range(3):
        seen = [], []
        for run, rows in zip(runs, seen):
            for step in range(2):
                run.done = 2 * epoch + step
                batch, answers = run.batch()
                assert answers == B
                if run is runs[0]:
                    found = [rows_of(batch[0].tolist(), texts().tolist())]
                    assert batch[1].tolist() == LABELS[found[0]].tolist()
                else:
                    found = [rows_of([text[here].tolist() for text, here in zip(*batch[i : i + 2])], sides[i // 2]) for i in (0, 2, 4)]
                    assert found[0] == found[1] == found[2]
                rows.extend(found[0])
            assert len(rows) == len(set(rows)) == 2 * B
        assert seen[0] == seen[1] == torch.cat([lib.epoch_rows(N, B, 2 * epoch + step, TRAINING.seed) for step in range(2)]).tolist()


def a_restored_trainer_goes_on_as_the_unbroken_one(lib):
    """To the last bit, over the ends of epochs, with dropout."""
    for new in (classifier_trainer, matcher_trainer):
        whole, first, second = (new(lib, dropout=0.1) for _ in range(3))
        losses = [whole.step().item() for _ in range(7)]
        again = [first.step().item() for _ in range(3)]
        torch.manual_seed(99)
        second.restore(first.state())
        again += [second.step().item() for _ in range(4)]
        assert losses == again and all(map(torch.equal, whole.model.parameters(), second.model.parameters()))


def the_likeliest_class_is_found(lib):
    """A text at a time, whatever the batch, without dropout; a model in training stays so."""
    made = classifier(dropout=0.5).eval()
    made.output.bias.data -= made(texts(), torch.arange(T)).mean(0)  # so that no class is the likeliest for all
    got = lib.classify(made.train(), texts(), batch=3)
    assert made.training and got.dtype == torch.int64
    made.eval()
    right = torch.cat([made(text[None], torch.arange(T)) for text in texts()]).argmax(-1)
    assert len(set(right.tolist())) > 1 and torch.equal(got, right) and torch.equal(lib.classify(made, texts()), right)
    assert not lib.classify(made, texts()).requires_grad


def a_row_of_the_confusion_is_a_true_class(lib):
    labels, guesses = torch.tensor([0, 0, 1, 2, 2, 2]), torch.tensor([1, 1, 1, 2, 0, 2])
    assert lib.confusion(labels, guesses, 4).tolist() == [[0, 2, 0, 0], [0, 1, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]]
    labels, guesses = (torch.randint(7, (200,), generator=seeded(seed)) for seed in (1, 2))
    counts = Counter(zip(labels.tolist(), guesses.tolist()))
    assert lib.confusion(labels, guesses, 7).tolist() == [[counts[true, guess] for guess in range(7)] for true in range(7)]


def scores_are_those_of_scikit_learn(lib):
    """A class that never occurs counts as 0, as there with all classes named; unnamed, scikit-learn's mean leaves it out.

    Both add up k quotients of order 1 in float64."""
    metrics = pytest.importorskip("sklearn.metrics")
    k = 5
    for seed, present in enumerate([(0, 1, 2, 3, 4), (0, 1, 2, 3, 4), (0, 2, 3), (4,)]):
        labels = torch.tensor(present)[torch.randint(len(present), (40,), generator=seeded(seed))]
        chance = torch.rand(40, generator=seeded(seed + 10)) < 0.5
        guesses = torch.where(chance, labels, torch.tensor(present)[torch.randint(len(present), (40,), generator=seeded(seed + 20))])
        got = lib.classification_scores(lib.confusion(labels, guesses, k))
        f1 = lambda **named: metrics.f1_score(labels, guesses, average="macro", zero_division=0, **named)
        assert got["accuracy"] == pytest.approx(metrics.accuracy_score(labels, guesses), abs=EPS)
        assert got["macro_f1"] == pytest.approx(f1(labels=range(k)), abs=2 * k * EPS)
        assert got["macro_f1"] == pytest.approx(f1() * len(present) / k, abs=2 * k * EPS)
        assert all(type(value) is float for value in got.values())
    one_sided = lib.classification_scores(torch.tensor([[2, 0], [2, 0]]))  # class 1 is there and never guessed
    assert one_sided == {"accuracy": 0.5, "macro_f1": pytest.approx((2 * 2 / (2 + 4) + 0) / 2, abs=EPS)}


# ---- the matcher ---------------------------------------------------------------------------------


def an_anchor_should_be_most_like_its_own_positive(lib):
    """One anchor at a time, in float64, each text alone, so that nothing is padded.

    Likenesses are sums of C products of unit vectors in float32, then up to 1 / 0.05 = 20 in size; logsumexp has 2 B terms."""
    run = matcher_trainer(lib)
    for step in range(4):
        run.done, losses = step, []
        anchors, positives, negatives = zip(*(TRIPLETS[row] for row in lib.epoch_rows(N, B, step, TRAINING.seed)))
        for i in range(B):
            scores = [alone(run.model, anchors[i]).dot(alone(run.model, other)).item() / 0.05 for other in (*positives, *negatives)]
            losses.append(math.log(sum(map(math.exp, scores))) - scores[i])
        assert run.loss().item() == pytest.approx(sum(losses) / B, abs=20 * (2 * (C + 4) + 2 * B + B) * SINGLE)


def texts_are_cut_and_padded(lib):
    found = lib.tokenized(("abcde", "ab", ""), Letters, 3)
    assert [text.tolist() for text in found] == [[1, 2, 3], [1, 2], []] and all(text.dtype == torch.int64 for text in found)
    assert [len(text) for text in lib.tokenized(("abcde", ""), Letters)] == [5, 0]
    words, said = tokenizer(), "A text of the book's own tokenizer."
    assert lib.tokenized(iter([said]), words, 1000)[0].tolist() == words.encode(said).ids  # of any collection
    tokens, present = lib.padded([torch.tensor([1, 2, 3]), torch.tensor([4]), torch.tensor([0, 5])])
    assert tokens.tolist() == [[1, 2, 3], [4, 0, 0], [0, 5, 0]] and present.dtype == torch.bool
    assert present.tolist() == [[True, True, True], [True, False, False], [True, True, False]]


def padding_does_not_change_the_vectors(lib):
    """A batch without any is not told of padding."""
    for way in ({}, {"encoding": "learned"}, {"encoding": "ALiBi"}):
        made, said = matcher(**way), []
        made.register_forward_pre_hook(lambda made, given: said.append(given[2:]))
        sides = lib.tokenized(spelt(5, 4), Letters, T)
        got = lib.vectors_of(made, *lib.padded(sides))
        near(got, torch.stack([alone(made, text) for text in spelt(5, 4)]))
        said.clear()
        for text, vector in zip(sides, got):
            near(lib.vectors_of(made, *lib.padded([text]))[0], vector)
        assert said == [(None,)] * 5


def the_more_alike_text_is_told(lib):
    """By products of texts that stand alone, in batches of any size, without dropout; positive and negative are not the same to it."""
    made = matcher(dropout=0.5)
    got = lib.told_right(made, TRIPLETS, Letters, T, batch=3)
    assert made.training and got.dtype == torch.float64 and got.shape == (N,)
    made.eval()
    lead = torch.stack([alone(made, a).dot(alone(made, p) - alone(made, n)) for a, p, n in TRIPLETS])
    assert lead.abs().min() > 10 * lib.TIE and torch.equal(got, (lead > 0).double()) and 0 < got.sum() < N
    assert torch.equal(lib.told_right(made, TRIPLETS, Letters, T), got)
    assert torch.equal(lib.told_right(made, [(a, n, p) for a, p, n in TRIPLETS], Letters, T), 1 - got)
    assert torch.equal(lib.told_right(made, [(a, p, p) for a, p, _ in TRIPLETS], Letters, T), torch.full((N,), 0.5, dtype=torch.float64))


def order_is_a_tie_without_positions(lib):
    """Of whole texts, of the book's own triplets: exactly, in float32 too. Of texts cut off, other verses are left: no tie.

    An order changes sums of vectors of length 1 by some roundings of float32, a hundredth of what counts as a tie."""
    words, some = tokenizer(), triplets("test", "order", 0)[::120]
    sizes = {"vocabulary": words.get_vocab_size(), "width": 32, "heads": 2, "layers": 2}
    for encoding, length, tied in (("NoPE", 1000, True), ("NoPE", 64, False), ("RoPE", 1000, False)):
        torch.manual_seed(0)
        model = roformer.Matcher(roformer.RoFormerConfig(**sizes, encoding=encoding))
        got = lib.told_right(model, some, words, length)
        assert (got.tolist() == [0.5] * len(some)) is tied


# ---- little texts for the tasks and the experiments ----------------------------------------------

SAME, OWN = (tokenizer().encode(text).ids for text in (" of the people" * 5, " war peace trade money law school work public"))
assert len(SAME) == 15 and len(OWN) == 8


def little_documents(split, tokens, bins=8, fold=0):
    """Three pieces of each era: 15 tokens that all share, a word of the era, and then, of at most 32 tokens, the next era's word."""
    asked.append(("documents", split, tokens, bins, fold))
    labels = np.arange(3 * bins) % bins
    return np.array([SAME + [OWN[label]] + [OWN[(label + 1) % bins]] * 16 for label in labels])[:, :tokens], labels


def little_triplets(split, kind, seed):
    """Texts of 40 random letters, other ones for each split, kind and seed."""
    asked.append(("triplets", split, kind, seed))
    letters = np.random.default_rng([len(split), len(kind), seed]).integers(26, size=({"train": 20, "validation": 7, "test": 9}[split], 3, 40))
    return [tuple("".join(chr(97 + letter) for letter in text) for text in three) for three in letters]


asked = []  # what was read


@pytest.fixture(autouse=True)
def little_data(monkeypatch):
    monkeypatch.setattr(eras, "documents", little_documents)
    for module in (passages, tasks, experiment_longtext):
        monkeypatch.setattr(module, "triplets", little_triplets)
    asked.clear()


SIZES = {"width": 16, "heads": 2, "layers": 1}
SHORT = TrainingConfig(steps=2, batch=4, length=16, seed=5)


def made_task(lib, name, training=SHORT):
    kind = lib.TASKS[name]
    torch.manual_seed(0)
    return kind(training, None), kind.build(kind.config(SIZES))


# ---- the tasks -----------------------------------------------------------------------------------


def eras_are_sorted_and_scored(lib):
    task, model = made_task(lib, "era", TrainingConfig(steps=2, batch=4, length=32))
    assert isinstance(model, roformer.Classifier) and model.output.out_features == 8 and model.config.vocabulary == 2048
    run = task.trainer(model, "float32", ALONE)
    assert isinstance(run, finetuning.ClassifierTrainer) and len(run.labels) == 24 and run.texts.shape == (24, 32)
    assert asked == [("documents", split, 32, 8, 0) for split in ("validation", "test", "train")]
    task.held_out["test"] = tuple(part[:5] for part in task.held_out["test"])
    results = task.results(run)
    for split, (pieces, labels) in task.held_out.items():
        guesses = finetuning.classify(model, pieces)
        right = finetuning.classification_scores(finetuning.confusion(labels, guesses, 8))
        assert results[split] == right | {"pieces": len(labels)} == task.score(model, split)
    assert set(results) == {"validation", "test"} and task.score(model) == results["validation"] and results["test"]["pieces"] == 5
    said = task.line({"accuracy": 0.125, "macro_f1": 0.25, "pieces": 7})
    assert said == "right on 12.5% of 7 pieces, macro-F1 0.250"


def passages_are_matched_and_scored(lib):
    """Trained with another order as negative, and held against both kinds; the seed chooses the orders."""
    task, model = made_task(lib, "matching")
    assert isinstance(model, roformer.Matcher) and model.config.vocabulary == 2048
    assert asked == [("triplets", split, kind, 5) for split in ("validation", "test") for kind in ("order", "lexical")]
    asked.clear()
    run = task.trainer(model, "float32", ALONE)
    assert isinstance(run, finetuning.MatcherTrainer) and len(run.sides[0]) == 20
    assert asked == [("triplets", "train", "order", 5)], "of the training texts no negatives are looked for that nobody needs"
    results = task.results(run)
    for split, number in (("validation", 7), ("test", 9)):
        right = {kind: finetuning.told_right(model, little_triplets(split, kind, 5), tokenizer(), 16).mean().item() for kind in ("order", "lexical")}
        assert results[split] == right | {"triplets": number}
    assert task.score(model) == results["validation"] and set(results) == {"validation", "test"}
    said = task.line({"order": 0.75, "lexical": 0.5, "triplets": 8})
    assert said == "of 8 triplets each, right on 75.0% with another order, 50.0% with another passage"


def tasks_with_labels_know_only_the_books_texts(lib):
    for name in ("era", "matching", "translation"):
        refuse(lambda: lib.TASKS[name](SHORT, "hub:other"), "labels or translations", "hub:other")
        assert asked == [], "it is refused before anything is read"


def a_piece_longer_than_all_addresses_is_refused(lib):
    """The fixture `little_data` puts the function back."""
    eras.documents = lambda split, tokens, bins: (np.zeros((0, tokens), dtype=np.int64), np.zeros(0, dtype=np.int64))
    refuse(lambda: made_task(lib, "era"), "validation", "16 tokens")


# ---- models in files, and runs that start from them ----------------------------------------------


@contextmanager
def exported(lib, task, **changes):
    """A folder with a model as `export` leaves it, and the model."""
    with TemporaryDirectory() as folder:
        torch.manual_seed(0)
        model = random_weights(tasks.TASKS[task].build(config(roformer, **changes))).float()
        lib.export(Path(folder), model, task)
        yield Path(folder), model


def a_weight_with_two_names_is_saved_once(lib):
    """Read back, it is still one; the model is the same, ready to answer."""
    with exported(lib, "translation", dropout=0.1) as (folder, model):
        saved = load_file(folder / "model.safetensors")
        assert set(saved) == {name for name, _ in model.named_parameters()} and "decoder.embedding.weight" not in saved
        assert sum(weight.numel() for weight in saved.values()) == sum(weight.numel() for weight in model.parameters())
        got = lib.load_model(folder)
    assert type(got) is roformer.Translator and got.config == model.config and got.decoder.embedding is got.encoder.embedding
    assert not got.training and not any(weight.requires_grad for weight in got.parameters())
    assert torch.equal(got(texts(5), texts()), model.eval()(texts(5), texts()))


def a_folder_whose_weights_do_not_fit_is_refused(lib):
    """One too few, one too many, one of another shape; and no number of another shape is read as if it fitted."""
    for change, name in (
        (lambda weights: weights.pop("norm.bias"), "norm.bias"),
        (lambda weights: weights.update(extra=torch.zeros(1)), "extra"),
        (lambda weights: weights.update({"norm.bias": torch.zeros(1)}), "norm.bias"),
    ):
        with exported(lib, "era") as (folder, _):
            weights = load_file(folder / "model.safetensors")
            lib.load_model(folder)
            change(weights)
            save_file(weights, folder / "model.safetensors")
            refuse(lambda: lib.load_model(folder), str(folder), name)


def a_run_starts_from_a_finished_one(lib):
    """With what it shares; the rest, and all without a start, is as the seed has it."""
    settings = {"task": "era", "text": None, "precision": "auto", "training": {"steps": 1, "length": 16, "seed": 4}, "model": SIZES}
    cpu = torch.device("cpu")
    with exported(lib, "masked", vocabulary=2048, layers=1) as (folder, other):
        started, fresh = (lib.make_trainer({**settings, "start": start}, cpu, False, ALONE)[1].model for start in (str(folder), None))
    torch.manual_seed(4)
    own, given = roformer.Classifier(started.config, 8).state_dict(), other.state_dict()
    assert all(torch.equal(weight, own[name]) for name, weight in fresh.state_dict().items())
    assert all(torch.equal(weight, given.get(name, own[name])) for name, weight in started.state_dict().items())
    assert all(weight.requires_grad for weight in started.parameters())
    book = lib.make_trainer({**settings, "start": "book", "model": {}}, cpu, False, ALONE)[1].model.state_dict()
    shipped = experiment_longtext.pretrained().state_dict()
    assert len(set(book) & set(shipped)) == 3 + 4 * 12 + 2
    assert all(torch.equal(book[name], shipped[name]) for name in set(book) & set(shipped))


# ---- the experiments -----------------------------------------------------------------------------


def texts_have_two_marks(lib):
    """The label says the two kinds; all draws are even, to five standard deviations."""
    n = 4000
    found, labels, gaps = lib.marked_texts(n, seeded())
    assert found.shape == (n, 272) and found.dtype == labels.dtype == gaps.dtype == torch.int64
    marks = (found == 2) | (found == 3)
    assert (marks.sum(1) == 2).all()
    places = marks.nonzero()[:, 1].view(n, 2)
    first, second = (found.gather(1, places[:, i : i + 1])[:, 0] - 2 for i in (0, 1))
    assert torch.equal(labels, 2 * first + second) and torch.equal(gaps, places[:, 1] - places[:, 0])
    noise = found[~marks]
    assert noise.min() == 4 and noise.max() == 35
    for drawn, values in ((labels, range(4)), (gaps, [2**i for i in range(9)]), (places[:, 0], range(16)), (noise, range(4, 36))):
        counts, share = Counter(drawn.tolist()), 1 / len(values)
        assert set(counts) == set(values)
        assert max(abs(count - len(drawn) * share) for count in counts.values()) < 5 * (len(drawn) * share * (1 - share)) ** 0.5
    again, other = lib.marked_texts(n, seeded())[0], lib.marked_texts(n, seeded(1))[0]
    assert torch.equal(again, found) and not torch.equal(other, found)


def results_hold_the_confusion(lib):
    labels, guesses = torch.arange(16) % 8, torch.zeros(16, dtype=torch.int64)
    got = lib.sorted_as(labels, guesses)
    assert got == {"accuracy": 1 / 8, "macro_f1": pytest.approx(2 * 2 / (2 + 16) / 8, abs=16 * EPS), "confusion": [[2] + [0] * 7] * 8}


def a_bag_of_words_reads_as_far_as_the_model(lib):
    """Before their 16th token all pieces are alike, and guessed alike. From there on their words tell, also if the last ones are cut off."""
    pytest.importorskip("sklearn")
    alike, cut, whole = (lib.bag_of_words(length, 2) for length in (15, 16, 32))
    assert asked == [("documents", split, 1024, 8, 2) for split in ("train", "test")] * 3
    assert cut["accuracy"] == cut["macro_f1"] == 1.0 and cut["confusion"] == (3 * np.eye(8, dtype=int)).tolist() and whole == cut
    assert alike["accuracy"] == 1 / 8 and alike == lib.era({"encoding": "bag of words", "cut": 15, "start": "none"}, 2)


def a_model_begins_pretrained_or_from_scratch(lib):
    """What no pre-training gave is drawn by the seed, the same with both starts for the same seed."""
    shipped = experiment_longtext.pretrained().state_dict()
    make = lambda seed, start="pre-trained", encoding="RoPE": lib.begun(roformer.Classifier, {"encoding": encoding, "start": start}, seed, 8)
    lib.pretrained.cache_clear()  # a process's first model is like any other
    a, b, c, learned = make(1), make(1, "scratch"), make(2), make(1, encoding="learned")
    assert a.config.width == 128 and a.output.out_features == 8 and learned.position_embedding.weight.shape == (1024, 128)
    for name, weight in a.state_dict().items():
        own = name.split(".")[0] in ("hidden", "output")
        assert torch.equal(weight, b.state_dict()[name] if own else shipped[name]) and (own or torch.equal(weight, c.state_dict()[name]))
    assert not torch.equal(a.hidden.weight, c.hidden.weight) and not torch.equal(b.embedding.weight, shipped["embedding.weight"])
    assert learned.config.encoding == "learned" and torch.equal(learned.embedding.weight, shipped["embedding.weight"])
    assert isinstance(lib.begun(roformer.Matcher, {"encoding": "NoPE", "start": "scratch"}, 0), roformer.Matcher)


def a_runs_seed_is_its_fold(lib):
    setting = {"encoding": "RoPE", "start": "scratch", "cut": 24}
    run, held_out, labels = lib.era_run(setting, 3)
    assert asked == [("documents", split, 1024, 8, 3) for split in ("train", "test")]
    assert (run.config.length, run.config.seed, run.texts.shape) == (24, 3, (24, 24)) and held_out.shape == (24, 32) and len(labels) == 24
    asked.clear()
    run = lib.matching_run(setting, 3)
    assert asked == [("triplets", "train", "order", 3)]
    assert (run.config.length, run.config.seed, len(run.sides[0])) == (24, 3, 20)


def marks_are_fresh_at_every_step(lib):
    """And cut off; a restored run draws what the unbroken one would have drawn."""
    def new():
        torch.manual_seed(0)
        model = roformer.Classifier(roformer.RoFormerConfig(36, width=16, heads=2, layers=1), 4)
        return lib.MarksTrainer(model, TrainingConfig(steps=4, batch=8, length=20, seed=1))

    run, generator, seen = new(), seeded(1), set()
    for _ in range(5):
        (found, labels), answers = run.batch()
        right, wanted, _ = experiment_longtext.marked_texts(8, generator)
        assert answers == 8 and torch.equal(found, right[:, :20]) and torch.equal(labels, wanted)
        seen |= set(map(tuple, found.tolist()))
    assert len(seen) == 5 * 8
    whole, first, second = new(), new(), new()
    losses = [whole.step().item() for _ in range(4)]
    again = [first.step().item() for _ in range(2)]
    second.restore(first.state())
    assert losses == again + [second.step().item() for _ in range(2)]


# ---- claims and mutants --------------------------------------------------------------------------

CLAIMS = {
    finetuning: [
        an_epoch_has_no_example_twice, fewer_than_a_batch_are_an_epoch, seed_and_epoch_decide_the_order,
        a_model_starts_from_the_weights_that_it_shares, weights_of_another_shape_are_refused,
        a_classifier_reads_the_first_tokens, the_loss_is_the_mean_cross_entropy, trainers_go_through_epochs,
        a_restored_trainer_goes_on_as_the_unbroken_one, the_likeliest_class_is_found, a_row_of_the_confusion_is_a_true_class,
        scores_are_those_of_scikit_learn, an_anchor_should_be_most_like_its_own_positive, texts_are_cut_and_padded,
        padding_does_not_change_the_vectors, the_more_alike_text_is_told, order_is_a_tie_without_positions,
    ],
    tasks: [
        eras_are_sorted_and_scored, passages_are_matched_and_scored, tasks_with_labels_know_only_the_books_texts,
        a_piece_longer_than_all_addresses_is_refused,
    ],
    train: [a_weight_with_two_names_is_saved_once, a_folder_whose_weights_do_not_fit_is_refused, a_run_starts_from_a_finished_one],
    experiment_longtext: [
        texts_have_two_marks, results_hold_the_confusion, a_bag_of_words_reads_as_far_as_the_model,
        a_model_begins_pretrained_or_from_scratch, a_runs_seed_is_its_fold, marks_are_fresh_at_every_step,
    ],
}  # fmt: skip

MUTANTS = [
    (an_epoch_has_no_example_twice, "order[place * batch : (place + 1) * batch]", "order[place : place + batch]"),
    (an_epoch_has_no_example_twice, "divmod(step, count // batch)", "divmod(step, -(-count // batch))"),
    (an_epoch_has_no_example_twice, "mixed_seed(seed, epoch)", "mixed_seed(seed, step)"),
    (an_epoch_has_no_example_twice, "mixed_seed(seed, epoch)", "mixed_seed(seed)"),
    (fewer_than_a_batch_are_an_epoch, "    batch = min(batch, count)\n", ""),
    (seed_and_epoch_decide_the_order, "mixed_seed(seed, epoch)", "(seed + epoch)"),
    (seed_and_epoch_decide_the_order, "mixed_seed(seed, epoch)", "(seed << 16 | epoch << 48) % 2**63"),
    (seed_and_epoch_decide_the_order, "mixed_seed(seed, epoch)", "(seed << 32 | epoch) % 2**63"),
    (seed_and_epoch_decide_the_order, "generator=torch.Generator().manual_seed(", "generator=torch.manual_seed("),
    (a_model_starts_from_the_weights_that_it_shares, "    model.load_state_dict({name: given[name] for name in names}, strict=False)\n",
     "    for name, weight in model.named_parameters():\n        weight.data = given.get(name, weight)\n"),
    (a_model_starts_from_the_weights_that_it_shares, "{name: given[name] for name in names}", "{name: given[name] for name in names[1:]}"),
    (a_model_starts_from_the_weights_that_it_shares, "return names", "return list(given)"),
    (a_model_starts_from_the_weights_that_it_shares, "strict=False", "strict=False, assign=True"),
    (weights_of_another_shape_are_refused, "if own[name].shape != given[name].shape", "if False"),
    (weights_of_another_shape_are_refused, "    if not names:", "    if False:"),
    (a_classifier_reads_the_first_tokens, "texts[:, :length]", "texts[:, -length:]"),
    (a_classifier_reads_the_first_tokens, "if texts.shape[1] < length", "if False"),
    (the_loss_is_the_mean_cross_entropy, 'labels.to(self.device), reduction="sum")', "labels.to(self.device))"),
    (the_loss_is_the_mean_cross_entropy, "return (self.texts[rows], self.labels[rows]), len(rows)", "return (self.texts[rows], self.labels[rows]), 1"),
    (the_loss_is_the_mean_cross_entropy, "self.labels[rows]), len(rows)", "self.labels[: len(rows)]), len(rows)"),
    (trainers_go_through_epochs, "len(self.labels), self.config.batch, self.done, self.config.seed", "len(self.labels), self.config.batch, 0, self.config.seed"),
    (trainers_go_through_epochs, "len(self.labels), self.config.batch, self.done, self.config.seed", "len(self.labels), self.config.batch, self.done, 0"),
    (trainers_go_through_epochs, "len(self.sides[0]), self.config.batch, self.done, self.config.seed", "len(self.sides[0]), self.config.batch, self.done, 0"),
    (trainers_go_through_epochs, "padded([side[row] for row in rows])", "padded([side[row] for row in rows.sort().values])"),
    (a_restored_trainer_goes_on_as_the_unbroken_one, "len(self.labels), self.config.batch, self.done", f"len(self.labels), self.config.batch, {COUNTER}"),
    (a_restored_trainer_goes_on_as_the_unbroken_one, "len(self.sides[0]), self.config.batch, self.done", f"len(self.sides[0]), self.config.batch, {COUNTER}"),
    (the_likeliest_class_is_found, ".argmax(-1)", ".argmin(-1)"),
    (the_likeliest_class_is_found, "    with answering(model):\n        return torch.cat", "    with torch.no_grad():\n        return torch.cat"),
    (the_likeliest_class_is_found, "    with answering(model):\n        return torch.cat", "    model.eval()\n    with torch.no_grad():\n        return torch.cat"),
    (a_row_of_the_confusion_is_a_true_class, "labels * classes + guesses", "guesses * classes + labels"),
    (a_row_of_the_confusion_is_a_true_class, "minlength=classes**2", "minlength=classes"),
    (scores_are_those_of_scikit_learn, "table.sum(0) + table.sum(1)", "2 * table.sum(0)"),
    (scores_are_those_of_scikit_learn, "table.sum(0) + table.sum(1)", "2 * table.sum(1)"),
    (scores_are_those_of_scikit_learn, ".clamp(min=1)", ""),
    (scores_are_those_of_scikit_learn, "(2 * right / sizes.clamp(min=1)).mean()", "(2 * right.sum() / sizes.sum())"),
    (scores_are_those_of_scikit_learn, "(2 * right / sizes.clamp(min=1)).mean()", "(2 * right / sizes)[sizes > 0].mean()"),
    (scores_are_those_of_scikit_learn, "table.diagonal().double()", "table.diagonal().float()"),
    (an_anchor_should_be_most_like_its_own_positive, "likeness / TEMPERATURE", "likeness"),
    (an_anchor_should_be_most_like_its_own_positive, "TEMPERATURE = 0.05", "TEMPERATURE = 0.1"),
    (an_anchor_should_be_most_like_its_own_positive, "torch.cat([positives, negatives])", "positives"),
    (an_anchor_should_be_most_like_its_own_positive, "torch.cat([positives, negatives])", "torch.cat([negatives, positives])"),
    (an_anchor_should_be_most_like_its_own_positive, 'device=self.device), reduction="sum")', "device=self.device))"),
    (an_anchor_should_be_most_like_its_own_positive, "for i in (0, 2, 4)", "for i in (2, 0, 4)"),
    (an_anchor_should_be_most_like_its_own_positive, "None if present.all() else present", "None"),
    (texts_are_cut_and_padded, "encode_batch(list(texts))", "encode_batch(texts)"),
    (texts_are_cut_and_padded, "item.ids[:length], dtype=torch.int64)", "item.ids[:length])"),
    (texts_are_cut_and_padded, "item.ids[:length]", "item.ids"),
    (texts_are_cut_and_padded, "item.ids[:length]", "item.ids[-length:]"),
    (texts_are_cut_and_padded, "< lengths[:, None]", "<= lengths[:, None]"),
    (texts_are_cut_and_padded, "torch.arange(tokens.shape[1]) < lengths[:, None]", "tokens != 0"),
    (texts_are_cut_and_padded, "batch_first=True)", "batch_first=True, padding_value=1)"),
    (padding_does_not_change_the_vectors, "None if present.all() else present", "present"),
    (padding_does_not_change_the_vectors, "None if present.all() else present", "None"),
    (padding_does_not_change_the_vectors, "None if present.all() else present", "None if present.any() else present"),
    (the_more_alike_text_is_told, "(positive - negative)", "(negative - positive)"),
    (the_more_alike_text_is_told, "side[first : first + batch]", "side[first : first + 32]"),
    (the_more_alike_text_is_told, "range(0, len(triplets), batch)", "range(0, len(triplets) - batch, batch)"),
    (the_more_alike_text_is_told, "TIE = 1e-5", "TIE = 1.0"),
    (the_more_alike_text_is_told, "(lead.sign() * (lead.abs() > TIE) + 1) / 2", "(lead > 0).double()"),
    (the_more_alike_text_is_told, "    with answering(model):\n        for first", "    with torch.no_grad():\n        for first"),
    (order_is_a_tie_without_positions, "TIE = 1e-5", "TIE = 0.0"),
    (order_is_a_tie_without_positions, "TIE = 1e-5", "TIE = 1.0"),
    (order_is_a_tie_without_positions, "item.ids[:length]", "item.ids[:64]"),
    (eras_are_sorted_and_scored, "return Classifier(config, cls.BINS)", "return Classifier(config, 2)"),
    (eras_are_sorted_and_scored, "documents(split, self.training.length, self.BINS)", "documents(split, 128, self.BINS)"),
    (eras_are_sorted_and_scored, '*self.read("train")', '*self.read("test")'),
    (eras_are_sorted_and_scored, "texts, labels = self.held_out[split]", 'texts, labels = self.held_out["validation"]'),
    (eras_are_sorted_and_scored, "confusion(labels, classify(model, texts), self.BINS)", "confusion(labels, labels, self.BINS)"),
    (eras_are_sorted_and_scored, "{split: self.score(trainer.model, split) for split in self.held_out}",
     "{split: self.score(trainer.model) for split in self.held_out}"),
    (passages_are_matched_and_scored, 'triplets("train", "order", self.training.seed)', 'triplets("train", "lexical", self.training.seed)'),
    (passages_are_matched_and_scored, 'triplets("train", "order", self.training.seed)', 'self.read("train")["order"]'),
    (passages_are_matched_and_scored, "triplets(split, kind, self.training.seed)", "triplets(split, kind, 0)"),
    (passages_are_matched_and_scored, "self.words, self.training.length).mean()", "self.words, 128).mean()"),
    (passages_are_matched_and_scored, "in self.held_out[split].items()", 'in self.held_out["validation"].items()'),
    (tasks_with_labels_know_only_the_books_texts, "        if source:\n", "        if False:\n"),
    (a_piece_longer_than_all_addresses_is_refused, "        if not len(labels):\n", "        if False:\n"),
    (a_weight_with_two_names_is_saved_once, "for name, weight in model.named_parameters()}\n    write", "for name, weight in model.state_dict().items()}\n    write"),
    (a_weight_with_two_names_is_saved_once, "load_state_dict(weights, strict=False)", "load_state_dict(weights)"),
    (a_weight_with_two_names_is_saved_once, "requires_grad_(False).eval()", "eval()"),
    (a_weight_with_two_names_is_saved_once, "requires_grad_(False).eval()", "requires_grad_(False)"),
    (a_folder_whose_weights_do_not_fit_is_refused, "needed.items() ^ held.items()", "{}"),
    (a_folder_whose_weights_do_not_fit_is_refused, "needed.items() ^ held.items()", "needed.items() - held.items()"),
    (a_folder_whose_weights_do_not_fit_is_refused, "needed.items() ^ held.items()", "[(name, 0) for name in needed.keys() ^ held.keys()]"),
    (a_run_starts_from_a_finished_one, '    if settings["start"]:\n', "    if False:\n"),
    (a_run_starts_from_a_finished_one, 'settings["start"] == BOOK', "True"),
    (a_run_starts_from_a_finished_one, "    torch.manual_seed(training.seed)\n", ""),
    (texts_have_two_marks, "2 * kinds[:, 0] + kinds[:, 1]", "2 * kinds[:, 1] + kinds[:, 0]"),
    (texts_have_two_marks, "[first, first + gaps]", "[first, first + gaps - 1]"),
    (texts_have_two_marks, "draw(FIRST, (count,))", "draw(FIRST - 1, (count,))"),
    (texts_have_two_marks, "draw(len(GAPS), (count,))", "draw(len(GAPS) - 1, (count,))"),
    (texts_have_two_marks, "draw(len(NOISE), (count, LONGEST)) + NOISE[0]", "draw(len(NOISE), (count, LONGEST)) + MARKS[1]"),
    (texts_have_two_marks, "draw(2, (count, 2))", "draw(2, (count, 1)).expand(-1, 2)"),
    (texts_have_two_marks, "torch.randint(high, size, generator=generator)", "torch.randint(high, size)"),
    (results_hold_the_confusion, "confusion(labels, guesses, ERAS)", "confusion(guesses, labels, ERAS)"),
    (a_bag_of_words_reads_as_far_as_the_model, "texts[:, :cut]", "texts"),
    (a_bag_of_words_reads_as_far_as_the_model, "asked[:, :cut]", "asked"),
    (a_bag_of_words_reads_as_far_as_the_model, 'documents(split, WHOLE, ERAS, fold) for split in ("train", "test"))\n    model',
     'documents(split, WHOLE, ERAS, 0) for split in ("train", "test"))\n    model'),
    (a_model_begins_pretrained_or_from_scratch, 'if setting["start"] == "pre-trained"', "if True"),
    (a_model_begins_pretrained_or_from_scratch, 'if setting["start"] == "pre-trained"', "if False"),
    (a_model_begins_pretrained_or_from_scratch, ", longest=WHOLE)", ")"),
    (a_model_begins_pretrained_or_from_scratch, 'encoding=setting["encoding"], longest=WHOLE', "longest=WHOLE"),
    (a_model_begins_pretrained_or_from_scratch, "    torch.manual_seed(seed)  # only now", "    # only now"),
    (a_model_begins_pretrained_or_from_scratch,
     '    config = replace(pretrained().config, encoding=setting["encoding"], longest=WHOLE)\n    torch.manual_seed(seed)',
     '    torch.manual_seed(seed)\n    config = replace(pretrained().config, encoding=setting["encoding"], longest=WHOLE)'),
    (a_runs_seed_is_its_fold, 'replace(ERA_TRAINING, length=setting["cut"], seed=fold)', 'replace(ERA_TRAINING, length=setting["cut"])'),
    (a_runs_seed_is_its_fold, 'replace(MATCH_TRAINING, length=setting["cut"], seed=seed)', "replace(MATCH_TRAINING, seed=seed)"),
    (a_runs_seed_is_its_fold, 'triplets("train", "order", seed)', 'triplets("train", "order", 0)'),
    (marks_are_fresh_at_every_step, "self.config.batch, self.generator)", "self.config.batch, torch.Generator().manual_seed(1))"),
    (marks_are_fresh_at_every_step, "texts[:, : self.config.length]", "texts[:, -self.config.length :]"),
]  # fmt: skip

test_claim_holds, test_mutant_is_caught = claim_tests(CLAIMS, MUTANTS)
