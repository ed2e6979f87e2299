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


def main() -> None:
    """Parses the command line, runs what is missing, and writes the table."""
    options = parse_options(str(__doc__), list(VARIANTS))
    run_missing(options, VARIANTS, base="cross-entropy")


if __name__ == "__main__":
    main()
