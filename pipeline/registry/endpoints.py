"""Endpoints of Vertex AI: what is deployed there, and who gets the traffic.

Every change keeps the traffic at 100 % of versions that are deployed: a version is deployed beside
the others, gets traffic only when it answers, and loses its machines only when it has none. An
endpoint is changed only if nobody else has in between (etag).
"""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from pipeline.registry import traffic
from pipeline.vertex_ai.clients import CALL_TIMEOUT, VertexPlace
from pipeline.vertex_ai.errors import VertexError, explained
from pipeline.vertex_ai.operations import finished

# Of an endpoint: the deployed version that led before the one that leads now.
BEFORE_LABEL = "flowersim_before"
_LONG_TIMEOUT = 3600.0


@dataclasses.dataclass(frozen=True)
class Machines:
    """What a deployed version runs on."""

    machine_type: str
    min_replicas: int
    max_replicas: int
    accelerator: str | None
    accelerator_count: int


@dataclasses.dataclass(frozen=True)
class Deployed:
    """A version on an endpoint.

    Attributes:
        id: The endpoint's name for it.
        version: Number of the pushed version; empty for what was deployed otherwise.
        model: `projects/…/models/ID@VERSION`.
        created: When it was deployed.
        machines: Kind and numbers, for people.
    """

    id: str
    version: str
    model: str
    created: datetime.datetime | None
    machines: str


class Endpoint:
    """An endpoint as it is now."""

    def __init__(self, client: Any, message: Any) -> None:
        """Keeps the client of the endpoints and the endpoint's message."""
        self._client = client
        self.message = message

    @property
    def name(self) -> str:
        """Its resource name."""
        return self.message.name

    @property
    def split(self) -> dict[str, int]:
        """Per cent of the traffic by id."""
        return {key: part for key, part in self.message.traffic_split.items() if part}

    @property
    def before(self) -> str | None:
        """The id that led before the one that leads now, if it is known."""
        return self.message.labels.get(BEFORE_LABEL)

    @property
    def deployed(self) -> list[Deployed]:
        """All versions, oldest first."""
        found = [_deployed(one) for one in self.message.deployed_models]
        return sorted(found, key=lambda one: (str(one.created), one.id))

    def find(self, version: str) -> Deployed:
        """Returns what is deployed of a pushed version.

        Raises:
            VertexError: Nothing.
        """
        for one in reversed(self.deployed):
            if version in (one.version, one.id):
                return one
        there = ", ".join(one.version or one.id for one in self.deployed) or "nothing"
        raise VertexError(f"{version} is not deployed on {self.name}; there is {there}")

    def set_traffic(self, split: dict[str, int]) -> None:
        """Divides the traffic anew.

        Raises:
            VertexError: The split names what is not deployed, or does not add up; or the endpoint
                has been changed since it was read.
        """
        from google.cloud.aiplatform_v1 import types
        from google.protobuf.field_mask_pb2 import FieldMask

        there = {one.id for one in self.deployed}
        if not split.keys() <= there or sum(split.values()) != 100:
            raise VertexError(f"{split} is no division of the traffic among {sorted(there)}")
        now, then = traffic.leader(self.split), traffic.leader(split)
        labels = dict(self.message.labels)
        if now and now != then:
            labels[BEFORE_LABEL] = now
        changed = types.Endpoint(
            name=self.name, traffic_split=split, labels=labels, etag=self.message.etag
        )
        request = types.UpdateEndpointRequest(
            endpoint=changed, update_mask=FieldMask(paths=["traffic_split", "labels"])
        )
        with explained(f"divide the traffic of {self.name}"):
            self.message = self._client.update_endpoint(request, timeout=CALL_TIMEOUT)

    def deploy(
        self, model: str, version: int, name: str, machines: Machines, account: str | None
    ) -> Deployed:
        """Deploys a version beside the others and waits until it answers.

        It gets no traffic, unless it is the only one there.

        Raises:
            VertexError: It cannot be deployed; all traffic is where it was.
        """
        from google.cloud.aiplatform_v1 import types

        kinds = types.AcceleratorType.__members__
        if machines.accelerator and machines.accelerator not in kinds:
            raise VertexError(
                f"{machines.accelerator} is no accelerator but {', '.join(kinds)} are"
            )
        spec = types.DeployedModel(
            model=model,
            display_name=f"{name}-{version}",
            service_account=account or "",
            dedicated_resources=types.DedicatedResources(
                machine_spec=types.MachineSpec(
                    machine_type=machines.machine_type,
                    accelerator_type=machines.accelerator,
                    accelerator_count=machines.accelerator_count if machines.accelerator else 0,
                ),
                min_replica_count=machines.min_replicas,
                max_replica_count=machines.max_replicas,
            ),
        )
        request = types.DeployModelRequest(
            endpoint=self.name,
            deployed_model=spec,
            # 0 stands for the new one; without a split nothing changes.
            traffic_split={} if self.split else {"0": 100},
        )
        done = finished(
            f"deploy {model}",
            lambda: self._client.deploy_model(request, timeout=CALL_TIMEOUT),
            timeout=_LONG_TIMEOUT,
        )
        self.refresh()
        return self.find(done.deployed_model.id)

    def undeploy(self, one: Deployed) -> None:
        """Takes away a version's machines.

        Raises:
            VertexError: It has traffic.
        """
        self.refresh()
        if self.split.get(one.id):
            raise VertexError(f"{one.version or one.id} has traffic, and stays")
        finished(
            f"undeploy {one.version or one.id}",
            lambda: self._client.undeploy_model(
                endpoint=self.name, deployed_model_id=one.id, timeout=CALL_TIMEOUT
            ),
            timeout=_LONG_TIMEOUT,
        )
        self.refresh()

    def refresh(self) -> None:
        """Reads it anew."""
        with explained(f"look at {self.name}"):
            self.message = self._client.get_endpoint(name=self.name, timeout=CALL_TIMEOUT)


def find_endpoint(client: Any, place: VertexPlace, name: str, *, create: bool = False) -> Endpoint:
    """Finds an endpoint.

    Args:
        client: A `google.cloud.aiplatform_v1.EndpointServiceClient`.
        place: Where.
        name: Its display name, id, or resource name.
        create: Make one of that display name if there is none.

    Raises:
        VertexError: There is none, or several of the name.
    """
    from google.cloud.aiplatform_v1 import types

    if "/" in name or name.isdecimal():
        full = name if "/" in name else f"{place.parent}/endpoints/{name}"
        with explained(f"look at endpoint {name}"):
            return Endpoint(client, client.get_endpoint(name=full, timeout=CALL_TIMEOUT))
    listing = types.ListEndpointsRequest(parent=place.parent, filter=f'display_name="{name}"')
    with explained(f"look for endpoint {name} in {place.parent}"):
        found = list(client.list_endpoints(listing, timeout=CALL_TIMEOUT))
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise VertexError(f"several endpoints are called {name}: {names}; give one of these names")
    if found:
        return Endpoint(client, found[0])
    if not create:
        raise VertexError(f"no endpoint in {place.parent} is called {name}")
    made = finished(
        f"make endpoint {name}",
        lambda: client.create_endpoint(
            parent=place.parent, endpoint=types.Endpoint(display_name=name), timeout=CALL_TIMEOUT
        ),
        timeout=_LONG_TIMEOUT,
    )
    return Endpoint(client, made)


def _deployed(message: Any) -> Deployed:
    resources = message.dedicated_resources
    spec = resources.machine_spec
    machines = f"{resources.min_replica_count}-{resources.max_replica_count} {spec.machine_type}"
    if spec.accelerator_count:
        machines += f" with {spec.accelerator_count} {spec.accelerator_type.name}"
    version = message.display_name.rpartition("-")[2]
    return Deployed(
        id=message.id,
        version=version if version.isdecimal() else "",
        model=f"{message.model.partition('@')[0]}@{message.model_version_id}",
        created=message.create_time,
        machines=machines,
    )
