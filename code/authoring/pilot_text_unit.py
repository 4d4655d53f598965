"""Which text unit? Train the same small RoFormer on characters and on BPE vocabularies, and record what a reader would see.

    python code/authoring/pilot_text_unit.py --runs characters:0 bpe-1024:0 bpe-2048:0,1,2

A blank is one token, so the scores of different units do not compare: a missing letter is easier than a missing word. What
compares is `words`: all tokens of one word are hidden, the model fills them at once, and the word counts only if every
token is right. `guess` is the share of those words that are the commonest one.
"""

import argparse
import json
import time
from collections import Counter

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from train_tokenizer import SPECIAL, train_bpe

from ropebook.records import provenance
from ropebook.roformer import RoFormer, RoFormerConfig
from ropebook.text import addresses, data_file, token_stream
from ropebook.tasks import EVALUATION_WINDOWS
from ropebook.training import Trainer, TrainingConfig, evaluate, held_out_blanks, unigram_guess

SENTENCE = "The Congress of the United States must act now, so that our people can live in peace and our children can hope for a better life."
HIDDEN = ("Congress", "must", "our", "peace", "our", "for", "life")


def characters(texts):
    """A tokenizer whose tokens are the characters of the training texts; an unknown one becomes [MASK]."""
    alphabet = [token.content for token in SPECIAL] + sorted(set("".join(texts)))
    tokenizer = Tokenizer(models.WordLevel({c: i for i, c in enumerate(alphabet)}, unk_token="[MASK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def build(unit):
    texts = [address.text for address in addresses("train")]
    return characters(texts) if unit == "characters" else train_bpe(texts, int(unit.removeprefix("bpe-")))


def fill(model, tokenizer, words, hidden):
    """The words at places `hidden` as the model fills them, all tokens of all of them hidden: list of str."""
    pieces = [tokenizer.encode(" " * (place > 0) + word).ids for place, word in enumerate(words)]
    tokens = torch.tensor(sum(pieces, []))
    owner = torch.tensor([place for place, ids in enumerate(pieces) for _ in ids])
    blanks = torch.isin(owner, torch.tensor(hidden))
    with torch.no_grad():
        mask_id = tokenizer.token_to_id("[MASK]")
        tokens[blanks] = model(torch.where(blanks, mask_id, tokens)[None], torch.arange(len(tokens)), blanks[None]).argmax(-1)
    return [tokenizer.decode(tokens[owner == place].tolist()).strip() for place in hidden]


def whole_words(model, tokenizer):
    """One hidden word in the middle of each run of 24 words of the validation addresses."""
    right, seen = 0, Counter()
    for address in addresses("validation"):
        words = address.text.split()
        for start in range(0, len(words) - 24, 240):
            passage = words[start : start + 24]
            if passage[12].isalpha():
                seen[passage[12]] += 1
                right += fill(model, tokenizer, passage, [12]) == [passage[12]]
    return {"words": right / seen.total(), "guess": seen.most_common(1)[0][1] / seen.total(), "count": seen.total()}


def run(unit, seed, steps):
    tokenizer = build(unit)
    config = TrainingConfig(steps=steps, seed=seed)
    mask_id = tokenizer.token_to_id("[MASK]")
    train, validation = (torch.from_numpy(token_stream(split, tokenizer)) for split in ("train", "validation"))
    held_out = held_out_blanks(validation, config.length, EVALUATION_WINDOWS, mask_id)
    torch.manual_seed(seed)
    model = RoFormer(RoFormerConfig(tokenizer.get_vocab_size()))
    trainer = Trainer(model, train, mask_id, config)
    curve, began, worked = [], time.perf_counter(), time.process_time()
    while trainer.done < steps:
        loss = trainer.step()
        if trainer.done % 50 == 0:
            curve.append([trainer.done, round(loss.item(), 3)])
            print(unit, seed, *curve[-1], flush=True)
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    words = SENTENCE.split()
    filled = fill(model, tokenizer, words, [i for i, word in enumerate(words) if word.strip(".,") in HIDDEN])
    return {
        "unit": unit, "seed": seed, "steps": steps, "characters_per_token": round(sum(len(a.text) for a in addresses("train")) / len(train), 3),
        "validation": evaluate(model, *held_out), "unigram": unigram_guess(train, held_out[0][held_out[2]], model.config.vocabulary),
        "whole_words": whole_words(model, tokenizer), "filled": filled, "loss_curve": curve,
        "seconds": round(seconds, 1), "cpu_seconds": round(worked, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", nargs="+", required=True, metavar="UNIT:SEEDS", help="characters or bpe-SIZE, a colon, seeds with commas")
    parser.add_argument("--steps", type=int, default=800)
    arguments = parser.parse_args()
    wanted = [(unit, int(seed)) for unit, _, seeds in (text.partition(":") for text in arguments.runs) for seed in seeds.split(",")]
    began, made = time.perf_counter(), provenance(sorted({seed for _, seed in wanted}))
    runs = [run(unit, seed, arguments.steps) for unit, seed in wanted]
    record = {
        **made, "wall_seconds": round(time.perf_counter() - began, 1),
        "sentence": SENTENCE, "hidden": HIDDEN, "runs": runs,
    }
    data_file("records/text_unit.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
