"""Make a tokenizer of the book, a byte-level BPE learnt from training texts only.

    python code/authoring/train_tokenizer.py [--translation] [--size TOKENS]

Without --translation it is data/tokenizer.json, of 2,048 tokens, learnt from the addresses; with it, data/translation/tokenizer.json,
of 4,000 tokens, learnt from both sides of the pairs together.
"""

import argparse

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from ropebook.pairs import pairs
from ropebook.text import addresses, data_file

SPECIAL = [AddedToken("[MASK]", lstrip=True, special=True), AddedToken("[SEP]", special=True)]  # a blank takes the space before it
TRANSLATION_SPECIAL = [AddedToken(name, special=True) for name in ("[PAD]", "[BOS]", "[EOS]")]


def train_bpe(texts, size, special=SPECIAL):
    """A byte-level BPE of `size` tokens: the special ones, all 256 bytes, and the merges that shorten the texts most."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def address_tokenizer(size=2048):
    """The tokenizer of the addresses."""
    return train_bpe([address.text for address in addresses("train")], size)


def translation_tokenizer(size=4000):
    """The tokenizer of both languages."""
    return train_bpe([text for pair in pairs("train") for text in (pair.english, pair.german)], size, TRANSLATION_SPECIAL)


def main():
    parser = argparse.ArgumentParser(description="Learn a tokenizer of the book from its training texts.")
    parser.add_argument("--translation", action="store_true", help="the tokenizer of the pairs instead of that of the addresses")
    parser.add_argument("--size", type=int, help="tokens in the vocabulary (default: 2048, or 4000 for the pairs)")
    arguments = parser.parse_args()
    learn, name = (translation_tokenizer, "translation/tokenizer.json") if arguments.translation else (address_tokenizer, "tokenizer.json")
    tokenizer = learn(arguments.size) if arguments.size else learn()
    with open(data_file(name), "w", encoding="utf-8") as file:
        file.write(tokenizer.to_str(pretty=False))
    print(f"{tokenizer.get_vocab_size()} tokens")


if __name__ == "__main__":
    main()
