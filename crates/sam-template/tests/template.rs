//! The template defines what runs: all of it is read, and unknown parts are refused by name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::Duration;

use sam_template::{LoadOptions, Template, TemplateError};
use serde_json::json;

const FIXTURE: &str = include_str!("fixtures/template.yaml");

fn options() -> LoadOptions {
    LoadOptions { base_url: "http://127.0.0.1:1".to_owned(), ..LoadOptions::default() }
}

/// Returns the text of the project's own template, and options with its folder.
fn own_template() -> (String, LoadOptions) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra");
    let text = std::fs::read_to_string(format!("{folder}/template.yaml")).unwrap();
    (text, LoadOptions { folder: Some(folder.into()), ..options() })
}

fn fixture() -> Template {
    Template::load(FIXTURE, &options()).unwrap()
}

/// Returns the error of the fixture with one text replaced.
fn refusal(old: &str, new: &str) -> String {
    assert!(FIXTURE.contains(old), "{old} is not in the fixture");
    Template::load(&FIXTURE.replacen(old, new, 1), &options()).unwrap_err().to_string()
}

#[test]
fn functions_have_their_globals_and_their_own() {
    let template = fixture();
    let names: Vec<_> = template.functions.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["echo-dev", "short-dev", "unstartable-dev"]);
    let echo = &template.functions[0];
    assert_eq!(echo.package, "echo");
    assert_eq!(echo.arn, "arn:aws:lambda:us-east-1:000000000000:function:echo-dev");
    assert_eq!((echo.timeout, echo.memory_mb), (Duration::from_secs(30), 256));
    assert_eq!(echo.environment["ENVIRONMENT"], "dev");
    assert_eq!(echo.environment["ITEMS_TABLE"], "Items-dev");
    assert_eq!(echo.environment["LOOP_ARN"], echo.arn);
    let dead_letters = "arn:aws:sqs:us-east-1:000000000000:dead-letters-dev";
    assert_eq!(echo.event_invoke.on_failure.as_deref(), Some(dead_letters));
    assert_eq!(echo.event_invoke.maximum_event_age, Duration::from_secs(3600));
    let short = &template.functions[1];
    assert_eq!(short.environment["ENVIRONMENT"], "short");
    assert_eq!((short.timeout, short.reserved_concurrency), (Duration::from_secs(1), Some(1)));
    assert_eq!((echo.tracing_active, short.tracing_active), (false, true));
    assert!(refusal("Tracing: Active", "Tracing: On").contains("none of Active, PassThrough"));
}

#[test]
fn the_projects_own_template_is_read_whole() {
    let (text, mut options) = own_template();
    let missing = Template::load(&text, &options).unwrap_err().to_string();
    assert!(missing.contains("--parameter Jwt"), "{missing}");
    options.fallbacks.insert("JwtIssuer".to_owned(), "http://127.0.0.1:1/_local".to_owned());
    options.fallbacks.insert("JwtAudience".to_owned(), "local".to_owned());
    let template = Template::load(&text, &options).unwrap();
    let mut names: Vec<_> = template.functions.iter().map(|it| it.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["audio-processor-dev", "kvs-stream-consumer-dev", "session-http-handler-dev"]
    );
    let tables: Vec<_> = template.tables.iter().map(|it| it.name.as_str()).collect();
    for table in ["Sessions-dev", "Streams-dev", "Connections-dev", "Processed-dev"] {
        assert!(tables.contains(&table), "{table} is not among {tables:?}");
    }
    let rules: Vec<_> = template.rules.iter().map(|it| it.name.as_str()).collect();
    assert!(rules.contains(&"session-lifecycle-dev") && rules.contains(&"kvs-health-check-dev"));
    let post = template.http_apis[0].routes.iter().find(|route| route.key() == "POST /sessions");
    assert_eq!(post.unwrap().authorizer.as_ref().unwrap().audience, ["local"]);

    assert_eq!(open_routes(&template), ["GET /health", "GET /sessions/{sessionId}"]);
    options.parameters.insert("PublicSessionView".to_owned(), "false".to_owned());
    let origins = "https://a.example,http://localhost:5173";
    options.parameters.insert("CorsAllowOrigins".to_owned(), origins.to_owned());
    let template = Template::load(&text, &options).unwrap();
    assert_eq!(open_routes(&template), ["GET /health"]);
    let cors = template.http_apis[0].cors.as_ref().unwrap();
    assert_eq!(cors.allow_origins, ["https://a.example", "http://localhost:5173"]);
    assert_eq!(cors.allow_methods, ["GET", "POST", "PATCH", "DELETE", "OPTIONS"]);
    for wrong in ["app.example.com", "https://a.example/", "https://*", "*,https://a.example", ""] {
        options.parameters.insert("CorsAllowOrigins".to_owned(), wrong.to_owned());
        let refusal = Template::load(&text, &options).unwrap_err().to_string();
        assert!(refusal.starts_with("CorsAllowOrigins: "), "{wrong}: {refusal}");
    }
}

#[test]
fn the_projects_own_template_is_read_with_everything_it_offers() {
    let (text, mut options) = own_template();
    let key = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555";
    for (name, value) in [
        ("JwtIssuer", "http://127.0.0.1:1/_local"),
        ("JwtAudience", "local"),
        ("Environment", "prod"),
        ("KmsKeyArn", key),
        ("ConsumerReservedConcurrency", "110"),
        ("AlarmEmail", "ops@example.com"),
        ("SpeakerIdentityPoolId", "us-east-1:11111111-2222-3333-4444-555555555555"),
        ("Profile", "core"),
    ] {
        options.parameters.insert(name.to_owned(), value.to_owned());
    }
    let template = Template::load(&text, &options).unwrap();
    let function = |name: &str| template.functions.iter().find(|it| it.package == name).unwrap();
    assert_eq!(function("session-http-handler").environment["KMS_KEY_ID"], key);
    assert_eq!(function("kvs-stream-consumer").reserved_concurrency, Some(110));
    let role = "arn:aws:iam::000000000000:role/session-speaker-prod-role";
    assert_eq!(template.outputs["SpeakerRoleArn"], role);
    let topic = "arn:aws:sns:us-east-1:000000000000:speech-alarms-prod";
    assert_eq!(template.outputs["AlarmTopicArn"], topic);
    assert!(template.archives.is_empty(), "core has no archive");
    assert!(!template.alarms.is_empty() && template.alarms.iter().all(|it| !it.is_composite));
    let actions = &template.alarms[0].properties["AlarmActions"];
    assert_eq!(*actions, json!([template.topics[0].arn]));
    assert_eq!(template.topics[0].subscriptions[0].endpoint, "ops@example.com");

    options.parameters.insert("KmsKeyArn".to_owned(), "alias/mine".to_owned());
    let refusal = Template::load(&text, &options).unwrap_err().to_string();
    assert!(refusal.starts_with("KmsKeyArn: "), "{refusal}");
}

#[test]
fn the_threshold_of_an_alarm_may_be_a_parameter() {
    let (text, mut options) = own_template();
    for name in ["JwtIssuer", "JwtAudience"] {
        options.parameters.insert(name.to_owned(), "http://127.0.0.1:1/_local".to_owned());
    }
    let template = Template::load(&text, &options).unwrap();
    let alarm = template.alarms.iter().find(|it| it.name == "kvs-active-streams-dev").unwrap();
    assert_eq!(alarm.properties["Threshold"], json!(20.0));
}

#[test]
fn resources_of_an_included_file_are_read_as_if_they_were_in_the_template() {
    let folder = tempfile();
    let text = "Resources: { Fn::Transform: { Name: AWS::Include, Parameters: { Location: more.yaml } }, \
                A: { Type: AWS::SQS::Queue } }";
    let load = |more: &str| {
        std::fs::write(folder.join("more.yaml"), more).unwrap();
        let options = LoadOptions { folder: Some(folder.clone()), ..options() };
        Template::load(text, &options).map_err(|error| error.to_string())
    };
    let alarm = "B: { Type: AWS::CloudWatch::Alarm, Properties: { AlarmName: { 'Fn::Sub': '${A.QueueName}-depth' } } }";
    let template = load(alarm).unwrap();
    assert_eq!(template.alarms[0].name, "local-A-depth");
    for (wrong, reason) in [
        ("B: { Type: !Ref A }", "long form only"),
        ("A: { Type: AWS::SQS::Queue }", "A is defined already"),
        ("[]", "not a map"),
    ] {
        let refusal = load(wrong).unwrap_err();
        assert!(refusal.contains("more.yaml") && refusal.contains(reason), "{refusal}");
    }
    let refusal = Template::load(text, &options()).unwrap_err().to_string();
    assert!(refusal.contains("no folder"), "{refusal}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Returns a new folder of this test's own.
fn tempfile() -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("sam-template-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Returns the routes that require no token.
fn open_routes(template: &Template) -> Vec<String> {
    let routes = template.http_apis.iter().flat_map(|api| &api.routes);
    let open = routes.filter(|route| route.authorizer.is_none());
    let mut open: Vec<_> = open.map(sam_template::Route::key).collect();
    open.sort_unstable();
    open
}

#[test]
fn routes_know_their_function_and_authorizer() {
    let template = fixture();
    let api = &template.http_apis[0];
    let route = |key: &str| api.routes.iter().find(|route| route.key() == key).unwrap();
    assert_eq!(route("GET /open/{name}").authorizer, None);
    let authorizer = route("POST /things").authorizer.as_ref().unwrap();
    assert_eq!(authorizer.issuer, "https://issuer.test");
    assert_eq!(authorizer.audience, ["sessions", "other"]);
    assert_eq!(route("POST /admin").authorizer.as_ref().unwrap().scopes, ["admin"]);
    assert_eq!(route("ANY /slow").function, "Short");
    assert_eq!(template.outputs["Url"], "http://127.0.0.1:1");
    assert_eq!(api.cors.as_ref().unwrap().max_age, Some(600));
}

#[test]
fn the_document_of_an_api_says_who_may_call_a_route_by_a_condition() {
    let doubtful = |template: &Template| {
        let routes = &template.http_apis[0].routes;
        let route = routes.iter().find(|route| route.key() == "GET /doubtful").unwrap();
        route.authorizer.as_ref().map(|authorizer| authorizer.scopes.clone())
    };
    assert_eq!(doubtful(&fixture()), None);
    let mut options = options();
    options.parameters.insert("Env".to_owned(), "prod".to_owned());
    let template = Template::load(FIXTURE, &options).unwrap();
    assert_eq!(doubtful(&template), Some(vec!["admin".to_owned()]));
}

#[test]
fn rules_queues_tables_and_archives_are_read() {
    let template = fixture();
    let rule = template.rules.iter().find(|rule| rule.name == "things-dev").unwrap();
    assert_eq!(rule.pattern.as_ref().unwrap()["source"], json!(["things"]));
    assert!(rule.enabled);
    assert_eq!(rule.targets[0].retry.maximum_retry_attempts, 2);
    let queue = &template.queues[0];
    assert_eq!(rule.targets[0].dead_letter_arn.as_ref(), Some(&queue.arn));
    assert_eq!(queue.url, "http://127.0.0.1:1/000000000000/dead-letters-dev");
    let condition = &queue.policies[0]["Statement"][0]["Condition"]["ArnEquals"]["aws:SourceArn"];
    assert_eq!(condition, &json!([rule.arn]));

    let tick = template.rules.iter().find(|rule| rule.name == "tick-dev").unwrap();
    assert_eq!(tick.schedule.as_deref(), Some("rate(5 minutes)"));
    assert_eq!(tick.targets[0].input.as_deref(), Some(r#"{"action":"tick"}"#));

    let table = &template.tables[0];
    assert_eq!(table.name, "Items-dev");
    assert_eq!(table.ttl_attribute.as_deref(), Some("expiresAt"));
    let index = &table.create["GlobalSecondaryIndexes"][0]["IndexName"];
    assert_eq!(index, "status-updatedAt-index");
    assert_eq!(template.archives[0].retention_days, 30);
}

#[test]
fn a_parameter_changes_what_depends_on_it() {
    let mut options = options();
    options.parameters.insert("Env".to_owned(), "prod".to_owned());
    let template = Template::load(FIXTURE, &options).unwrap();
    assert!(template.functions.iter().any(|function| function.logical_id == "OnlyProd"));
    assert!(!template.rules.iter().find(|rule| rule.name == "things-prod").unwrap().enabled);

    options.parameters.insert("Env".to_owned(), "test".to_owned());
    let error = Template::load(FIXTURE, &options).unwrap_err();
    assert!(matches!(error, TemplateError::At { place, .. } if place == "Env"));
    options.parameters = [("Nope".to_owned(), String::new())].into();
    assert!(Template::load(FIXTURE, &options).unwrap_err().to_string().starts_with("Nope: "));
}

#[test]
fn what_is_unknown_is_refused_by_name() {
    for (old, new, place) in [
        ("AWS::SQS::Queue\n", "AWS::S3::Bucket\n", "DeadLetters: "),
        ("      Timeout: 1\n", "      Timeouts: 1\n", "Short.Timeouts: "),
        ("      Timeout: 1\n", "      Timeout: 901\n", "Short.Timeout: "),
        ("Destination: !GetAtt DeadLetters.Arn", "Destination: !GetAtt Gone.Arn", "Echo: "),
        ("Destination: !GetAtt DeadLetters.Arn", "Destination: !GetAtt DeadLetters.Name", "Echo: "),
        ("DefaultAuthorizer: Jwt", "DefaultAuthorizer: Other", "Api: "),
        ("RetentionDays: 30", "Retention: 30", "Archive.Retention: "),
        ("MaximumRetryAttempts: 2, M", "MaximumRetryAttempts: 186, M", "Rule.Targets[0].RetryP"),
        ("Queues: [!Ref DeadLetters]", "Queues: [other]", "DeadLettersPolicy: "),
        ("  Function:\n    Runtime", "  Functions:\n    Runtime", "Globals.Functions: "),
        ("Type: Schedule", "Type: S3", "Echo.Events.Tick.Type: "),
        ("!Condition IsProd", "!Condition IsTest", "Rule: "),
        ("get: { security:", "get: { securities:", "Api.DefinitionBody.paths./doubtful.get.secur"),
        ("[NONE: []]", "[NONE: [], Jwt: []]", "Api.DefinitionBody.paths./doubtful.get.security: "),
        ("[NONE: []]", "[Nobody: []]", "Echo.Events.Doubtful"),
        ("Path: /doubtful }", "Path: /other }", "Api.DefinitionBody: "),
        ("Path: /doubtful }", "Path: /doubtful, Auth: { Authorizer: Jwt } }", "Echo.Events.Doubt"),
        (
            "          maxAge: 600",
            "          maxAges: 600",
            "Api.DefinitionBody.x-amazon-apigateway-c",
        ),
        ("      DefinitionBody:", "      CorsConfiguration: true\n      DefinitionBody:", "Api: "),
    ] {
        let refusal = refusal(old, new);
        assert!(refusal.starts_with(place), "{new}: {refusal}");
    }
}

/// Loads a function in a role of one statement, with `more` in the statement and `beside` among the
/// resources.
fn in_a_role(more: &str, beside: &str) -> Result<Template, TemplateError> {
    let text = format!(
        r#"
Conditions: {{ No: !Equals [a, b] }}
Resources:
  Echo:
    Type: AWS::Serverless::Function
    Properties: {{ FunctionName: echo, CodeUri: ../crates/echo, Role: !GetAtt EchoRole.Arn }}
  EchoRole:
    Type: AWS::IAM::Role
    Properties:
      RoleName: echo-role
      AssumeRolePolicyDocument: {{}}
      Policies:
        - PolicyName: Items
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - {{ Effect: Allow, Action: dynamodb:GetItem, Resource: !Sub "${{Items.Arn}}"{more} }}
        - !If [No, {{ PolicyName: Never }}, !Ref AWS::NoValue]
  Speakers:
    Type: AWS::IAM::Role
    Properties: {{ ManagedPolicyArns: [arn:aws:iam::aws:policy/Any], Policies: not read }}
  Items:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: items
      AttributeDefinitions: [{{ AttributeName: id, AttributeType: S }}]
      KeySchema: [{{ AttributeName: id, KeyType: HASH }}]
{beside}
"#
    );
    Template::load(&text, &options())
}

#[test]
fn only_the_roles_of_functions_are_read() {
    let template = in_a_role("", "").unwrap();
    let [role] = template.roles.as_slice() else { panic!("{:?}", template.roles) };
    assert_eq!(Some(&role.arn), template.functions[0].role.as_ref());
    assert_eq!((role.logical_id.as_str(), role.name.as_str()), ("EchoRole", "echo-role"));
    let [statement] = role.statements.as_slice() else { panic!("{:?}", role.statements) };
    assert_eq!((statement.sid.as_str(), statement.conditional), ("Items", false));
    assert_eq!(statement.actions, ["dynamodb:GetItem"]);
    assert_eq!(statement.resources, ["arn:aws:dynamodb:us-east-1:000000000000:table/items"]);
    let conditional = in_a_role(", Sid: S, Condition: { Bool: {} }", "").unwrap();
    let statement = &conditional.roles[0].statements[0];
    assert_eq!((statement.sid.as_str(), statement.conditional), ("S", true));
}

#[test]
fn what_a_role_says_beyond_its_statements_is_refused_by_name() {
    let statement = "EchoRole.Policies[0].PolicyDocument.Statement[0].";
    for (more, beside, refused) in [
        (", NotAction: a:B", "", format!("{statement}NotAction: ")),
        (", Principal: '*'", "", format!("{statement}Principal: ")),
        (
            "",
            "  More: { Type: AWS::IAM::Policy, Properties: { Roles: [!Ref EchoRole] } }",
            "More: local-cloud reads what EchoRole allows".to_owned(),
        ),
    ] {
        let refusal = in_a_role(more, beside).unwrap_err().to_string();
        assert!(refusal.starts_with(&refused), "{refusal}");
    }
    let other = "  More: { Type: AWS::IAM::Policy, Properties: { Roles: [!Ref Speakers] } }";
    assert!(in_a_role("", other).is_ok());
}

#[test]
fn a_template_without_resources_is_refused() {
    for text in ["", "Parameters: { P: { Type: String } }", "Resources: {}"] {
        let refusal = Template::load(text, &options()).unwrap_err().to_string();
        assert!(refusal.contains("Resources"), "{text}: {refusal}");
    }
}
