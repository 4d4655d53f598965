"""Make code/ropebook/data/tokenizer.json: a byte-level BPE learnt from the training addresses only.

    python code/authoring/train_tokenizer.py [--size 2048]
"""

import argparse

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from ropebook.text import addresses, data_file

SPECIAL = [AddedToken("[MASK]", lstrip=True, special=True), AddedToken("[SEP]", special=True)]  # a blank takes the space before it


def train_bpe(texts, size):
    """A byte-level BPE of `size` tokens: 2 special ones, all 256 bytes, and the merges that shorten the texts most."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def main():
    parser = argparse.ArgumentParser(description="Learn the book's tokenizer from the training addresses.")
    parser.add_argument("--size", type=int, default=2048, help="tokens in the vocabulary (default: %(default)s)")
    tokenizer = train_bpe([address.text for address in addresses("train")], parser.parse_args().size)
    with open(data_file("tokenizer.json"), "w", encoding="utf-8") as file:
        file.write(tokenizer.to_str(pretty=False))
    print(f"{tokenizer.get_vocab_size()} tokens")


if __name__ == "__main__":
    main()
