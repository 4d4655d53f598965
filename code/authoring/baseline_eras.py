"""How well a bag of words tells the era of a piece of an address: TF-IDF and logistic regression.

    python code/authoring/baseline_eras.py [--tokens 128 512 1024] [--folds 0 1 2]

Needs scikit-learn. Prints for each length and fold the accuracy, the mean F1 of the eras and the share of the most frequent era.
"""

import argparse

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline

from ropebook.eras import documents
from ropebook.text import tokenizer


def bag_of_words():
    """An untrained classifier of texts that knows which words stand in them and how often, not where."""
    return make_pipeline(TfidfVectorizer(sublinear_tf=True, min_df=2), LogisticRegression(C=10, max_iter=200))


def baseline(tokens, fold=0):
    """Accuracy, macro-F1 and the majority's share on the test split of a fold, having learnt from its training split."""
    words = tokenizer()
    (train, train_eras), (test, test_eras) = (documents(split, tokens, fold=fold) for split in ("train", "test"))
    model = bag_of_words().fit(words.decode_batch(train.tolist()), train_eras)
    guesses = model.predict(words.decode_batch(test.tolist()))
    return (guesses == test_eras).mean(), f1_score(test_eras, guesses, average="macro"), np.bincount(test_eras).max() / len(test_eras)


def main():
    parser = argparse.ArgumentParser(description="Measure how well a bag of words tells the era of a piece of an address.")
    parser.add_argument("--tokens", type=int, nargs="+", default=[128, 512, 1024], help="lengths of the pieces (default: %(default)s)")
    parser.add_argument("--folds", type=int, nargs="+", default=[0, 1, 2], help="folds to hold out (default: %(default)s)")
    arguments = parser.parse_args()
    for tokens in arguments.tokens:
        for fold in arguments.folds:
            print(f"{tokens} tokens, fold {fold}: accuracy %.3f, macro-F1 %.3f, majority %.3f" % baseline(tokens, fold), flush=True)


if __name__ == "__main__":
    main()
