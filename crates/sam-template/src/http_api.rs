//! `AWS::Serverless::HttpApi`, its JWT authorizers, and the routes of functions' events.

use std::time::Duration;

use super::definition;
use super::draft::{Authorizers, Draft, PendingRoute};
use super::reader::{Properties, at};
use super::throttle::RouteSettings;
use super::{HttpApi, JwtAuthorizer, Route, Template, TemplateError, cors};

/// Maximum timeout of an HTTP API's integration (API Gateway quotas).
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Deployment properties that have no effect here.
const WITHOUT_EFFECT: [&str; 6] =
    ["AccessLogSettings", "Description", "FailOnWarnings", "Name", "StageVariables", "Tags"];

/// The id of the API of routes without an ApiId, which SAM creates implicitly.
const IMPLICIT: &str = "ServerlessHttpApi";

/// Adds an API.
///
/// # Errors
/// A property that is missing, wrong or unknown.
pub(super) fn read(
    draft: &mut Draft,
    id: &str,
    name: String,
    mut properties: Properties,
) -> Result<(), TemplateError> {
    let mut authorizers = Authorizers::default();
    if let Some(mut auth) = properties.part("Auth")? {
        authorizers.default = auth.text("DefaultAuthorizer")?;
        for (name, part) in auth.named_parts("Authorizers")? {
            authorizers.by_name.insert(name.clone(), jwt_authorizer(name, part)?);
        }
        auth.finish(&[])?;
    }
    if let Some(default) = &authorizers.default
        && !authorizers.by_name.contains_key(default)
    {
        return Err(at(id, format!("there is no authorizer {default}")));
    }
    authorizers.definition = definition::read(&mut properties)?;
    authorizers.settings = RouteSettings::read(&mut properties)?;
    let cors = match (cors::of_sam(&mut properties)?, authorizers.definition.cors.take()) {
        (Some(_), Some(_)) => {
            return Err(at(id, "CorsConfiguration and the DefinitionBody both set CORS"));
        }
        (one, other) => one.or(other),
    };
    let stage = properties.text("StageName")?.unwrap_or_else(|| "$default".to_owned());
    draft.template.http_apis.push(HttpApi {
        logical_id: id.to_owned(),
        id: name,
        stage,
        routes: vec![],
        cors,
    });
    draft.authorizers.insert(id.to_owned(), authorizers);
    properties.finish(&WITHOUT_EFFECT)
}

fn jwt_authorizer(name: String, mut part: Properties) -> Result<JwtAuthorizer, TemplateError> {
    let source = part.text("IdentitySource")?;
    if source.as_deref().is_some_and(|source| source != "$request.header.Authorization") {
        return Err(part.wrong("IdentitySource", "must be $request.header.Authorization"));
    }
    let scopes = part.texts("AuthorizationScopes")?;
    let mut jwt =
        part.part("JwtConfiguration")?.ok_or_else(|| part.wrong("JwtConfiguration", "missing"))?;
    let issuer = jwt.needed("issuer")?;
    let audience = jwt.texts("audience")?;
    jwt.finish(&[])?;
    part.finish(&[])?;
    Ok(JwtAuthorizer { name, issuer, audience, scopes })
}

/// Reads a function's `HttpApi` event.
///
/// # Errors
/// A property that is missing, wrong or unknown.
pub(super) fn read_event(
    draft: &mut Draft,
    function: &str,
    mut properties: Properties,
) -> Result<(), TemplateError> {
    let mut pending = PendingRoute {
        api: properties.text("ApiId")?,
        route: Route {
            method: properties.needed("Method")?.to_uppercase(),
            path: properties.needed("Path")?,
            function: function.to_owned(),
            authorizer: None,
            timeout: properties
                .number("TimeoutInMillis", 50..=30_000)?
                .map_or(LONGEST_WAIT, Duration::from_millis),
            throttle: None,
        },
        place: properties.place().to_owned(),
        authorizer: None,
        scopes: Vec::new(),
    };
    if !pending.route.path.starts_with('/') {
        return Err(properties.wrong("Path", "must begin with /"));
    }
    if let Some(mut auth) = properties.part("Auth")? {
        pending.authorizer = auth.text("Authorizer")?;
        pending.scopes = auth.texts("AuthorizationScopes")?;
        auth.finish(&[])?;
    }
    let version = properties.text("PayloadFormatVersion")?;
    if version.as_deref().is_some_and(|version| version != "2.0") {
        return Err(properties.wrong("PayloadFormatVersion", "only 2.0 is supported"));
    }
    draft.routes.push(pending);
    properties.finish(&[])
}

/// Assigns its API and its authorizer to every route.
///
/// # Errors
/// The API or authorizer does not exist, or a route is declared twice.
pub(super) fn connect(draft: &mut Draft) -> Result<(), TemplateError> {
    for mut route in std::mem::take(&mut draft.routes) {
        let api = find_api(&mut draft.template, &route)?;
        let authorizers = draft.authorizers.entry(api.logical_id.clone()).or_default();
        if let Some(security) = authorizers.definition.security.remove(&route.route.key()) {
            if route.authorizer.is_some() {
                let reason = "its event and the DefinitionBody both set its authorizer";
                return Err(at(&route.place, reason));
            }
            (route.authorizer, route.scopes) = (Some(security.authorizer), security.scopes);
        }
        route.route.throttle = authorizers.settings.take(&route.route.key());
        let authorizers = authorizers.clone();
        let wanted = route.authorizer.or(authorizers.default).filter(|name| name != "NONE");
        if let Some(name) = wanted {
            let mut authorizer = authorizers.by_name.get(&name).cloned().ok_or_else(|| {
                at(&route.place, format!("{} has no authorizer {name}", api.logical_id))
            })?;
            if !route.scopes.is_empty() {
                authorizer.scopes = route.scopes;
            }
            route.route.authorizer = Some(authorizer);
        }
        if api.routes.iter().any(|other| other.key() == route.route.key()) {
            return Err(at(&route.place, format!("{} is declared twice", route.route.key())));
        }
        api.routes.push(route.route);
    }
    for (api, authorizers) in &draft.authorizers {
        if let Some(key) = authorizers.definition.security.keys().next() {
            let reason = format!("no function has the event {key}");
            return Err(at(&format!("{api}.DefinitionBody"), reason));
        }
        if let Some(key) = authorizers.settings.left() {
            let reason = format!("no function has the event {key}");
            return Err(at(&format!("{api}.RouteSettings"), reason));
        }
    }
    Ok(())
}

fn find_api<'t>(
    template: &'t mut Template,
    route: &PendingRoute,
) -> Result<&'t mut HttpApi, TemplateError> {
    if route.api.is_none() && !template.http_apis.iter().any(|api| api.logical_id == IMPLICIT) {
        template.http_apis.push(HttpApi {
            logical_id: IMPLICIT.to_owned(),
            id: format!("local-{IMPLICIT}"),
            stage: "$default".to_owned(),
            routes: Vec::new(),
            cors: None,
        });
    }
    let wanted = route.api.as_deref();
    template
        .http_apis
        .iter_mut()
        .find(|api| match wanted {
            // !Ref of an API returns its id; its logical id as plain text is accepted too.
            Some(wanted) => api.id == wanted || api.logical_id == wanted,
            None => api.logical_id == IMPLICIT,
        })
        .ok_or_else(|| at(&route.place, format!("there is no API {}", wanted.unwrap_or(IMPLICIT))))
}
