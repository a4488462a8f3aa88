//! A start that cannot work is refused with one line that names the cause and the next step.

use std::path::{Path, PathBuf};

use local_aws::Options;

fn deployed_template() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/template.yaml")
}

async fn refusal(options: Options) -> String {
    let refusal = local_aws::start(options).await.unwrap_err().to_string();
    assert!(!refusal.contains('\n'), "{refusal}");
    refusal
}

async fn refusal_of(name: &str, value: &str) -> String {
    let parameters = [(name.to_owned(), value.to_owned())].into();
    refusal(Options { template: Some(deployed_template()), parameters, ..Options::default() }).await
}

#[tokio::test]
async fn a_processor_that_does_not_run_here_is_refused_with_the_functions_that_do() {
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:mine";
    let refusal = refusal_of("AudioProcessorFunctionArn", arn).await;
    let reason = "parameter AudioProcessorFunctionArn: no function mine runs here, only ";
    assert!(refusal.starts_with(reason), "{refusal}");
    for part in ["kvs-stream-consumer-dev", "session-http-handler-dev", "--processor"] {
        assert!(refusal.contains(part), "{part}: {refusal}");
    }
}

#[tokio::test]
async fn another_web_socket_api_is_refused_with_what_stands_in_for_it() {
    for (name, value) in
        [("WebSocketApiEndpoint", "https://ws.example.com"), ("WebSocketApiId", "a1b2c3d4e5")]
    {
        let refusal = refusal_of(name, value).await;
        assert!(refusal.starts_with(&format!("parameter {name}: only ")), "{refusal}");
        assert!(refusal.contains("/_local/connections/ID"), "{refusal}");
    }
}

#[tokio::test]
async fn a_parameter_that_the_template_lacks_or_rejects_is_refused() {
    let refusal = refusal_of("AudioProcessorArn", "x").await;
    assert!(refusal.ends_with("no such parameter: is it AudioProcessorFunctionArn?"), "{refusal}");
    let refusal = refusal_of("Architecture", "sparc").await;
    assert!(refusal.ends_with("\"sparc\" is none of AllowedValues: arm64, x86_64"), "{refusal}");
}

#[tokio::test]
async fn a_template_that_is_missing_endless_or_no_text_is_refused() {
    let template = |path: &str| Options { template: Some(path.into()), ..Options::default() };
    let missing = refusal(template("nowhere/template.yaml")).await;
    let folder = std::env::current_dir().unwrap();
    let reason = format!("nowhere/template.yaml: no such template in {} (", folder.display());
    assert!(missing.starts_with(&reason) && missing.contains("top of the repository"), "{missing}");
    let endless = refusal(template("/dev/zero")).await;
    assert!(endless.starts_with("/dev/zero: not a template: not a file"), "{endless}");
    let huge = std::env::temp_dir().join(format!("{}.yaml", std::process::id()));
    std::fs::write(&huge, vec![b'#'; 1_100_000]).unwrap();
    let refused = refusal(template(huge.to_str().unwrap())).await;
    assert!(refused.ends_with("more than 1 MB, the limit of CloudFormation"), "{refused}");
    std::fs::remove_file(huge).unwrap();
    let program = std::env::current_exe().unwrap();
    let binary = refusal(template(program.to_str().unwrap())).await;
    assert!(binary.contains("not a template"), "{binary}");
}

#[tokio::test]
async fn a_port_in_use_is_refused_with_how_to_choose_another() {
    let other = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = other.local_addr().unwrap().port();
    let refusal = refusal(Options { port, ..Options::default() }).await;
    assert!(refusal.starts_with(&format!("port {port}: ")), "{refusal}");
    assert!(refusal.contains("choose another port"), "{refusal}");
    let tls = self::refusal(Options { tls_port: Some(port), ..Options::default() }).await;
    assert!(tls.starts_with(&format!("port {port}: ")) && tls.contains("--tls-port"), "{tls}");
}
