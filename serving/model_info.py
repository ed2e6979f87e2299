"""Bodies of the model status and metadata APIs, in the JSON form that protobuf gives them.

TensorFlow Serving prints `GetModelStatusResponse` and `GetModelMetadataResponse`; in that form
64-bit integers are strings and fields with default values are written out.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from serving.errors import Code
from serving.servable import Servable
from serving.versions import VersionStatus


def status(statuses: Sequence[VersionStatus]) -> dict[str, Any]:
    """The body of a status request.

    >>> from serving.versions import State
    >>> body = status([VersionStatus(7, State.AVAILABLE)])
    >>> body["model_version_status"][0]["version"], body["model_version_status"][0]["state"]
    ('7', 'AVAILABLE')
    """
    return {
        "model_version_status": [
            {
                "version": str(entry.version),
                "state": entry.state.value,
                "status": {
                    "error_code": (entry.error.code if entry.error else Code.OK).name,
                    "error_message": entry.error.message if entry.error else "",
                },
            }
            for entry in statuses
        ]
    }


def metadata(servable: Servable) -> dict[str, Any]:
    """The body of a metadata request."""
    return {
        "model_spec": {
            "name": servable.name,
            "signature_name": "",
            "version": str(servable.version),
        },
        "metadata": {
            "signature_def": {
                "signature_def": {
                    name: _message_to_dict(servable.signature_defs[name])
                    for name in sorted(servable.signature_defs)
                }
            }
        },
    }


def _message_to_dict(message: Any) -> dict[str, Any]:
    from google.protobuf import json_format

    # Protobuf 5 renamed the option; both names are met on the supported Python versions.
    options = inspect.signature(json_format.MessageToDict).parameters
    defaults = "always_print_fields_with_no_presence"
    if defaults not in options:
        defaults = "including_default_value_fields"
    return json_format.MessageToDict(message, preserving_proto_field_name=True, **{defaults: True})
