"""Who may call which route, held against the translated template: part of check_template.py.

Every route of every HTTP API needs the token of a JWT authorizer, except those that PUBLIC names. What
is not named is shut, so a new route cannot be forgotten. Every route is throttled, and one that shows what an id
stands for without a token has limits of its own.
"""

from resolve import of_type
from spoil import Spoiler

# The public routes, each with the condition under which it is one; None: always.
PUBLIC = {
    "GET /health": None,
    "GET /sessions/{sessionId}": "SessionViewIsPublic",
}
# How many requests a route takes, from all callers together: what the stage says of every route, and of these.
THROTTLED = {"ThrottlingRateLimit": {"Ref": "RequestsPerSecond"}, "ThrottlingBurstLimit": {"Ref": "RequestBurst"}}
OWN_LIMITS = {
    "GET /sessions/{sessionId}": {
        "ThrottlingRateLimit": {"Ref": "ViewsPerSecond"}, "ThrottlingBurstLimit": {"Ref": "ViewBurst"}},
}
STAGE = "AWS::ApiGatewayV2::Stage"
# What else would let a caller in, past the API's document.
OTHER_DOORS = {"AWS::ApiGatewayV2::Route", "AWS::ApiGateway::Method", "AWS::Lambda::Url"}


def operations(body: dict):
    """Each route of an API's document with what stands there for it."""
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield f"{method.upper()} {path}", operation


def jwt_authorizers(body: dict) -> set[str]:
    """The names under which the document has a JWT authorizer with an issuer and an audience."""
    names = set()
    for name, scheme in body.get("components", {}).get("securitySchemes", {}).items():
        authorizer = scheme.get("x-amazon-apigateway-authorizer", {})
        checks = authorizer.get("jwtConfiguration", {})
        header = authorizer.get("identitySource") == "$request.header.Authorization"
        if authorizer.get("type") == "jwt" and header and checks.get("issuer") and checks.get("audience"):
            names.add(name)
    return names


def is_shut(security: object, authorizers: set[str]) -> bool:
    """Whether one of these authorizers, and nothing beside it, decides."""
    return isinstance(security, list) and len(security) == 1 and len(security[0]) == 1 \
        and set(security[0]) <= authorizers


def wrong_with(route: str, security: object, authorizers: set[str]) -> str | None:
    """What is wrong with who may call a route."""
    if is_shut(security, authorizers):
        return f"{route} is on the list of public routes and needs a token" if route in PUBLIC else None
    if route not in PUBLIC:
        return f"{route} has no JWT authorizer and is not on the list of public routes"
    condition = PUBLIC[route]
    if condition is None:
        return None if security == [{"NONE": []}] else f"{route} is neither open nor shut: {security}"
    choice = security.get("Fn::If", []) if isinstance(security, dict) else []
    is_right = len(choice) == 3 and choice[:2] == [condition, [{"NONE": []}]]
    if is_right and is_shut(choice[2], authorizers):
        return None
    return f"{route} must be public if {condition}, else have a JWT authorizer: {security}"


def wrong_with_limits(resources: dict) -> list[str]:
    """What is wrong with how the stages throttle."""
    wrong = []
    stages = of_type(resources, STAGE)
    for name, stage in stages.items():
        for key, wanted in (("DefaultRouteSettings", THROTTLED), ("RouteSettings", OWN_LIMITS)):
            if stage.get(key) != wanted:
                wrong.append(f"{name}: its {key} are {stage.get(key)}, not {wanted}")
    return wrong if stages else ["there is no stage, so nothing is throttled"]


def check(resources: dict) -> list[str]:
    """What is wrong with the routes of a translated template."""
    wrong, seen = wrong_with_limits(resources), set()
    for name, resource in resources.items():
        if resource["Type"] in OTHER_DOORS:
            wrong.append(f"{name}: {resource['Type']} lets callers in beside the API's document")
        if resource["Type"] != "AWS::ApiGatewayV2::Api":
            continue
        body = resource["Properties"]["Body"]
        authorizers = jwt_authorizers(body)
        for route, operation in operations(body):
            seen.add(route)
            wrong.append(wrong_with(route, operation.get("security"), authorizers))
    wrong += [f"{route} is on the list of public routes and not there" for route in PUBLIC.keys() - seen]
    return [reason for reason in wrong if reason]


def check_would_notice(resources: dict) -> list[str]:
    """Opens each door in turn, in a copy: a check that lets one pass is worth nothing."""
    opened = Spoiler("check_routes", check, resources)

    def body(changed: dict) -> dict:
        apis = [it for it in changed.values() if it["Type"] == "AWS::ApiGatewayV2::Api"]
        return apis[0]["Properties"]["Body"]

    def put(route: str, security: object):
        return lambda changed: dict(operations(body(changed)))[route].update(security=security)

    for route, _ in operations(body(resources)):
        if PUBLIC.get(route, "shut") is not None:
            for security in (None, [], [{"NONE": []}], [{"Nobody": []}], [{}], [{"SpeakerToken": []}, {}]):
                opened(f"{route} with security {security}", put(route, security))
    for route, condition in PUBLIC.items():
        if condition:
            shut, public = [{"SpeakerToken": []}], [{"NONE": []}]
            for choice in ([condition, shut, public], [condition, public, public], ["Other", public, shut]):
                opened(f"{route} with {choice}", put(route, {"Fn::If": choice}))
    scheme = "x-amazon-apigateway-authorizer"
    for name, definition in body(resources)["components"]["securitySchemes"].items():
        for part in definition[scheme]:
            opened(f"the authorizer {name} without {part}", lambda changed, name=name, part=part: (
                body(changed)["components"]["securitySchemes"][name][scheme].pop(part)))
    for name in of_type(resources, STAGE):
        for key in ("DefaultRouteSettings", "RouteSettings"):
            opened(f"{name} without {key}", lambda changed, name=name, key=key: changed[name]["Properties"].pop(key))
        opened(f"{name} with another limit", lambda changed, name=name: (
            changed[name]["Properties"]["DefaultRouteSettings"].update(ThrottlingRateLimit=10_000)))
    opened("a function's own URL", lambda changed: changed.update(Url={"Type": "AWS::Lambda::Url"}))
    opened("a new route", lambda changed: body(changed)["paths"].update({"/new": {"get": {}}}))
    return opened.unnoticed
