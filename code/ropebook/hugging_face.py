"""RoFormer checkpoints in Hugging Face's format: read into our model, and written from it, without their library.

A checkpoint is a folder with config.json (the sizes) and model.safetensors, or in older ones pytorch_model.bin (the weights).
Their model is ours with norm "post-LN", `transform`, segments and interleaved pairs. It has no position argument: token t stands
at position t, padding included. It reads its rotations from a table of weights that is made, never trained, and goes with the
checkpoint; ours come from a formula.
"""

import json
import pickle
from pathlib import Path

import numpy as np
import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as save_tensors

from ropebook.frequencies import frequencies
from ropebook.roformer import Classifier, RoFormer, RoFormerConfig
from ropebook.rotation_torch import rotation_table
from ropebook.training import to_json, write_atomically

WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that is there is read

SETTINGS = {  # theirs: ours, and what theirs is where config.json is silent
    "vocab_size": ("vocabulary", 50000), "hidden_size": ("width", 768), "num_attention_heads": ("heads", 12),
    "num_hidden_layers": ("layers", 12), "intermediate_size": ("inner", 3072), "embedding_size": ("embedding", 0),
    "max_position_embeddings": ("longest", 1536), "type_vocab_size": ("segments", 2), "rotary_value": ("rotate_values", False),
    "is_decoder": ("causal", False), "hidden_dropout_prob": ("dropout", 0.1), "layer_norm_eps": ("epsilon", 1e-12),
}
EXPECTED = {  # theirs; the last two are RoFormerV2's, which has neither biases nor weights in its normalisations
    "hidden_act": "gelu", "add_cross_attention": False, "tie_word_embeddings": True, "norm_type": "layer_norm", "use_bias": True,
}
EXPRESSIBLE = {"encoding": "RoPE", "attention": "softmax", "norm": "post-LN", "transform": True, "base": 10000.0}  # ours

TABLE = "encoder.embed_positions.weight"
STEM = {"embedding_norm": ["embeddings.LayerNorm"]}
BLOCK = {
    "attention.query_key_value": ["attention.self.query", "attention.self.key", "attention.self.value"],
    "attention.output": ["attention.output.dense"], "attention_norm": ["attention.output.LayerNorm"],
    "feed_forward.1": ["intermediate.dense"], "feed_forward.3": ["output.dense"], "feed_forward.0": ["output.LayerNorm"],
}
HEADS = {
    RoFormer: {"transform.0": ["cls.predictions.transform.dense"], "transform.2": ["cls.predictions.transform.LayerNorm"]},
    Classifier: {"hidden": ["classifier.dense"], "output": ["classifier.out_proj"]},
}
TWINS = {  # a tied weight may stand in the file under a second name
    "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight", "cls.predictions.decoder.bias": "cls.predictions.bias",
}


def to_config(theirs):
    """Our config for their config.json.

    theirs   dict; what is missing has their default, except model_type
    returns  RoFormerConfig. Theirs drops attention weights at a rate of its own, `attention_probs_dropout_prob`; ours has one rate
             and takes `hidden_dropout_prob`. Where the two differ, training differs; a model in eval mode drops nothing
    raises   ValueError if their model is one that ours cannot be, naming the setting
    """
    _expect("model_type", theirs.get("model_type"), "roformer")
    for name, expected in EXPECTED.items():
        _expect(name, theirs.get(name, expected), expected)
    ours = {name: theirs.get(their, default) for their, (name, default) in SETTINGS.items()}
    ours["embedding"] = ours["embedding"] or ours["width"]
    return RoFormerConfig(**ours, norm="post-LN", transform=True)


def from_config(ours):
    """Their config.json, as a dict, for our config.

    raises  ValueError if their model cannot be ours, naming the setting
    """
    for name, expected in EXPRESSIBLE.items():
        _expect(name, getattr(ours, name), expected)
    if ours.segments < 1:
        raise ValueError("Hugging Face's RoFormer always adds a segment's embedding: segments must be at least 1, got 0")
    theirs = {their: getattr(ours, name) for their, (name, _) in SETTINGS.items()}
    theirs["intermediate_size"] = ours.inner or 4 * ours.width
    theirs["embedding_size"] = ours.embedding or ours.width
    # Their model keeps the embedding of pad_token_id from learning; ours knows no such token.
    fixed = {"model_type": "roformer", "hidden_act": "gelu", "attention_probs_dropout_prob": ours.dropout, "pad_token_id": None}
    return fixed | theirs


def convert_weights(state, config, kind=RoFormer):
    """Their weights under our names, queries, keys and values in one matrix.

    state    dict of tensors; names with or without "roformer." in front, and the old "gamma" and "beta" of normalisations. A table
             of positions must be ours: another would turn by other angles, and our model has no place for it
    config   RoFormerConfig as from `to_config`
    kind     RoFormer (their MaskedLM or CausalLM) or Classifier (their SequenceClassification)
    returns  dict of new tensors for `load_state_dict`, all in the dtype of the word embedding
    raises   ValueError if weights are missing or left over, naming them, if tied weights differ, or if the table is not ours
    """
    state = {_modern(name): tensor for name, tensor in state.items()}
    if TABLE in state:
        _check_table(state.pop(TABLE), config)
    for twin, name in TWINS.items() if kind is RoFormer else ():
        if twin in state and not torch.equal(state[twin], state.setdefault(name, state[twin])):
            raise ValueError(f"input and output share one embedding, and one bias, so {twin} must equal {name}; it does not")
        state.pop(twin, None)
    names = _names(config, kind)
    wanted = [name for theirs in names.values() for name in theirs]
    missing, unexpected = [name for name in wanted if name not in state], sorted(set(state) - set(wanted))
    if missing or unexpected:
        raise ValueError(f"the weights are not those of a {kind.__name__} with this config: missing are "
                         f"{_few(missing)}; unexpected are {_few(unexpected)}")
    dtype = state["embeddings.word_embeddings.weight"].dtype
    return {ours: torch.cat([state[name] for name in theirs]).to(dtype) for ours, theirs in names.items()}


def export_weights(model):
    """The weights of a RoFormer or a Classifier (pooling "first") under their names, and the table of positions, on the CPU.

    returns  dict of new tensors, in the model's dtype
    raises   ValueError if their model cannot be ours, naming what stands in the way
    """
    config, kind, weights = model.config, type(model), model.state_dict()
    from_config(config)
    if kind is Classifier:
        _expect("pooling", model.pooling, "first")
    if model.scale != 1 or not np.array_equal(model.theta, frequencies(config.head_dim)):
        raise ValueError("Hugging Face's RoFormer turns by the frequencies of base 10000 at scale 1, "
                         f"got {model.theta} at scale {model.scale}")
    state = {TABLE: _table(config).to(weights["embedding.weight"])}
    for ours, theirs in _names(config, kind).items():
        state |= zip(theirs, weights[ours].chunk(len(theirs)), strict=True)
    stem = ("embeddings", "encoder")
    return {f"roformer.{name}" if name.startswith(stem) else name: tensor.detach().cpu().clone() for name, tensor in state.items()}


def load_pretrained(source, kind=RoFormer):
    """A model with the weights of a checkpoint, in its dtype, on the CPU, in eval mode.

    source   a folder, or the name of a model on the Hugging Face Hub, such as "junnyu/roformer_chinese_base"; of that, only
             config.json and one file of weights are fetched, and kept in the Hub's own cache
    kind     RoFormer or Classifier
    raises   ValueError if the checkpoint is not one of this kind; OSError if it cannot be fetched
    """
    config_file, weights_file = _files(source)
    config = to_config(json.loads(config_file.read_text(encoding="utf-8")))
    weights = convert_weights(_read(weights_file), config, kind)
    with torch.device("meta"):  # no first weights: they would be drawn only to be thrown away
        model = RoFormer(config) if kind is RoFormer else Classifier(config, len(weights["output.bias"]), "first")
    for name, place in model.state_dict().items():
        if place.shape != weights[name].shape:
            raise ValueError(f"{name} must have shape {tuple(place.shape)} by {config_file}, "
                             f"and has {tuple(weights[name].shape)} in {weights_file}")
    model.load_state_dict(weights, assign=True)
    return model.eval()


def save_pretrained(model, folder):
    """Write a RoFormer or a Classifier as a checkpoint for Hugging Face's classes and `load_pretrained`; raises as `export_weights`."""
    folder, weights, config = Path(folder), export_weights(model), from_config(model.config)
    if isinstance(model, Classifier):
        labels = [f"LABEL_{i}" for i in range(model.output.out_features)]  # their way to say how many there are
        config |= {"architectures": ["RoFormerForSequenceClassification"], "id2label": dict(enumerate(labels)),
                   "label2id": {label: i for i, label in enumerate(labels)}}
    else:
        config["architectures"] = ["RoFormerForCausalLM" if model.config.causal else "RoFormerForMaskedLM"]
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "model.safetensors", save_tensors(weights, metadata={"format": "pt"}))
    write_atomically(folder / "config.json", to_json(config))


def _expect(name, given, expected):
    if given != expected:
        raise ValueError(f"{name} must be {expected!r} for a model to be both ours and Hugging Face's RoFormer, got {given!r}")


def _modern(name):
    name = name.removeprefix("roformer.")
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _names(config, kind):
    """Our name of each weight, and theirs, of which ours is the rows one below the other."""
    if kind not in HEADS:
        raise ValueError(f"kind must be RoFormer or Classifier, got {getattr(kind, '__name__', kind)}")
    modules = STEM | HEADS[kind]
    if config.embedding not in (0, config.width):
        modules |= {"widen": ["embeddings_project"]}
    for i in range(config.layers):
        modules |= {f"blocks.{i}.{ours}": [f"encoder.layer.{i}.{name}" for name in theirs] for ours, theirs in BLOCK.items()}
    names = {f"{ours}.{part}": [f"{name}.{part}" for name in theirs] for ours, theirs in modules.items() for part in ("weight", "bias")}
    names["embedding.weight"] = ["embeddings.word_embeddings.weight"]
    names["segment_embedding.weight"] = ["embeddings.token_type_embeddings.weight"]
    return names | ({"bias": ["cls.predictions.bias"]} if kind is RoFormer else {})


def _table(config):
    """Sines, then cosines, of each position: (longest, D) float64."""
    factors = rotation_table(torch.arange(config.longest), frequencies(config.head_dim), torch.float64)
    return torch.cat([factors.imag, factors.real], -1)


def _check_table(theirs, config):
    """Theirs may be rounded to its dtype, and made from angles that were rounded to float32."""
    ours = _table(config)
    if theirs.shape != ours.shape:
        raise ValueError(f"{TABLE} must have shape {tuple(ours.shape)}, got {tuple(theirs.shape)}")
    allowed = config.longest * 2.0**-24 + torch.finfo(theirs.dtype).eps
    difference = (theirs.double() - ours).abs().max().item()
    if not difference <= allowed:
        raise ValueError(f"{TABLE} must hold the sines and cosines of base 10000, within {allowed:.1e}; it is off by {difference:.1e}")


def _few(names, most=8):
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") if names else "none"


def _files(source):
    """Paths of config.json and of the weights, fetched if source is not a folder."""
    folder = Path(source)
    if not folder.is_dir():
        return _download(source, "config.json"), _download(source, *WEIGHTS)
    weights = [folder / name for name in WEIGHTS if (folder / name).exists()]
    if not weights or not (folder / "config.json").exists():
        found = _few(sorted(path.name for path in folder.iterdir()))
        raise ValueError(f"{folder} must hold config.json and {' or '.join(WEIGHTS)}; it holds {found}")
    return folder / "config.json", weights[0]


def _download(source, *files):
    """The path of the first of these files that the Hub, or its cache here, has."""
    for file in files:
        try:
            return Path(hf_hub_download(str(source), file))
        except EntryNotFoundError as error:
            reason = error
        except Exception as error:  # the errors of a network have no common class
            reason = error
            break
    raise OSError(f"{source} is not a folder, and {file} of a model of that name could not be fetched from the Hugging Face Hub: check the "
                  f"name and the network, or fetch config.json and {' or '.join(WEIGHTS)} elsewhere and give their folder") from reason


def _read(path):
    """The tensors of a file of weights; no code in it is run."""
    try:
        return load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, EOFError, RuntimeError) as error:
        raise ValueError(f"{path} must be a whole file of tensors and hold nothing else") from error
