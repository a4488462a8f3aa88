//! The X-Ray daemon of one function: receives documents by UDP and passes them on with the
//! credentials of the function's role
//! (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html>).

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use sam_template::Function;
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use super::XRay;
use super::document::MAX_DOCUMENT;
use crate::iam::Iam;

/// Maximum length of the line before the documents, in bytes.
const MAX_HEADER: usize = 100;

/// X-Ray, and the daemon of each function. The default has no daemons.
#[derive(Debug, Clone, Default)]
pub struct Daemons {
    service: Arc<XRay>,
    /// By deployed name.
    addresses: BTreeMap<String, SocketAddr>,
}

impl Daemons {
    /// Starts a daemon for each function on a free port, until `stop`.
    ///
    /// # Errors
    /// No port is available.
    pub(crate) async fn start(
        service: &Arc<XRay>,
        functions: &[Function],
        iam: &Arc<Iam>,
        stop: &CancellationToken,
    ) -> std::io::Result<Self> {
        let mut addresses = BTreeMap::new();
        for function in functions {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            addresses.insert(function.name.clone(), socket.local_addr()?);
            let (service, iam) = (Arc::clone(service), Arc::clone(iam));
            tokio::spawn(run(socket, service, function.clone(), iam, stop.clone()));
        }
        Ok(Self { service: Arc::clone(service), addresses })
    }

    /// Returns the service.
    pub(crate) fn service(&self) -> Arc<XRay> {
        Arc::clone(&self.service)
    }

    /// Returns the address of a function's daemon.
    pub(crate) fn address(&self, function: &Function) -> Option<SocketAddr> {
        self.addresses.get(&function.name).copied()
    }
}

/// Receives documents until `stop`.
async fn run(
    socket: UdpSocket,
    service: Arc<XRay>,
    function: Function,
    iam: Arc<Iam>,
    stop: CancellationToken,
) {
    let mut buffer = vec![0; MAX_HEADER + MAX_DOCUMENT + 1];
    loop {
        let received = tokio::select! {
            () = stop.cancelled() => return,
            received = socket.recv(&mut buffer) => received,
        };
        // An error belongs to one datagram.
        let Ok(length) = received else { continue };
        if let Err(reason) = service.receive(&buffer[..length], &function, &iam) {
            tracing::warn!("X-Ray daemon of {}: {reason}", function.name);
        }
    }
}

impl XRay {
    /// Takes one datagram: a header, and documents on a line each.
    fn receive(&self, datagram: &[u8], function: &Function, iam: &Iam) -> Result<(), String> {
        let text = std::str::from_utf8(datagram).map_err(|error| error.to_string())?;
        let (header, documents) = text.split_once('\n').ok_or("a datagram without a header")?;
        let header: Value = serde_json::from_str(header).unwrap_or_default();
        if header != json!({ "format": "json", "version": 1 }) {
            return Err(format!("the header {header} is not supported"));
        }
        iam.may_trace(function).map_err(|denied| denied.to_string())?;
        for document in documents.lines().filter(|line| !line.trim().is_empty()) {
            self.put(document).map_err(|unprocessed| unprocessed.to_string())?;
        }
        Ok(())
    }
}
