//! The container's health checks: `GET /health` answers while the process runs, `GET /ready` while
//! it also receives messages.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use lambda_support::Env;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::capacity::Capacity;
use crate::config::health_port;
use crate::error::Error;
use crate::stop::Stop;

/// How long a container's health check waits, in real time.
const LIMIT: Duration = Duration::from_secs(4);

/// Listens on a port of every interface, as an orchestrator's health checks need it.
///
/// # Errors
/// The port is in use.
pub(crate) async fn bind(port: u16) -> Result<TcpListener, Error> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await;
    listener.map_err(|source| Error::Port { port, source })
}

/// Answers the container's health checks.
pub(crate) async fn serve(listener: TcpListener, capacity: Capacity, stop: Stop) {
    let address = listener.local_addr().ok();
    tracing::info!(port = address.map(|address| address.port()), "serving health checks");
    let ready = move || async move {
        match (stop.is_requested(), capacity.free()) {
            (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
            (_, 0) => (StatusCode::SERVICE_UNAVAILABLE, "full\n"),
            _ => (StatusCode::OK, "receiving\n"),
        }
    };
    let router = Router::new().route("/health", get(|| async { "alive\n" }));
    if let Err(error) = axum::serve(listener, router.route("/ready", get(ready))).await {
        tracing::error!(%error, "the health checks are not served any more");
    }
}

/// Requests `/health` of the worker in this container. The container's health check runs this
/// program, because its image has no shell.
///
/// # Errors
/// It does not answer.
pub(crate) async fn check(env: &Env) -> Result<(), Error> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, health_port(env)?));
    let answer = timeout(LIMIT, request(address)).await;
    match answer.map_err(std::io::Error::from).flatten() {
        Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => Ok(()),
        Ok(answer) => Err(Error::Unhealthy(answer.lines().next().unwrap_or_default().to_owned())),
        Err(error) => Err(Error::Unhealthy(error.to_string())),
    }
}

async fn request(address: SocketAddr) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    connection
        .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    connection.take(1024).read_to_string(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::capacity::Bounds;
    use crate::sessions::Sessions;

    async fn status(port: u16, path: &str) -> String {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        let end = answer.rsplit("\r\n").next().unwrap_or_default();
        format!("{} {}", answer.split(' ').nth(1).unwrap_or_default(), end.trim())
    }

    #[tokio::test]
    async fn a_worker_is_alive_also_when_it_receives_nothing() {
        let (request, stop) = watch::channel(None);
        let sessions = Sessions::default();
        let bounds = Bounds { sessions: 1, cpu: 1.0, memory: 1.0 };
        let capacity = Capacity::new(bounds, sessions.clone());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(serve(listener, capacity, Stop::follow(stop)));
        assert_eq!(status(port, "/ready").await, "200 receiving");
        let run = sessions.begin();
        assert_eq!(status(port, "/ready").await, "503 full");
        assert_eq!(status(port, "/health").await, "200 alive");
        drop(run);
        request.send_replace(Some(tokio::time::Instant::now()));
        assert_eq!(status(port, "/ready").await, "503 stopping");
        let name = port.to_string();
        let env = || Env::from_pairs([("HEALTH_PORT", name.as_str())]);
        check(&env()).await.unwrap();
        server.abort();
        let _ = server.await;
        assert!(matches!(check(&env()).await, Err(Error::Unhealthy(_))));
    }
}
