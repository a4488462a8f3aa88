//! Starts the services in this process, and shuts them down.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::data_folder::DataFolder;
use crate::error::Error;
use crate::faults::Faults;
use crate::options::Options;
use crate::server;
use crate::services::Services;
use crate::tls::TlsListener;

/// How long [`LocalAws::shutdown`] waits for function processes, in real time. They are killed, so
/// it is short.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// Starts the services on one port of 127.0.0.1 and serves them on the current Tokio runtime until
/// the returned handle is shut down or dropped. When this returns, requests are answered.
///
/// # Errors
/// The port is in use; the template cannot be read or asks for something that is not supported; a
/// parameter names something that does not exist here; the data folder is in use or cannot be
/// written.
pub async fn start(options: Options) -> Result<LocalAws, Error> {
    let listener = TcpListener::bind(("127.0.0.1", options.port))
        .await
        .map_err(|source| Error::Port { port: options.port, source })?;
    let address = listener.local_addr().map_err(Error::io("the port"))?;
    let data = DataFolder::open(options.data.as_deref())?;
    let stop = CancellationToken::new();
    // Dropped by an error below: stops what has been started and removes a temporary folder.
    let guard = stop.clone().drop_guard();
    let url = format!("http://{address}");
    let mut services = Services::new(&options, &data, url, &stop).await?;
    let tls = match options.tls_port {
        Some(port) => {
            let bound = TlsListener::bind(port).await;
            Some(bound.map_err(|source| Error::Port { port, source })?)
        }
        None => None,
    };
    if let Some(listener) = &tls {
        services.secure(listener.endpoint().map_err(Error::io("the TLS port"))?);
    }
    let services = Arc::new(services);
    services.events.start(stop.clone());
    tokio::spawn(Arc::clone(&services.lambda).reap());
    let (lambda, sqs) = (Arc::clone(&services.lambda), Arc::clone(&services.sqs));
    let kvs = Arc::clone(&services.kvs);
    tokio::spawn(Arc::clone(&services.cloudwatch).run(lambda, sqs, kvs, stop.clone()));
    let plain = server::serve(listener, Arc::clone(&services), services.base_url.clone());
    let secure = tls
        .zip(services.tls.as_ref())
        .map(|(tls, at)| server::serve(tls, Arc::clone(&services), at.url.clone()));
    let server = tokio::spawn(async move {
        tokio::join!(plain, async {
            if let Some(secure) = secure {
                secure.await;
            }
        });
    });
    // When this returns, the instances take invocations, as those of a published version do.
    services.lambda.keep_instances(options.workers).await;
    Ok(LocalAws { services, stop: guard.disarm(), server, _data: data })
}

/// Running services. [`LocalAws::shutdown`] ends them in order; dropping the handle stops them
/// without waiting for function processes to exit.
#[derive(Debug)]
pub struct LocalAws {
    services: Arc<Services>,
    stop: CancellationToken,
    server: JoinHandle<()>,
    /// Held until the end: dropping it removes a temporary folder.
    _data: DataFolder,
}

impl LocalAws {
    /// Returns the address of every service, for example `http://127.0.0.1:40123`: the endpoint URL
    /// for AWS clients, and the base URL of the HTTP API.
    pub fn url(&self) -> &str {
        &self.services.base_url
    }

    /// Returns the address of the same services over TLS, if they are served so.
    pub fn tls_url(&self) -> Option<&str> {
        self.services.tls.as_ref().map(|tls| tls.url.as_str())
    }

    /// Returns the clock that the services run on.
    pub fn clock(&self) -> &Clock {
        &self.services.clock
    }

    /// Returns the pending faults, to which a test adds its own.
    pub fn faults(&self) -> &Faults {
        &self.services.faults
    }

    /// Returns the services themselves, for assertions on their state.
    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// Kills the processes of functions, workers and of the recogniser, waits for up to five
    /// seconds until those of functions and workers have exited, and stops every service.
    pub async fn shutdown(self) {
        self.stop.cancel();
        let (functions, workers) = (self.services.lambda.ended(), self.services.tasks.ended());
        let ended = async { tokio::join!(functions, workers) };
        if tokio::time::timeout(SHUTDOWN_LIMIT, ended).await.is_err() {
            tracing::warn!("processes did not exit within 5 s");
        }
        if let Some(recogniser) = &self.services.recogniser {
            recogniser.ended().await;
        }
    }
}

impl Drop for LocalAws {
    fn drop(&mut self) {
        self.stop.cancel();
        self.server.abort();
    }
}
