"""Search of a large gallery through the centroids of its cells, as a TensorFlow graph.

Not exact: the cells whose centroids are nearest to a query are searched exactly, and all others are
passed over (an inverted file, as in Jégou, Douze and Schmid, "Product Quantization for Nearest
Neighbor Search", PAMI 2011, section IV, with the rows as they are in place of codes). What is found
has the scores of `tf_search.py` and is in its order, and cells are ranked by exact scores too, so
what a query gets of one division depends neither on the queries beside it nor on the machine (of
GPUs, see there). Stock operations only, for any model server.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from retrieval.cells import Cells
from retrieval.similarity import Floats
from retrieval.tf_scores import ListedRows, Rows, unit_rows_tf
from retrieval.tf_search import SPARE, crowded, error_bound, rescored, scan, top_k_tf

# Numbers of gallery rows that are gathered at a time for a query, and queries worked on at a time.
_PIECE, _PARALLEL = 2**20, 8


class RoutedGallery(tf.Module):
    """A gallery in variables, and the search of it.

    Attributes:
        probes: Cells that are searched for each query.
        cells: How many there are.

    >>> from retrieval.cells import class_cells
    >>> from retrieval.rows import unit_rows
    >>> rows = unit_rows([[1, 0], [0, 1], [1, 0.1], [0.1, 1]])
    >>> cells = class_cells(rows, ["a", "b", "a", "b"], bounds=(1, 2))
    >>> routed = RoutedGallery(rows, cells, probes=1)
    >>> routed.nearest(tf.constant([[0.0, 2.0]]), k=2)[1].numpy()
    array([[1, 3]])
    """

    def __init__(
        self, gallery: Floats, cells: Cells, *, probes: int, piece_rows: int | None = None
    ) -> None:
        """Puts the gallery into variables, cell by cell.

        Args:
            gallery: Result of `rows.unit_rows`, float32, [N, D].
            cells: Division of the gallery into C cells.
            probes: P, the cells that are searched for each query; all where there are fewer.
            piece_rows: Gallery rows that are gathered at a time for a query; about a million
                numbers by default.

        Raises:
            ValueError: probes or piece_rows < 1, or cells of another gallery.
        """
        super().__init__()
        if piece_rows is None:
            piece_rows = max(1, _PIECE // gallery.shape[1])
        for name, value in (("probes", probes), ("piece_rows", piece_rows)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if len(cells.order) != len(gallery):
            raise ValueError(
                f"the cells are of {len(cells.order)} rows, the gallery has {len(gallery)}"
            )
        self.cells, self.probes = len(cells.centroids), min(probes, len(cells.centroids))
        self._piece_rows, self._size = piece_rows, len(gallery)
        self._fewest_rows = np.cumsum(np.sort(np.diff(cells.starts)))
        self.rows = tf.Variable(gallery[cells.order], trainable=False, name="gallery_embeddings")
        # One entry behind the gallery, for none.
        self.order = tf.Variable(
            np.append(cells.order, -1), trainable=False, dtype=tf.int64, name="gallery_order"
        )
        self.starts = tf.Variable(cells.starts, trainable=False, name="cell_starts")
        self.centroids = tf.Variable(cells.centroids, trainable=False, name="cell_centroids")

    def probes_for(self, k: int) -> int:
        """P, or as many cells as surely have k rows, where the gallery has."""
        wanted = min(k, self._size)
        return max(self.probes, int(np.searchsorted(self._fewest_rows, wanted)) + 1)

    def nearest(self, queries: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
        """The k rows nearest to each query among those of its cells, best first.

        Equal scores rank by lower gallery index. Where the gallery has fewer than k rows, the rest
        is score -inf, index -1. Memory beyond the gallery is that of a few pieces, and of the
        numbers of the rows that are searched.

        Args:
            queries: Real numbers, [Q, D].
            k: Static, at least 1.

        Returns:
            (scores, indices): cosines, float32, and indices in the gallery as it was given, int64;
            both [Q, k].

        Raises:
            ValueError: k < 1, not a matrix, D unknown or different.
            tf.errors.InvalidArgumentError: When run, if a query holds NaN or infinity.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        rows = self.rows.read_value()
        _, cells = top_k_tf(
            queries, self.centroids.read_value(), self.probes_for(k), gallery_is_unit=True
        )
        queries = unit_rows_tf(tf.convert_to_tensor(queries))
        # What there is none of, -1, begins and ends at 0.
        first = tf.gather(self.starts, tf.maximum(cells, 0))
        end = tf.gather(self.starts, cells + 1)

        def approximately(query: tf.Tensor, *cells: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            listed = ListedRows(rows, tf.ragged.range(*cells).flat_values)
            return scan(query, listed, k + SPARE, self._piece_rows, exact=False)[:2]

        def exactly(query: tf.Tensor, *cells: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            places = tf.ragged.range(*cells).flat_values
            # Equal scores rank by place in the list.
            places = tf.gather(places, tf.argsort(tf.gather(self.order, places)))
            listed = ListedRows(rows, places)
            scores, found, _ = scan(query, listed, k, self._piece_rows, exact=True)
            return scores, self._names(found)

        scores, places = _each(approximately, queries, first, end, k + SPARE)
        return tf.cond(
            tf.reduce_any(crowded(scores, k, error_bound(queries, "cosine"))),
            lambda: _each(exactly, queries, first, end, k),
            lambda: rescored(
                queries, Rows("cosine", rows, is_unit=True), places, k, self._names(places)
            ),
        )

    def _names(self, places: tf.Tensor) -> tf.Tensor:
        """Indices in the gallery as it was given of places in that of the cells; -1 for none."""
        return tf.gather(
            self.order, tf.where(places < 0, tf.constant(self._size, tf.int64), places)
        )


def _each(
    search: Callable[..., tuple[tf.Tensor, tf.Tensor]],
    queries: tf.Tensor,
    first: tf.Tensor,
    end: tf.Tensor,
    k: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Searches for each query alone, and returns scores and places, both [Q, k]."""
    # A product for many queries at a time would need all of them to have the same rows.
    scores, places = tf.map_fn(
        lambda one: search(one[0][tf.newaxis], one[1], one[2]),
        (queries, first, end),
        fn_output_signature=(tf.TensorSpec([1, k]), tf.TensorSpec([1, k], tf.int64)),
        parallel_iterations=_PARALLEL,
    )
    return scores[:, 0], places[:, 0]
