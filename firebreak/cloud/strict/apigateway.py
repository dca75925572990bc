"""API Gateway: REST APIs from a Swagger document, as Chalice hands one over.

moto reads OpenAPI 3 only, and nothing of who may call; deploying a stage again makes it forget its
settings. https://docs.aws.amazon.com/apigateway/latest/developerguide/import-edge-optimized-api.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from firebreak.cloud.patching import Patch, as_method
from firebreak.cloud.strict import Corrections

CORRECTIONS = Corrections()

INTEGRATION = "x-amazon-apigateway-integration"
AUTHORIZATION = "x-amazon-apigateway-authtype"
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-authtype.html
SIGNED = "awsSigv4"
METHODS = frozenset({"delete", "get", "head", "options", "patch", "post", "put"})
ANY_METHOD = "x-amazon-apigateway-any-method"
Document = Mapping[str, Any]


@CORRECTIONS.replaces
def patches() -> list[Patch]:
    """Return what importing, deploying and deleting an API is."""
    from moto.apigateway.models import APIGatewayBackend, RestAPI
    from moto.apigateway.responses import APIGatewayResponse

    put, deploy = APIGatewayBackend.put_rest_api, RestAPI.create_deployment
    answer = APIGatewayResponse.create_deployment
    return [
        Patch(APIGatewayResponse, "import_rest_api", as_method(_import)),
        Patch(APIGatewayResponse, "create_deployment", as_method(_deploying(answer))),
        Patch(APIGatewayBackend, "put_rest_api", _put(put)),
        Patch(APIGatewayBackend, "delete_rest_api", _delete),
        Patch(RestAPI, "create_deployment", _deployed(deploy)),
    ]


def _import(response: Any) -> tuple[int, dict[str, Any], str]:
    """Make an API of a document.

    https://docs.aws.amazon.com/apigateway/latest/api/API_ImportRestApi.html
    """
    from moto.apigateway.exceptions import BadRequestException

    document = json.loads(response.body)
    if "info" not in document or "title" not in document["info"]:
        raise BadRequestException("Invalid Swagger document: info.title is required")
    kinds = response.querystring.get("endpointConfigurationTypes", ["EDGE"])
    api = response.backend.create_rest_api(
        document["info"]["title"],
        document["info"].get("description", ""),
        endpoint_configuration={"types": list(kinds)},
    )
    response.backend.put_rest_api(api.id, document, fail_on_warnings=False, mode="overwrite")
    return 201, {"status": 201}, json.dumps(api.to_dict())


def _put(put: Callable[..., Any]) -> Callable[..., Any]:
    """Let an API be what a document says, in Swagger 2 or OpenAPI 3.

    https://docs.aws.amazon.com/apigateway/latest/api/API_PutRestApi.html
    """

    def put_rest_api(
        backend: Any,
        function_id: str,
        api_doc: Document,
        fail_on_warnings: bool,  # noqa: FBT001  # moto calls it so
        mode: str = "merge",
    ) -> Any:
        if "swagger" not in api_doc:
            return put(backend, function_id, api_doc, fail_on_warnings, mode)
        backend.get_rest_api(function_id)  # raises where there is none
        put(backend, function_id, _converted(api_doc), fail_on_warnings, mode)
        api = backend.get_rest_api(function_id)
        api.name = api_doc["info"]["title"]
        api.binaryMediaTypes = list(api_doc.get("x-amazon-apigateway-binary-media-types", ()))
        for path, methods in api_doc["paths"].items():
            resource = api.get_resource_for_path(path)
            for name, method in methods.items():
                made = resource.resource_methods[_method(name)]
                made.authorization_type = _authorization(api_doc, method)
        return api

    return put_rest_api


def _converted(document: Document) -> dict[str, Any]:
    """Return the document as moto reads it; what is not embedded is refused, not left out."""
    paths = {
        path: {
            _method(name).lower(): _with_integration(path, each) for name, each in methods.items()
        }
        for path, methods in document["paths"].items()
    }
    return {"openapi": "3.0.1", "info": document["info"], "paths": paths}


def _method(name: str) -> str:
    from moto.apigateway.exceptions import BadRequestException

    if name == ANY_METHOD:
        return "ANY"
    if name.lower() not in METHODS:
        raise BadRequestException(f"{name!r} in a path of the document is not embedded")
    return name.upper()


def _with_integration(path: str, method: Document) -> dict[str, Any]:
    from moto.apigateway.exceptions import BadRequestException

    given = method.get(INTEGRATION)
    if given is None:
        raise BadRequestException(f"No integration defined for a method of {path}")
    upper = {name: given[name].upper() for name in ("type", "passthroughBehavior") if name in given}
    return {**method, INTEGRATION: {"uri": "", "httpMethod": "POST", **given, **upper}}


def _authorization(document: Document, method: Document) -> str:
    """Return how a method's callers are told: AWS_IAM where they sign, NONE where all may call."""
    from moto.apigateway.exceptions import BadRequestException

    schemes = [name for each in method.get("security", ()) for name in each]
    if not schemes:
        return "NONE"
    defined = document.get("securityDefinitions", {})
    for name in schemes:
        if defined.get(name, {}).get(AUTHORIZATION) != SIGNED:
            raise BadRequestException(f"The security scheme {name!r} is not embedded")
    return "AWS_IAM"


def _delete(backend: Any, function_id: str) -> Any:
    """Delete an API; one that is not there is an error.

    https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteRestApi.html
    """
    api = backend.get_rest_api(function_id)
    del backend.apis[function_id]
    return api


def _deployed(deploy: Callable[..., Any]) -> Callable[..., Any]:
    """Deploy to a stage that is there without making it anew.

    https://docs.aws.amazon.com/apigateway/latest/api/API_CreateDeployment.html
    """

    def deployed(api: Any, name: str, description: str = "", variables: Any = None) -> Any:
        before = api.stages.get(name)
        deployment = deploy(api, name, description, variables)
        if before is not None:
            before.deployment_id = deployment.id
            before.variables = {**before.variables, **(variables or {})}
            api.stages[name] = before
        return deployment

    return deployed


def _deploying(answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Switch the tracing of a stage on or off where the deployment says so."""

    def deploying(response: Any) -> Any:
        told = answer(response)
        traced, stage = response._get_param("tracingEnabled"), response._get_param("stageName")
        if traced is not None and stage:
            api = response.backend.get_rest_api(response.path.split("/")[2])
            api.stages[stage].tracing_enabled = str(traced).lower() == "true"
        return told

    return deploying
