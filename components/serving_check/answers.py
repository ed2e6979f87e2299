"""What a model is asked, and what it must answer: the contract of `similarity_indexer/servable.py`.

Every signature is asked about real data over REST, alone and in a batch, and must say what the
SavedModel says when it is called directly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from components.serving_check.agreement import arrays_differ, rows_differ
from components.serving_check.config import CheckFailedError
from components.serving_check.direct_model import DirectModel
from components.serving_check.photos import Photo
from components.serving_check.rest_model import Form, RefusedRequestError, RestModel

_NEIGHBOURS = {
    "neighbour_ids",
    "neighbour_class_names",
    "neighbour_labels",
    "neighbour_scores",
    "is_match",
}
# Input and outputs by signature.
SIGNATURES = {
    "serving_default": ("image_bytes", _NEIGHBOURS),
    "similar": ("image_bytes", _NEIGHBOURS),
    "embed": ("image_bytes", {"embedding"}),
    "embed_examples": ("examples", {"embedding"}),
    "classify_image": ("image_bytes", {"class_names", "scores"}),
    "thumbnail": ("ids", {"thumbnail_bytes"}),
}
_RANKED = {
    "serving_default": ("neighbour_ids", "neighbour_scores"),
    "similar": ("neighbour_ids", "neighbour_scores"),
    "classify_image": ("class_names", "scores"),
}
# Of a photo with itself, embedded when the gallery was and now: on a GPU or in half precision then,
# perhaps, and on a CPU now. An error of e in a vector of length 1 costs the cosine e²/2.
_ITSELF = 0.999
# Camera photos are large, and servers have limits.
_BATCH_BYTES = 32_000_000


def check_signatures(found: Mapping[str, tuple[set[str], set[str]]]) -> None:
    """Looks for every signature.

    Args:
        found: Names of inputs and outputs by signature.

    Raises:
        CheckFailedError: One is missing, or takes or gives something else.
    """
    for name, (input_name, outputs) in SIGNATURES.items():
        if name not in found:
            # TensorFlow's own names begin so.
            others = {other for other in found if not other.startswith("__")}
            raise CheckFailedError(f"the model has no signature {name}; it has {_list(others)}")
        inputs_found, outputs_found = found[name]
        if inputs_found != {input_name} or outputs_found != outputs:
            raise CheckFailedError(
                f"signature {name} takes {_list(inputs_found)} and gives {_list(outputs_found)}; "
                f"expected are {input_name} and {_list(outputs)}"
            )


def rehearse(direct: DirectModel, photos: Sequence[Photo]) -> None:
    """Has the SavedModel answer each signature once, for seconds that its first answers take.

    Raises:
        CheckFailedError: It refuses.
    """
    photo = photos[0]
    values = {"image_bytes": photo.image, "examples": photo.example}
    for name, (source, _) in SIGNATURES.items():
        if source in values:  # thumbnails are quick
            direct.predict(name, source, [values[source]])


def check_answers(
    rest: RestModel, direct: DirectModel, photos: Sequence[Photo], *, search_is_exact: bool
) -> None:
    """Asks every signature about several photos at once, and the default one by one.

    Args:
        rest: The served model.
        direct: The same SavedModel.
        photos: What is asked about.
        search_is_exact: Whether every photo of the gallery must find itself, or half of them.

    Raises:
        CheckFailedError: A refusal, an answer that the SavedModel called directly does not give,
            or photos of the gallery that do not find themselves.
    """
    images = [photo.image for photo in photos]
    asked = {name: images for name, (source, _) in SIGNATURES.items() if source == "image_bytes"}
    asked["embed_examples"] = [photo.example for photo in photos]
    found: dict[bytes, None] = {}  # each once, in order
    missed = []
    for photo in photos:
        answer = _compare(rest, direct, "serving_default", [photo.image], "instances")
        found.update(dict.fromkeys(answer["neighbour_ids"][0].tolist()))
        if photo.in_gallery and (words := _misses_itself(photo, answer)):
            missed.append(words)
    known = sum(photo.in_gallery for photo in photos)
    if len(missed) > (0 if search_is_exact else known // 2):
        raise CheckFailedError(missed[0])
    if not any(found):
        raise CheckFailedError("no photo has a neighbour")
    # Padding has the id "", and is no image.
    asked["thumbnail"] = [identity for identity in found if identity][: len(photos)]
    for name, values in asked.items():
        _compare(rest, direct, name, _batch(values), "inputs")
        _compare(rest, direct, name, values[:1], "instances")


def ask(
    rest: RestModel, name: str, values: Sequence[bytes], form: Form = "inputs"
) -> dict[str, np.ndarray]:
    """Asks a signature what it must answer.

    Returns:
        The answer, see `RestModel.predict`.

    Raises:
        CheckFailedError: It refuses, or gives no answer.
    """
    try:
        return rest.predict(name, SIGNATURES[name][0], values, form=form)
    except RefusedRequestError as error:
        raise CheckFailedError(f"{name} refuses real data: {error}") from error


def check_refusals(rest: RestModel, photos: Sequence[Photo]) -> None:
    """Sends what must be refused, and then something good once more.

    Raises:
        CheckFailedError: It is not refused with HTTP status 400, or the server then answers no
            more.
    """
    good = photos[0].image
    cut = good[: len(good) // 2]
    _check_refused(rest, "serving_default", [cut], "a photo that is cut short")
    _check_refused(rest, "serving_default", [good, cut], "a batch with a photo that is cut short")
    _check_refused(rest, "thumbnail", [b"\x00 no such id"], "an unknown id")
    ask(rest, "serving_default", [good])


def _check_refused(rest: RestModel, name: str, values: Sequence[bytes], what: str) -> None:
    try:
        rest.predict(name, SIGNATURES[name][0], values)
    except RefusedRequestError as error:
        if error.status != 400:
            raise CheckFailedError(
                f"{name} refuses {what} with {error} in place of status 400"
            ) from error
    else:
        raise CheckFailedError(f"{name} answers {what}, which it should refuse with status 400")


def _compare(
    rest: RestModel, direct: DirectModel, name: str, values: Sequence[bytes], form: Form
) -> dict[str, np.ndarray]:
    """Asks over REST and directly; returns the answer over REST."""
    answer = ask(rest, name, values, form)
    expected = direct.predict(name, SIGNATURES[name][0], values)
    if set(answer) == {""}:
        answer = dict.fromkeys(expected, answer[""])
    if missing := set(expected) - set(answer):
        raise CheckFailedError(f"{name} answers over REST without {_list(missing)}")
    if name in _RANKED:
        ranked, by = _RANKED[name]
        words = rows_differ(answer, expected, ranked=ranked, by=by)
    else:
        words = next(
            filter(None, (arrays_differ(answer[key], expected[key]) for key in answer)), ""
        )
    if words:
        raise CheckFailedError(
            f"{name} answers otherwise over REST than directly, to {len(values)} at once: {words}"
        )
    return answer


def _misses_itself(photo: Photo, answer: Mapping[str, np.ndarray]) -> str:
    """What a photo of the gallery finds in place of itself, in words; empty if itself."""
    ids, scores = answer["neighbour_ids"][0].tolist(), answer["neighbour_scores"][0]
    # Copies of it, of which there may be more than are listed, are as near as itself.
    own = float(scores[ids.index(photo.identity)]) if photo.identity in ids else float(scores[-1])
    first = float(scores[0])
    if first >= _ITSELF and own >= first - (1 - _ITSELF):
        return ""
    return (
        f"{_text(photo.identity)} is in the gallery and does not find itself with score 1: "
        f"first is {_text(ids[0])} with score {first:.4f}"
    )


def _batch(values: Sequence[bytes]) -> Sequence[bytes]:
    """As many of the first as fit into a request."""
    total = 0
    for count, value in enumerate(values):
        total += len(value)
        if count and total > _BATCH_BYTES:
            return values[:count]
    return values


def _text(identity: bytes) -> str:
    return repr(identity.decode(errors="replace"))


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
