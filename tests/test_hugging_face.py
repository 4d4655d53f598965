"""Hugging Face's RoFormer and ours are one model: its weights here, and ours there, give the same scores, losses and gradients."""

import http.server
import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mutation import failures, mutated
from safetensors.torch import load_file

from ropebook import hugging_face, roformer
from ropebook.roformer import Classifier, Matcher, RoFormer, RoFormerConfig

transformers = pytest.importorskip("transformers")
torch.set_num_threads(1)

V, B, T, CLASSES, LAYERS, LONGEST = 23, 4, 9, 5, 3, 16
ROUNDOFF = {torch.float64: 2.0**-53, torch.float32: 2.0**-24, torch.bfloat16: 2.0**-8}
SIZES = {2: (6, 3, 4, 10), 4: (20, 5, 20, 33), 16: (48, 3, 32, 64), 64: (64, 1, 24, 100)}  # D: width, heads, embedding, inner
WAYS = [(causal, rotary) for causal in (False, True) for rotary in (False, True)]
PLACES = torch.arange(T)
LENGTHS = torch.tensor([9, 5, 1, 7])
RIGHT, LEFT = PLACES < LENGTHS[:, None], PLACES >= T - LENGTHS[:, None]
PADDING = {"none": None, "right": RIGHT, "left": LEFT, "both": torch.where(torch.tensor([[True], [False]] * 2), RIGHT, LEFT)}
MASKED = transformers.RoFormerForMaskedLM


@pytest.fixture(autouse=True)
def quiet():
    """Their progress bars and advice go."""
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    yield
    transformers.logging.set_verbosity(before)


def bound(dtype, size, passes=1):
    """How far two honest computations may lie apart, relative to the size of the outcome (rms).

    A block rounds 18 times in a row, head and embedding 6 times. Each rounding adds a relative error of at most u that knows
    nothing of the others, so squares add up; a sum of n products counts for n (Higham and Mary, 2019), unless it is kept in a
    wider precision, as for bfloat16. There are two computations, and gradients take three passes where scores take one.
    """
    n = 1 if dtype == torch.bfloat16 else max(*SIZES[size], V)
    return (2 * passes * (18 * LAYERS + 6) * n) ** 0.5 * ROUNDOFF[dtype]


def theirs(size=16, dtype=torch.float64, kind=MASKED, **settings):
    """Their model with weights that matter everywhere: as they start, attention is nearly even and the segments nearly mute."""
    width, heads, embedding, inner = SIZES[size]
    torch.manual_seed(0)
    sizes = dict(vocab_size=V, hidden_size=width, num_attention_heads=heads, embedding_size=embedding, intermediate_size=inner,
                 num_hidden_layers=LAYERS, max_position_embeddings=LONGEST, type_vocab_size=3, num_labels=CLASSES)
    model = kind(transformers.RoFormerConfig(**sizes | settings)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.requires_grad:
                weight.normal_(std=0.3 if weight.ndim == 1 else 0.5 if "embeddings." in name else weight.shape[1] ** -0.5)
                weight.add_(1.0 if name.endswith("LayerNorm.weight") else 0.0)
    model = model.to(dtype)
    if dtype == torch.float64:  # their table is rounded to float32, whatever the model's dtype
        model.roformer.encoder.embed_positions.weight.data.copy_(table(size))
    return model


def table(size, base=10000.0):
    angles = np.arange(LONGEST)[:, None] * base ** (-np.arange(0, size, 2) / size)
    return torch.from_numpy(np.hstack([np.sin(angles), np.cos(angles)]))


def batch(padding):
    """Token ids, 0 where absent, segments, who is present, and labels: −100 where there is no blank."""
    draw = torch.Generator().manual_seed(1)
    present = torch.ones(B, T, dtype=torch.bool) if padding is None else padding
    tokens = torch.randint(1, V, (B, T), generator=draw) * present
    blanks = (torch.rand(B, T, generator=draw) < 0.5) & present
    labels = torch.where(blanks, torch.randint(V, (B, T), generator=draw), -100)
    return tokens, torch.randint(3, (B, T), generator=draw), present, blanks, labels


def ours(lib, model):
    """Their model as ours, its weights handed over directly."""
    config, kind = lib.to_config(model.config.to_dict()), hugging_face.RoFormer if isinstance(model, MASKED) else hugging_face.Classifier
    mine = lib.RoFormer(config) if kind is hugging_face.RoFormer else lib.Classifier(config, CLASSES, "first")
    mine.load_state_dict(lib.convert_weights(model.state_dict(), config, kind))
    return mine.to(model.dtype).eval()


def far(x, y):
    """How far x lies from y, relative to y."""
    return ((x - y).double().norm() / y.double().norm()).item()


def agree(model, mine, size, padding, gradients=True):
    """Scores at the places present, the loss over the blanks and, if wanted, the gradient of every weight."""
    tokens, segments, present, blanks, labels = batch(padding)
    mask = None if padding is None else padding.long()
    expected = model(tokens, attention_mask=mask, token_type_ids=segments, labels=labels)
    scores = mine(tokens, PLACES, present=padding, segments=segments)
    loss = F.cross_entropy(mine(tokens, PLACES, blanks, padding, segments), labels[blanks])
    limit = bound(model.dtype, size)
    assert far(scores[present], expected.logits[present]) < limit
    assert abs(loss.item() - expected.loss.item()) < limit * scores.abs().max().item()
    if gradients:
        same_gradients(model, mine, expected.loss, loss, bound(model.dtype, size, passes=3))


def same_gradients(model, mine, expected, loss, limit):
    """Each weight's, relative to the whole gradient: some weights hardly matter, and their own size is rounding."""
    model.zero_grad(), mine.zero_grad()
    expected.backward(), loss.backward()
    kind = Classifier if hasattr(mine, "pooling") else RoFormer
    named = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    wanted = hugging_face.convert_weights(named, mine.config, kind)
    whole = sum(gradient.double().square().sum() for gradient in wanted.values()).sqrt()
    for name, weight in mine.named_parameters():
        assert (weight.grad - wanted[name]).double().norm() < limit * whole, name


def classes_agree(model, mine, size, padding):
    tokens, segments, *_ = batch(padding)
    labels = torch.arange(B) % CLASSES
    mask = None if padding is None else padding.long()
    expected = model(tokens, attention_mask=mask, token_type_ids=segments, labels=labels)
    scores = mine(tokens, PLACES, padding, segments)
    assert far(scores, expected.logits) < bound(model.dtype, size)
    same_gradients(model, mine, expected.loss, F.cross_entropy(scores, labels), bound(model.dtype, size, passes=3))


# ---- one model -----------------------------------------------------------------------------------

@pytest.mark.parametrize("causal, rotary", WAYS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ROUNDOFF, ids=str)
def test_scores_losses_and_gradients_are_theirs(dtype, size, causal, rotary):
    """bfloat16: theirs rounds its table, and the softmax's inside, to bfloat16; ours keeps both in float32."""
    model = theirs(size, dtype, is_decoder=causal, rotary_value=rotary)
    mine = ours(hugging_face, model)
    for padding in PADDING.values():
        agree(model, mine, size, padding, gradients=dtype != torch.bfloat16)


@pytest.mark.parametrize("dtype", ROUNDOFF, ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_classes_are_theirs(size, dtype):
    """Padding stands on the right: the first token of a text padded on the left is padding, to both libraries."""
    model = theirs(size, dtype, transformers.RoFormerForSequenceClassification)
    for padding in (None, RIGHT):
        classes_agree(model, ours(hugging_face, model), size, padding)


def test_in_bfloat16_ours_is_no_farther_from_the_truth_than_theirs():
    """Over all sizes, in rms: ours rounds at fewer places. A tenth is left to chance, with more than 2000 scores."""
    errors = {"ours": [], "theirs": []}
    for size in SIZES:
        model = theirs(size, torch.bfloat16)
        exact = ours(hugging_face, model).double()
        tokens, segments, *_ = batch(None)
        truth = exact(tokens, PLACES, segments=segments)
        errors["ours"].append(far(ours(hugging_face, model)(tokens, PLACES, segments=segments), truth))
        errors["theirs"].append(far(model(tokens, token_type_ids=segments).logits, truth))
    mean = {who: np.square(each).mean() ** 0.5 for who, each in errors.items()}
    assert mean["ours"] < 1.1 * mean["theirs"]


def test_their_table_is_rounded_to_float32_even_in_a_float64_model():
    model = theirs().to(torch.float32).double()
    weight = MASKED(model.config).double().roformer.encoder.embed_positions.weight
    assert torch.equal(weight, weight.float().double()) and not torch.equal(weight, table(16))
    assert (weight - table(16)).abs().max() <= 2.0**-25  # sines and cosines below 1, rounded once


def test_their_padding_token_learns_only_as_an_answer():
    """Where token 0 stands in the text, its embedding gets a gradient from us as any other; theirs holds it back, as `pad_token_id`."""
    model = theirs()
    mine = ours(hugging_face, model)
    tokens, labels = torch.arange(T)[None] % 4, torch.full((1, T), 5)
    model(tokens, labels=labels).loss.backward()
    F.cross_entropy(mine(tokens, PLACES).flatten(0, 1), labels.flatten()).backward()
    change = (mine.embedding.weight.grad - model.roformer.embeddings.word_embeddings.weight.grad).abs().amax(1)
    assert change[0] > 1e-3 and change[1:].max() < bound(torch.float64, 16, passes=3) * mine.embedding.weight.grad.norm()


@pytest.mark.parametrize("rotary", [False, True])
def test_padding_on_the_left_shifts_the_text_which_turned_values_notice(rotary):
    """Neither library has positions that skip padding; with `rotary_value` theirs does not even agree with itself."""
    model = theirs(rotary_value=rotary)
    text, padding = torch.arange(1, 6)[None], torch.zeros(1, 4, dtype=torch.long)
    left = model(torch.cat([padding, text], 1), attention_mask=torch.tensor([[0] * 4 + [1] * 5])).logits[:, 4:]
    right = model(torch.cat([text, padding], 1), attention_mask=torch.tensor([[1] * 5 + [0] * 4])).logits[:, :5]
    assert (far(left, right) > 0.1) if rotary else (far(left, right) < bound(torch.float64, 16))


# ---- claims about `lib`, which mutants break -----------------------------------------------------

def folder_of(model, path, weights="model.safetensors", rename=lambda name: name):
    """A checkpoint as others write it: their names, one file of weights, config.json."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text(json.dumps(model.config.to_dict()))
    state = {rename(name): tensor.contiguous() for name, tensor in model.state_dict().items()}
    if weights.endswith(".bin"):
        torch.save(state, path / weights, _use_new_zipfile_serialization=False)  # as junnyu's converter does
    else:
        model.save_pretrained(path)
    return path


def claims(path):
    """The claims, quick ones first; each may write below path."""

    def a_silent_config_has_their_defaults(lib):
        assert lib.to_config({"model_type": "roformer"}) == lib.to_config(transformers.RoFormerConfig().to_dict())
        assert lib.to_config({"model_type": "roformer", "hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.2}).dropout == 0.3

    def a_config_goes_there_and_back(lib):
        given = theirs(2, is_decoder=True, rotary_value=True, layer_norm_eps=1e-6, hidden_dropout_prob=0.25).config.to_dict()
        back = lib.from_config(lib.to_config(given))
        del back["pad_token_id"], back["attention_probs_dropout_prob"]
        assert back == {name: given[name] for name in back} and len(back) == 14

    def weights_of_two_precisions_become_one(lib):
        model = theirs(4, torch.float32)
        state = {name: tensor.half() if "dense" in name else tensor for name, tensor in model.state_dict().items()}
        assert {tensor.dtype for tensor in lib.convert_weights(state, lib.to_config(model.config.to_dict())).values()} == {torch.float32}

    def what_is_exported_is_a_copy(lib):
        mine = new(RoFormerConfig(V, 12, 3, 1, norm="post-LN", transform=True, segments=2), False)
        held = {weight.untyped_storage().data_ptr() for weight in mine.state_dict().values()}
        assert not held & {weight.untyped_storage().data_ptr() for weight in lib.export_weights(mine).values()}

    def what_theirs_cannot_be_is_refused(lib):
        for settings, words in REFUSED_SETTINGS:
            refuse(words, lambda: lib.to_config({"model_type": "roformer"} | settings))
        for changes, words in REFUSED_CONFIGS:
            config = RoFormerConfig(**{"vocabulary": V, "norm": "post-LN", "transform": True, "segments": 2} | changes)
            refuse(words, lambda: lib.from_config(config))

    def weights_that_do_not_fit_are_refused(lib):
        model = theirs(4)
        config = lib.to_config(model.config.to_dict())
        for change, words in REFUSED_WEIGHTS:
            state = model.state_dict()
            change(state)
            refuse(words, lambda: lib.convert_weights(state, config))
        folder = folder_of(model, path / "odd")
        settings = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(settings | {"intermediate_size": 34}))
        refuse(["feed_forward.1.weight", "(34, 20)", "(33, 20)"], lambda: lib.load_pretrained(folder))
        refuse(["Classifier", "missing are", "classifier.dense.weight"], lambda: lib.load_pretrained(folder, Classifier))
        refuse(["RoFormer or Classifier", "Matcher"], lambda: lib.load_pretrained(folder, Matcher))

    def a_model_that_theirs_cannot_be_leaves_no_file(lib):
        config = RoFormerConfig(V, 12, 3, 1, norm="post-LN", transform=True, segments=2)
        scaled, stretched = new(config, False), new(config, False)
        scaled.scale, stretched.theta = 1.1, stretched.theta / 2
        for model, words in ((Classifier(config, 2), ["pooling", "'first'", "'mean'"]), (scaled, ["scale 1", "1.1"]),
                             (stretched, ["base 10000", "0.5"]), (Matcher(config), ["RoFormer or Classifier", "Matcher"])):
            refuse(words, lambda: lib.save_pretrained(model, path / "never"))
            assert not (path / "never").exists()
        for changes, words in REFUSED_CONFIGS:
            config = RoFormerConfig(**{"vocabulary": V, "norm": "post-LN", "transform": True, "segments": 2} | changes)
            refuse(words, lambda: lib.export_weights(Classifier(config, 2, "first")))

    def a_file_that_is_none_is_refused_and_runs_nothing(lib):
        folder = folder_of(theirs(4), path / "evil", "pytorch_model.bin")
        torch.save({"bomb": Bomb(path / "ran")}, folder / "pytorch_model.bin")
        refuse(["pytorch_model.bin", "tensors"], lambda: lib.load_pretrained(folder))
        assert not (path / "ran").exists()
        (folder / "model.safetensors").write_bytes(b"half")  # and is preferred
        refuse(["model.safetensors", "whole"], lambda: lib.load_pretrained(folder))
        (folder / "model.safetensors").unlink(), (folder / "pytorch_model.bin").unlink()
        refuse(["config.json", "model.safetensors or pytorch_model.bin", "holds config.json"], lambda: lib.load_pretrained(folder))

    def a_masked_model_loads(lib):
        for size, settings in ((4, {}), (16, {"layer_norm_eps": 1e-3, "rotary_value": True}), (2, {"is_decoder": True})):
            model = theirs(size, **settings)
            for mine in (ours(lib, model), lib.load_pretrained(folder_of(model, path / f"masked-{size}"))):
                assert mine.bias.dtype == torch.float64 and not mine.training
                for padding in PADDING.values():
                    agree(model, mine, size, padding)

    def a_classifier_loads(lib):
        for size in (4, 16):
            model = theirs(size, kind=transformers.RoFormerForSequenceClassification)
            for mine in (ours(lib, model), lib.load_pretrained(folder_of(model, path / f"classes-{size}"), Classifier)):
                classes_agree(model, mine, size, RIGHT)

    def an_old_file_with_old_names_loads(lib):
        def rename(name):
            return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta").removeprefix("roformer.")

        model = theirs(4)
        agree(model, lib.load_pretrained(folder_of(model, path / "old", "pytorch_model.bin", rename)), 4, LEFT)

    def what_we_save_is_theirs(lib):
        for name, causal in (("RoFormerForMaskedLM", False), ("RoFormerForCausalLM", True), ("RoFormerForSequenceClassification", False)):
            config = lib.to_config(theirs(16, is_decoder=causal).config.to_dict())
            mine = new(config, "Sequence" in name)
            lib.save_pretrained(mine, path / name)
            written = json.loads((path / name / "config.json").read_text())
            assert written["architectures"] == [name]
            assert sorted(file.name for file in (path / name).iterdir()) == ["config.json", "model.safetensors"]
            kind = transformers.RoFormerForSequenceClassification if "Sequence" in name else MASKED
            model, report = kind.from_pretrained(path / name, dtype=torch.float64, output_loading_info=True)
            assert not any(report.values()), report
            torch.testing.assert_close(model.roformer.encoder.embed_positions.weight, table(16), rtol=0, atol=1e-14)  # angles below 16
            model.save_pretrained(path / "theirs")
            assert load_file(path / "theirs" / "model.safetensors").keys() == lib.export_weights(mine).keys()
            model.eval()
            classes_agree(model, mine, 16, RIGHT) if "Sequence" in name else agree(model, mine, 16, LEFT)

    def there_and_back_changes_no_bit(lib):
        for dtype in ROUNDOFF:
            for classes in (False, True):
                mine = new(RoFormerConfig(V, 12, 3, 2, norm="post-LN", transform=True, segments=2, embedding=8), classes).to(dtype)
                lib.save_pretrained(mine, path / "back")
                back = lib.load_pretrained(path / "back", type(mine))
                assert [(n, w.dtype) for n, w in mine.state_dict().items()] == [(n, w.dtype) for n, w in back.state_dict().items()]
                assert all(torch.equal(weight, back.state_dict()[name]) for name, weight in mine.state_dict().items())
                assert lib.from_config(back.config) == lib.from_config(mine.config) and all(w.requires_grad for w in back.parameters())

    return [claim for claim in locals().values() if callable(claim)]


class Bomb:
    """Unpickled, it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.mkdir, (self.path,)


def new(config, classes):
    """A new model of ours, in float64, its biases and norms no longer plain."""
    torch.manual_seed(0)
    mine = (Classifier(config, CLASSES, "first") if classes else RoFormer(config)).double().eval()
    with torch.no_grad():
        for weight in mine.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return mine


def refuse(words, action):
    try:
        action()
    except ValueError as error:
        assert [word for word in words if word not in str(error)] == [], error
    else:
        raise AssertionError(f"not refused: {words}")


REFUSED_SETTINGS = [
    ({"model_type": "bert"}, ["model_type", "'roformer'", "'bert'"]), ({"model_type": None}, ["model_type", "'roformer'", "None"]),
    ({"hidden_act": "relu"}, ["hidden_act", "'gelu'", "'relu'"]), ({"norm_type": "rms_norm"}, ["norm_type", "'layer_norm'", "'rms_norm'"]),
    ({"is_decoder": True, "add_cross_attention": True}, ["add_cross_attention", "False", "True"]),
    ({"use_bias": False}, ["use_bias", "True", "False"]), ({"tie_word_embeddings": False}, ["tie_word_embeddings", "True", "False"]),
    ({"hidden_size": 30, "num_attention_heads": 6}, ["width 30", "heads 6"]),  # D = 5: no pairs
]
REFUSED_CONFIGS = [
    ({"norm": "pre-LN"}, ["norm", "'post-LN'", "'pre-LN'"]), ({"encoding": "ALiBi"}, ["encoding", "'RoPE'", "'ALiBi'"]),
    ({"attention": "equation 19"}, ["attention", "'softmax'", "'equation 19'"]), ({"transform": False}, ["transform", "True", "False"]),
    ({"base": 500.0}, ["base", "10000.0", "500.0"]), ({"segments": 0}, ["segments", "at least 1", "0"]),
]
POSITIONS = "roformer.encoder.embed_positions.weight"
REFUSED_WEIGHTS = [
    (lambda state: state.pop("roformer.encoder.layer.1.attention.self.key.bias"), ["missing", "encoder.layer.1.attention.self.key.bias"]),
    (lambda state: state.update({"roformer.pooler.dense.weight": torch.ones(2)}), ["unexpected", "pooler.dense.weight"]),
    (lambda state: [state.pop(name) for name in list(state) if "LayerNorm" in name], ["embeddings.LayerNorm.weight", "and 8 more"]),
    (lambda state: state.update({"cls.predictions.decoder.weight": torch.ones(V, 20)}), ["cls.predictions.decoder.weight", "must equal"]),
    (lambda state: state.update({"cls.predictions.decoder.bias": torch.ones(V)}), ["cls.predictions.decoder.bias", "must equal"]),
    (lambda state: state.update({POSITIONS: table(4, 9000.0)}), ["encoder.embed_positions.weight", "base 10000"]),
    (lambda state: state.update({POSITIONS: table(4) * torch.nan}), ["encoder.embed_positions.weight", "nan"]),
    (lambda state: state.update({POSITIONS: table(4)[1:]}), ["encoder.embed_positions.weight", "(16, 4)", "(15, 4)"]),
]

SOURCE = Path(hugging_face.__file__)
MODEL = Path(roformer.__file__)
MUTANTS = [
    (SOURCE, '["attention.self.query", "attention.self.key", ', '["attention.self.key", "attention.self.query", '),
    (SOURCE, '"attention.self.key", "attention.self.value"]', '"attention.self.value", "attention.self.key"]'),
    (SOURCE, '"transform.2": ["cls.predictions.transform.LayerNorm"]', '"transform.2": ["embeddings.LayerNorm"]'),
    (SOURCE, '"attention_norm": ["attention.output.LayerNorm"]', '"attention_norm": ["output.LayerNorm"]'),
    (SOURCE, '["embeddings.token_type_embeddings.weight"]', '["embeddings.word_embeddings.weight"]'),
    (SOURCE, '"type_vocab_size": ("segments", 2)', '"segments": ("segments", 2)'),
    (SOURCE, '"layer_norm_eps": ("epsilon", 1e-12)', '"layer_norm_epsilon": ("epsilon", 1e-12)'),
    (SOURCE, '("epsilon", 1e-12)', '("epsilon", 1e-5)'),
    (SOURCE, '"rotary_value": (', '"rotary_values": ('),
    (SOURCE, '"is_decoder": (', '"decoder": ('),
    (SOURCE, '"hidden_dropout_prob": (', '"attention_probs_dropout_prob": ('),
    (SOURCE, '**ours, norm="post-LN"', '**ours, norm="pre-LN"'),
    (SOURCE, '[factors.imag, factors.real]', '[factors.real, factors.imag]'),
    (SOURCE, 'if not difference <= allowed', 'if difference > allowed'),
    (SOURCE, 'config.longest * 2.0**-24', 'config.longest'),
    (SOURCE, 'not torch.equal(state[twin]', 'torch.equal(state[twin]'),
    (SOURCE, '    if missing or unexpected', '    if missing'),
    (SOURCE, '"LayerNorm.gamma", "LayerNorm.weight"', '"LayerNorm.beta", "LayerNorm.weight"'),
    (SOURCE, 'name.removeprefix("roformer.")', 'name'),
    (SOURCE, 'ours.inner or 4 * ours.width', '4 * ours.width'),
    (SOURCE, 'ours.embedding or ours.width', 'ours.width'),
    (SOURCE, 'model.scale != 1 or ', ''),
    (SOURCE, 'len(weights["output.bias"]), "first"', 'len(weights["output.bias"]), "mean"'),
    (SOURCE, 'return model.eval()', 'return model'),
    (SOURCE, '.detach().cpu().clone()', '.detach().cpu()'),
    (SOURCE, '.to(dtype) for ours', ' for ours'),
    (SOURCE, 'weights_only=True', 'weights_only=False'),
    (SOURCE, 'if name.startswith(stem) else name', ''),
    (SOURCE, '"id2label": ', '"labels": '),
    (SOURCE, '    from_config(config)\n', ''),
    (MODEL, 'bias.masked_fill(~seen(present), -torch.inf)', 'bias + 0 * seen(present)'),
    (MODEL, 'apply_table(v, places.table) if self.rotate_values else v', 'v'),
    (MODEL, 'x = x + self.segment_embedding', 'self.segment_embedding'),
    (MODEL, 'nn.GELU(), nn.LayerNorm(features, config.epsilon))', 'nn.GELU(), nn.LayerNorm(features))'),
    (MODEL, 'if self.config.transform:\n            x', 'if not self.config.transform:\n            x'),
    (MODEL, 'if self.post:', 'if False:'),
]


CLAIMS = [claim.__name__ for claim in claims(Path())]


@pytest.mark.parametrize("name", CLAIMS)
def test_holds(name, tmp_path):
    [claim] = [claim for claim in claims(tmp_path) if claim.__name__ == name]
    claim(hugging_face)


@pytest.mark.parametrize("number", range(len(MUTANTS)))
def test_a_mutant_is_noticed(number, tmp_path):
    path, old, new_text = MUTANTS[number]
    lib = SimpleNamespace(**vars(hugging_face) | mutated(path, old, new_text))
    assert any(failures(lib, [claim]) for claim in claims(tmp_path)), f"nobody notices {new_text!r} for {old!r}"


# ---- from afar -----------------------------------------------------------------------------------

def reach(monkeypatch, port):
    """Whoever asks the Hub asks this port of this machine, and does not wait before asking again."""
    here = f"http://127.0.0.1:{port}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", here)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", here + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A Hub of our own: `hub.files` are what it has, `hub.asked` the files it was asked for; its cache is a new one."""
    state = SimpleNamespace(files={}, asked=[])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            file = self.path.removeprefix("/someone/model/resolve/main/")
            if file != self.path:  # the client has other questions, too
                state.asked.append(file)
            self.send_response(200 if file in state.files else 404)
            if file in state.files:
                self.send_header("ETag", f'"{file}"')
                self.send_header("X-Repo-Commit", "c" * 40)
            else:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", str(len(state.files.get(file, b""))))
            self.end_headers()
            return file

        def do_GET(self):
            self.wfile.write(state.files.get(self.do_HEAD(), b""))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    reach(monkeypatch, server.server_port)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_of_a_name_two_files_are_fetched_and_kept(hub, tmp_path, monkeypatch, file):
    model = theirs(4)
    folder = folder_of(model, tmp_path / "there", file)
    hub.files = {name: (folder / name).read_bytes() for name in ("config.json", file)} | {"vocab.txt": b"a"}
    agree(model, hugging_face.load_pretrained("someone/model"), 4, None)
    assert set(hub.asked) == {"config.json", "model.safetensors", file}
    reach(monkeypatch, 9)  # nobody answers: the files are in the cache
    agree(model, hugging_face.load_pretrained("someone/model"), 4, None)


def test_what_cannot_be_reached_is_named_with_what_to_do(hub, monkeypatch):
    advice = "config.json of a model of that name could not be fetched.*check the name and the network, or fetch .* give their folder"
    with pytest.raises(OSError, match=f"someone/model is not a folder, and {advice}"):
        hugging_face.load_pretrained("someone/model")  # the Hub answers: no such file
    reach(monkeypatch, 9)  # nobody answers
    with pytest.raises(OSError, match=f"someone/model is not a folder, and {advice}"):
        hugging_face.load_pretrained("someone/model")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # not even asked
    with pytest.raises(OSError, match=f"someone/model is not a folder, and {advice}"):
        hugging_face.load_pretrained("someone/model")
    with pytest.raises(OSError, match=f"no/such/folder is not a folder, and {advice}"):
        hugging_face.load_pretrained("no/such/folder")
