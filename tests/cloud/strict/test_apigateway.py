"""Tests of REST APIs that are made of a Swagger document."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from firebreak.cloud import Cloud
from tests.cloud.conftest import HOME
from tests.cloud.strict.conftest import code_of

URI = (
    "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
    f"arn:aws:lambda:us-east-1:{HOME}:function:api/invocations"
)


def method(**more: Any) -> dict[str, Any]:
    """Return a method as Chalice writes it."""
    integration = {
        "responses": {"default": {"statusCode": "200"}},
        "uri": URI,
        "passthroughBehavior": "when_no_match",
        "httpMethod": "POST",
        "contentHandling": "CONVERT_TO_TEXT",
        "type": "aws_proxy",
    }
    responses = {"200": {"description": "200 response", "schema": {"$ref": "#/definitions/Empty"}}}
    return {"responses": responses, "x-amazon-apigateway-integration": integration, **more}


SIGNED = {"security": [{"sigv4": []}]}
DOCUMENT = {
    "swagger": "2.0",
    "info": {"version": "1.0", "title": "firebreak"},
    "schemes": ["https"],
    "paths": {
        "/": {"get": method()},
        "/remediations/{id}/undo": {"post": method(**SIGNED)},
        "/remediations/{id}": {"get": method(**SIGNED), "delete": method(**SIGNED)},
    },
    "definitions": {"Empty": {"type": "object", "title": "Empty Schema"}},
    "x-amazon-apigateway-binary-media-types": ["image/png"],
    "securityDefinitions": {
        "sigv4": {
            "in": "header",
            "type": "apiKey",
            "name": "Authorization",
            "x-amazon-apigateway-authtype": "awsSigv4",
        }
    },
}


@pytest.fixture
def client(cloud: Cloud) -> Any:
    """Return API Gateway of the home account."""
    return cloud.session().client("apigateway")


def imported(client: Any, document: Any = DOCUMENT) -> str:
    """Import a document; return the API's id."""
    body, parameters = json.dumps(document), {"endpointConfigurationTypes": "REGIONAL"}
    return str(client.import_rest_api(body=body, parameters=parameters)["id"])


def methods(client: Any, api: str) -> dict[str, str]:
    """Return how each method of an API is authorized."""
    return {
        f"{name} {resource['path']}": client.get_method(
            restApiId=api, resourceId=resource["id"], httpMethod=name
        )["authorizationType"]
        for resource in client.get_resources(restApiId=api)["items"]
        for name in resource.get("resourceMethods", {})
    }


def test_an_api_of_a_document(client: Any) -> None:
    """Resources, methods, authorization and integrations are those of the document."""
    api = imported(client)
    shown = client.get_rest_api(restApiId=api)

    assert ("firebreak", ["REGIONAL"]) == (shown["name"], shown["endpointConfiguration"]["types"])
    assert ["image/png"] == shown["binaryMediaTypes"]
    assert methods(client, api) == {
        "GET /": "NONE",
        "POST /remediations/{id}/undo": "AWS_IAM",
        "GET /remediations/{id}": "AWS_IAM",
        "DELETE /remediations/{id}": "AWS_IAM",
    }
    (undo,) = (
        each["id"]
        for each in client.get_resources(restApiId=api)["items"]
        if each["path"].endswith("/undo")
    )
    integration = client.get_integration(restApiId=api, resourceId=undo, httpMethod="POST")
    assert ("AWS_PROXY", URI) == (integration["type"], integration["uri"])


def test_an_api_is_overwritten(client: Any) -> None:
    """What the new document does not say is gone; the id stays."""
    api = imported(client)
    changed = copy.deepcopy(DOCUMENT)
    changed["paths"] = {"/status": {"get": method(**SIGNED)}}
    client.put_rest_api(restApiId=api, mode="overwrite", body=json.dumps(changed))

    assert {"GET /status": "AWS_IAM"} == methods(client, api)
    assert [api] == [each["id"] for each in client.get_rest_apis()["items"]]


def test_a_stage_keeps_its_settings(client: Any) -> None:
    """A second deployment to a stage changes what it serves, not how."""
    api = imported(client)
    deploy = client.create_deployment
    first = deploy(restApiId=api, stageName="api", tracingEnabled=True)["id"]
    limit = {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "10"}
    client.update_stage(restApiId=api, stageName="api", patchOperations=[limit])
    second = deploy(restApiId=api, stageName="api")["id"]
    (stage,) = client.get_stages(restApiId=api)["item"]

    assert first != second
    assert (second, True) == (stage["deploymentId"], stage["tracingEnabled"])
    assert 10.0 == stage["methodSettings"]["*/*"]["throttlingRateLimit"]
    off = {"op": "replace", "path": "/tracingEnabled", "value": "false"}
    client.update_stage(restApiId=api, stageName="api", patchOperations=[off])
    assert client.get_stage(restApiId=api, stageName="api")["tracingEnabled"] is False


def test_deleting(client: Any) -> None:
    """An API that is not there is not deleted, not overwritten and not shown."""
    api = imported(client)
    client.delete_rest_api(restApiId=api)

    for call in (client.delete_rest_api, client.get_rest_api):
        assert "NotFoundException" == code_of(call, restApiId=api)
    put = {"restApiId": api, "mode": "overwrite", "body": json.dumps(DOCUMENT)}
    assert "NotFoundException" == code_of(client.put_rest_api, **put)


@pytest.mark.parametrize(
    "change",
    [
        {"info": {}},
        {"paths": {"/": {"get": {"responses": {}}}}},
        {"paths": {"/": {"parameters": method()}}},
        {"securityDefinitions": {"sigv4": {"type": "apiKey"}}},
    ],
)
def test_what_is_refused(client: Any, change: dict[str, Any]) -> None:
    """A document without title or integration, and what is not embedded, is no API."""
    body = json.dumps({**DOCUMENT, **change})

    assert "BadRequestException" == code_of(client.import_rest_api, body=body)
