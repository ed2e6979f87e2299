"""What each loss does for retrieval: the same network, images, batches and budget, other losses.

Trains every variant with every seed, one after the other, and measures on the test split what each
has learned; then writes a table. Variants of one seed start from the same weights and see the same
batches (class-balanced, so that there are triplets), so their differences are paired. Nothing is
chosen on the test split: recipe and epoch are those that validation chose.

Each finished run is a line in the file `--results`, and an unfinished one goes on from its last
epoch: the command can be stopped and given again at any time. A run counts as finished only for the
settings and the code it was made with.
"""

from __future__ import annotations

from benchmarks.trained_variants import Variant, parse_options, run_missing

# Cross-entropy has the cosine head in all but `linear head`, which is plain fine-tuning.
VARIANTS = {
    "frozen": Variant(("training.epochs=0", "model.embedding_dim=0"), has_classifier=False),
    "cross-entropy, linear head": Variant(("training.center_loss.weight=0", "model.head=linear")),
    "cross-entropy": Variant(("training.center_loss.weight=0",)),
    "cross-entropy + center": Variant(),
    "triplet": Variant(
        (
            "training.cross_entropy_weight=0",
            "training.center_loss.weight=0",
            "training.triplet.weight=1",
        ),
        has_classifier=False,
    ),
    "cross-entropy + triplet": Variant(
        ("training.center_loss.weight=0", "training.triplet.weight=1")
    ),
    "cross-entropy + triplet + center": Variant(("training.triplet.weight=1",)),
}


INTRODUCTION = """\
# Ablation: what each loss does for retrieval

Oxford Flowers 102 at 64 × 64 pixels, official splits, {epochs} epochs on the training split alone
(1,020 images) at {input_size} × {input_size} pixels; EfficientNet-Lite0, batches of 8 classes × 4
images, five blocks frozen, dropout 0.2, no stochastic depth, all else as in the preset
`flowers102`; compared by the embedding, without the mirror image. Each variant has the same steps;
seeds are paired: the same first weights and the same batches. The epoch is chosen by MAP@R on
validation.

Measured once on the test split (6,149 images, leave-one-out, cosine). *Accuracy* is the
classification head's, *1-NN accuracy* that of the nearest training image, *intra/inter* the
distance within classes over that between them (`retrieval/separation.py`). Values are mean ±
standard deviation over the seeds.

    python benchmarks/ablation.py --report docs/ablation.md

trains what `benchmarks/results/ablation.jsonl` does not have of this training code; with
`--no-training` it writes the table of the newest runs there, whatever code made them.
"""


def main() -> None:
    """Parses the command line, runs what is missing, and writes the table."""
    options = parse_options(str(__doc__), list(VARIANTS))
    run_missing(options, VARIANTS, base="cross-entropy", introduction=INTRODUCTION)


if __name__ == "__main__":
    main()
