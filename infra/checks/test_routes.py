"""The authorization and throttling of every route.

A route requires the token of a JWT authorizer unless PUBLIC lists it. Every route is throttled, and
a route that looks up an id without a token has limits of its own.
"""

import pytest

from mutations import at, broken, drop, mutation, put
from resolve import of_type
from template import TRANSLATED

RESOURCES = TRANSLATED["Resources"]
# The public routes, each with the condition under which it is public; None: always.
PUBLIC = {"GET /health": None, "GET /sessions/{sessionId}": "SessionViewIsPublic"}
LIMITS = {
    "DefaultRouteSettings": {
        "ThrottlingRateLimit": {"Ref": "RequestsPerSecond"}, "ThrottlingBurstLimit": {"Ref": "RequestBurst"}},
    "RouteSettings": {"GET /sessions/{sessionId}": {
        "ThrottlingRateLimit": {"Ref": "ViewsPerSecond"}, "ThrottlingBurstLimit": {"Ref": "ViewBurst"}}},
}
API, STAGE = "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage"
# Other types that accept requests, outside the API's document.
OTHER_ENTRANCES = {"AWS::ApiGatewayV2::Route", "AWS::ApiGateway::Method", "AWS::Lambda::Url"}
AUTHORIZER = "x-amazon-apigateway-authorizer"
BODY = ("SessionApi", "Properties", "Body")


def operations(body: dict):
    """Yields each route of an API's document with its operation."""
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield f"{method.upper()} {path}", operation


def jwt_authorizers(body: dict) -> set[str]:
    """Returns the names of the JWT authorizers that have an issuer and an audience."""
    names = set()
    for name, scheme in body.get("components", {}).get("securitySchemes", {}).items():
        authorizer = scheme.get(AUTHORIZER, {})
        jwt = authorizer.get("jwtConfiguration", {})
        in_header = authorizer.get("identitySource") == "$request.header.Authorization"
        if authorizer.get("type") == "jwt" and in_header and jwt.get("issuer") and jwt.get("audience"):
            names.add(name)
    return names


def is_protected(security: object, authorizers: set[str]) -> bool:
    """Returns whether exactly one of these authorizers decides."""
    return isinstance(security, list) and len(security) == 1 and len(security[0]) == 1 \
        and set(security[0]) <= authorizers


def problem(route: str, security: object, authorizers: set[str]) -> str | None:
    """Returns what is wrong with the authorization of a route, or None."""
    if is_protected(security, authorizers):
        return f"{route} is in PUBLIC and requires a token" if route in PUBLIC else None
    if route not in PUBLIC:
        return f"{route} has no JWT authorizer and is not in PUBLIC"
    condition = PUBLIC[route]
    if condition is None:
        return None if security == [{"NONE": []}] else f"{route} is neither public nor protected: {security}"
    choice = security.get("Fn::If", []) if isinstance(security, dict) else []
    if len(choice) == 3 and choice[:2] == [condition, [{"NONE": []}]] and is_protected(choice[2], authorizers):
        return None
    return f"{route} must be public if {condition} and require a token otherwise: {security}"


def problems(resources: dict) -> list[str]:
    """Returns what is wrong with the routes of a translated template."""
    stages = of_type(resources, STAGE)
    found = [] if stages else ["there is no stage, so no throttling"]
    found += [f"{name}: {key} is {stage.get(key)}, not {limits}" for name, stage in stages.items()
              for key, limits in LIMITS.items() if stage.get(key) != limits]
    found += [f"{name}: {it['Type']} accepts requests outside the API's document" for name, it in resources.items()
              if it["Type"] in OTHER_ENTRANCES]
    routes = {}
    for api in of_type(resources, API).values():
        authorizers = jwt_authorizers(api["Body"])
        routes |= {route: problem(route, it.get("security"), authorizers) for route, it in operations(api["Body"])}
    found += [f"{route} is in PUBLIC and does not exist" for route in PUBLIC.keys() - routes]
    return found + [reason for reason in routes.values() if reason]


def test_routes_are_protected_and_throttled():
    assert problems(RESOURCES) == []


def secured(route: str, security: object):
    """Returns a change of a route's authorization."""
    return lambda resources: dict(operations(at(resources, BODY)))[route].update(security=security)


def mutations():
    """Yields the routes without protection, and the API with other entrances or without limits."""
    for route, _ in operations(at(RESOURCES, BODY)):
        if PUBLIC.get(route, "protected") is not None:
            for security in (None, [], [{"NONE": []}], [{"Unknown": []}], [{}], [{"SpeakerToken": []}, {}]):
                yield mutation(f"{route} with {security}", secured(route, security))
    view, token, public = "GET /sessions/{sessionId}", [{"SpeakerToken": []}], [{"NONE": []}]
    for name, choice in {"inverted": (PUBLIC[view], token, public), "always-public": (PUBLIC[view], public, public),
                         "other-condition": ("Other", public, token)}.items():
        yield mutation(f"{view} {name}", secured(view, {"Fn::If": list(choice)}))
    authorizer = (*BODY, "components", "securitySchemes", "SpeakerToken", AUTHORIZER)
    for part in at(RESOURCES, authorizer):
        yield mutation(f"authorizer-without-{part}", drop(*authorizer, part))
    stage = ("SessionApiApiGatewayDefaultStage", "Properties")
    for key in LIMITS:
        yield mutation(f"without-{key}", drop(*stage, key))
    yield mutation("other-limit", put(*stage, "DefaultRouteSettings", ThrottlingRateLimit=10_000))
    yield mutation("function-url", put(Url={"Type": "AWS::Lambda::Url"}))
    yield mutation("new-route", put(*BODY, "paths", **{"/new": {"get": {}}}))
    yield mutation("public-route-gone", drop(*BODY, "paths", "/health"))


@pytest.mark.parametrize("change", list(mutations()))
def test_detects(change):
    assert problems(broken(RESOURCES, change))
