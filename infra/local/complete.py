"""What the emulator accepts in a template and then forgets.

These are time to live, point-in-time recovery, and the HTTP API's routes. This module reads them
from the template as the stack has it, and makes further calls. So there is no second description of
the stack. On AWS none of this runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from aws import REGION, Failure, Json, client, pages


def complete(endpoint: str, cloudformation: Any, stack: Json) -> None:
    """Does what the template of the stack asks for and the emulator left out."""
    name = stack["StackName"]
    processed = cloudformation.get_template(StackName=name, TemplateStage="Processed")
    template = processed["TemplateBody"]
    if isinstance(template, str):
        template = json.loads(template)
    physical = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in pages(
            cloudformation, "list_stack_resources", "StackResourceSummaries", StackName=name
        )
    }
    for logical, resource in template["Resources"].items():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::DynamoDB::Table":
            complete_table(client(endpoint, "dynamodb"), physical[logical], properties)
        elif resource["Type"] == "AWS::ApiGatewayV2::Api":
            body = resolver(stack, physical)(properties["Body"])
            complete_api(client(endpoint, "apigatewayv2"), physical[logical], body)


def resolver(stack: Json, physical: dict[str, str]) -> Callable[[Any], Any]:
    """A function that replaces Ref and Fn::Sub as CloudFormation does.

    Of attributes it knows the ARN of a function, which is all that an API's document asks for.
    """
    account = stack["StackId"].split(":")[4]
    values: dict[str, str] = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}
    values |= physical
    values |= {
        "AWS::AccountId": account,
        "AWS::Partition": "aws",
        "AWS::Region": REGION,
        "AWS::StackName": stack["StackName"],
        "AWS::URLSuffix": "amazonaws.com",
    }

    def value_of(name: str) -> str:
        if name.endswith(".Arn"):
            function = values[name.removesuffix(".Arn")]
            return f"arn:aws:lambda:{REGION}:{account}:function:{function}"
        return values[name]

    def resolve(node: Any) -> Any:
        if isinstance(node, list):
            return [resolve(item) for item in node]
        if not isinstance(node, dict):
            return node
        if set(node) == {"Ref"}:
            return value_of(node["Ref"])
        if set(node) == {"Fn::Sub"}:
            return re.sub(r"\$\{([^}]+)}", lambda found: value_of(found[1]), node["Fn::Sub"])
        return {key: resolve(item) for key, item in node.items()}

    return resolve


def complete_table(dynamodb: Any, table: str, properties: Json) -> None:
    """Switches time to live and point-in-time recovery on where the template wants them."""
    wanted = properties.get("TimeToLiveSpecification")
    found = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if wanted and found["TimeToLiveStatus"] != "ENABLED":
        dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=wanted)
    wanted = properties.get("PointInTimeRecoverySpecification")
    found = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    if wanted and found["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] != "ENABLED":
        dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=wanted)


def complete_api(gateway: Any, api: str, body: Json) -> None:
    """Makes the API's authorizers, integrations and routes those of its OpenAPI document."""
    authorizers = complete_authorizers(gateway, api, body)
    integrations = {
        found["IntegrationUri"]: found["IntegrationId"]
        for found in pages(gateway, "get_integrations", "Items", ApiId=api)
    }
    stale = {r["RouteKey"]: r for r in pages(gateway, "get_routes", "Items", ApiId=api)}
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            uri = operation["x-amazon-apigateway-integration"]["uri"]
            if uri not in integrations:
                integrations[uri] = gateway.create_integration(
                    ApiId=api,
                    IntegrationType="AWS_PROXY",
                    IntegrationUri=uri,
                    PayloadFormatVersion="2.0",
                )["IntegrationId"]
            route = {
                "RouteKey": f"{method.upper()} {path}",
                "Target": f"integrations/{integrations[uri]}",
                **authorization(operation, authorizers),
            }
            found = stale.pop(route["RouteKey"], None)
            if found is None:
                gateway.create_route(ApiId=api, **route)
            elif any(found.get(key) != value for key, value in route.items()):
                gateway.update_route(ApiId=api, RouteId=found["RouteId"], **route)
    for route in stale.values():
        gateway.delete_route(ApiId=api, RouteId=route["RouteId"])


def complete_authorizers(gateway: Any, api: str, body: Json) -> dict[str, str]:
    """Creates or updates the JWT authorizers; returns their ids by name."""
    ids = {
        found["Name"]: found["AuthorizerId"]
        for found in pages(gateway, "get_authorizers", "Items", ApiId=api)
    }
    for name, scheme in body["components"]["securitySchemes"].items():
        wanted = scheme["x-amazon-apigateway-authorizer"]
        request = {
            "ApiId": api,
            "Name": name,
            "AuthorizerType": "JWT",
            "IdentitySource": [wanted["identitySource"]],
            "JwtConfiguration": {
                "Issuer": wanted["jwtConfiguration"]["issuer"],
                "Audience": wanted["jwtConfiguration"]["audience"],
            },
        }
        if name in ids:
            gateway.update_authorizer(AuthorizerId=ids[name], **request)
        else:
            ids[name] = gateway.create_authorizer(**request)["AuthorizerId"]
    return ids


def authorization(operation: Json, authorizers: dict[str, str]) -> Json:
    """How a route is protected; only one that says NONE is public."""
    match [name for entry in operation.get("security", []) for name in entry]:
        case ["NONE"]:
            return {"AuthorizationType": "NONE"}
        case [name] if name in authorizers:
            return {"AuthorizationType": "JWT", "AuthorizerId": authorizers[name]}
        case other:
            raise Failure(f"a route names the authorizers {other}; known are {list(authorizers)}")
