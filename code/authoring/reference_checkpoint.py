"""Make the small checkpoint in Hugging Face's format that chapter 13 reads, with what their own code computes from it.

    .venv/bin/python code/authoring/reference_checkpoint.py

A RoFormer of the transformers library with random weights, saved by that library; and, in expected.safetensors, for one batch
with padding: its logits, its loss at the blanks and the gradients of all its weights, in float64.
"""

from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import RoFormerConfig, RoFormerForMaskedLM

from ropebook.frequencies import frequencies
from ropebook.rotation_torch import rotation_table

FOLDER = Path(__file__).resolve().parents[1] / "ropebook" / "data" / "hugging_face"
SIZES = RoFormerConfig(
    vocab_size=60, embedding_size=24, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
    max_position_embeddings=32, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
)  # fmt: skip


def main():
    torch.manual_seed(0)
    model = RoFormerForMaskedLM(SIZES)
    for name, weight in model.named_parameters():  # they start so small that a wrong rotation moves the logits by some millionths
        if weight.requires_grad and "embed_positions" not in name:
            std = weight.shape[1] ** -0.5 if weight.ndim == 2 else 0.3
            torch.nn.init.normal_(weight, mean=float("LayerNorm.weight" in name), std=std)
    model.save_pretrained(FOLDER)

    tokens = torch.randint(1, 60, (3, 20))
    present = torch.arange(20) < torch.tensor([[20], [13], [1]])
    labels = tokens.masked_fill(~((torch.rand(3, 20) < 0.3) & present), -100)
    labels[2, 0] = tokens[2, 0]
    model.double()
    table = rotation_table(torch.arange(32), frequencies(8), torch.float64)
    model.roformer.encoder.embed_positions.weight.data = torch.cat([table.imag, table.real], -1)  # theirs is rounded to float32
    found = model(input_ids=tokens, attention_mask=present.long(), labels=labels)
    found.loss.backward()
    gradients = {f"gradient.{name}": weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    results = {"tokens": tokens, "present": present, "labels": labels, "logits": found.logits.detach(), "loss": found.loss.detach()}
    save_file({**results, **gradients}, FOLDER / "expected.safetensors", metadata={"made_by": f"transformers {transformers.__version__}"})


if __name__ == "__main__":
    main()
