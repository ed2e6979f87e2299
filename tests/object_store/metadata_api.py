"""The metadata server of a machine in Google's cloud: whence libraries get their access tokens."""

from __future__ import annotations

import json

from tests.object_store.storage_api import Answer, Request

TOKEN = "a-token-for-tests"
ADDRESS = "169.254.169.254"
HOST = "metadata.google.internal"

_ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default/"


class MetadataApi:
    """Answers what google-auth and TensorFlow ask before they use a bucket."""

    def answer(self, request: Request) -> Answer:
        """Gives the machine's account, project and token."""
        if request.path == "/":
            return _text("")
        if request.headers.get("metadata-flavor") != "Google":
            return Answer(403)
        match request.path:
            case "/computeMetadata/v1/project/project-id":
                return _text("test-project")
            case "/computeMetadata/v1/universe/universe-domain":
                return _text("googleapis.com")
            case path if path == _ACCOUNT:
                scopes = ["https://www.googleapis.com/auth/cloud-platform"]
                return _json({"email": "steps@test-project.example", "scopes": scopes})
            case path if path == f"{_ACCOUNT}token":
                return _json({"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"})
        return Answer(404)


def _text(value: str) -> Answer:
    return Answer(200, value.encode(), {"Metadata-Flavor": "Google", "Content-Type": "text/plain"})


def _json(value: object) -> Answer:
    headers = {"Metadata-Flavor": "Google", "Content-Type": "application/json"}
    return Answer(200, json.dumps(value).encode(), headers)
