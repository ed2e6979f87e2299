"""Checks objects against the official Kubernetes client's models: no unknown field, none missing.

The API server drops what it does not know, or refuses it; either is too late.
"""

from __future__ import annotations

import re
from typing import Any

import kubernetes.client.models as models

KINDS = {
    ("v1", "ConfigMap"): "V1ConfigMap",
    ("v1", "PersistentVolumeClaim"): "V1PersistentVolumeClaim",
    ("v1", "Pod"): "V1Pod",
    ("v1", "Service"): "V1Service",
    ("v1", "ServiceAccount"): "V1ServiceAccount",
    ("apps/v1", "Deployment"): "V1Deployment",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "V2HorizontalPodAutoscaler",
    ("policy/v1", "PodDisruptionBudget"): "V1PodDisruptionBudget",
}
SCALARS: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "bool": bool,
    "float": (int, float),
}


def check(document: dict[str, Any]) -> None:
    """Raises ValueError that names the field."""
    kind = (document.get("apiVersion", ""), document.get("kind", ""))
    if kind not in KINDS:
        raise ValueError(f"unknown kind: {kind}")
    check_value(document, KINDS[kind], kind[1])


def check_value(value: Any, type_name: str, path: str) -> Any:
    """The value as the client's model of that type."""
    if match := re.fullmatch(r"list\[(.+)\]", type_name):
        if not isinstance(value, list):
            raise ValueError(f"{path} is no list")
        return [check_value(v, match[1], f"{path}[{i}]") for i, v in enumerate(value)]
    if match := re.fullmatch(r"dict\(str, (.+)\)", type_name):
        if not isinstance(value, dict):
            raise ValueError(f"{path} is no mapping")
        return {k: check_value(v, match[1], f"{path}.{k}") for k, v in value.items()}
    if type_name == "object":
        return value
    if type_name in SCALARS:
        fits = isinstance(value, SCALARS[type_name])
        if not fits or (isinstance(value, bool) and type_name != "bool"):
            raise ValueError(f"{path} is no {type_name}: {value!r}")
        return value
    cls = getattr(models, type_name)
    if not isinstance(value, dict):
        raise ValueError(f"{path} is no {type_name}: {value!r}")
    attributes = {json_name: name for name, json_name in cls.attribute_map.items()}
    if unknown := value.keys() - attributes.keys():
        raise ValueError(f"{path} has unknown fields: {', '.join(sorted(unknown))}")
    given = {
        attributes[key]: check_value(item, cls.openapi_types[attributes[key]], f"{path}.{key}")
        for key, item in value.items()
    }
    try:
        return cls(**given)  # the client checks that what is required is there
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
