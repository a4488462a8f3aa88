//! Sends documents to the X-Ray daemon, one in each UDP datagram
//! (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html>).

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};

use serde_json::Value;

/// The line before each document.
const HEADER: &[u8] = b"{\"format\": \"json\", \"version\": 1}\n";
/// Maximum length of a document in bytes: X-Ray's, and that of a datagram with its header.
const MAX_DOCUMENT: usize = 64_000;

/// The X-Ray daemon.
#[derive(Debug)]
pub struct Daemon(UdpSocket);

impl Daemon {
    /// Returns the daemon at `AWS_XRAY_DAEMON_ADDRESS`. `None`: the variable is not set, or is not
    /// an address.
    pub fn of_process() -> Option<Arc<Self>> {
        static DAEMON: OnceLock<Option<Arc<Daemon>>> = OnceLock::new();
        let connected = || {
            let value = std::env::var("AWS_XRAY_DAEMON_ADDRESS").ok()?;
            let daemon = address(&value).map(Self::connect);
            match daemon {
                Some(Ok(daemon)) => Some(Arc::new(daemon)),
                other => {
                    let error = other.and_then(Result::err);
                    tracing::warn!(value, ?error, "no traces: AWS_XRAY_DAEMON_ADDRESS is unusable");
                    None
                }
            }
        };
        DAEMON.get_or_init(connected).clone()
    }

    /// Creates a socket that sends to `address`.
    ///
    /// # Errors
    /// No socket is available.
    pub fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_nonblocking(true)?;
        socket.connect(address)?;
        Ok(Self(socket))
    }

    /// Sends a document. One that is too long or cannot be sent at once is dropped.
    pub(super) fn send(&self, document: &Value) {
        let mut datagram = HEADER.to_vec();
        if serde_json::to_writer(&mut datagram, document).is_ok()
            && datagram.len() <= HEADER.len() + MAX_DOCUMENT
            && let Err(error) = self.0.send(&datagram)
        {
            tracing::debug!(%error, "a trace document was not sent");
        }
    }
}

/// Reads `IP:PORT`, or `tcp:IP:PORT udp:IP:PORT`, as the X-Ray SDKs do. A host name is not
/// resolved, because that would wait.
fn address(value: &str) -> Option<SocketAddr> {
    let mut addresses = value.split_whitespace().filter(|one| !one.starts_with("tcp:"));
    addresses.find_map(|one| one.strip_prefix("udp:").unwrap_or(one).parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_address_are_read() {
        let lambda: SocketAddr = "169.254.79.129:2000".parse().unwrap();
        assert_eq!(address("169.254.79.129:2000"), Some(lambda));
        assert_eq!(address("tcp:127.0.0.1:1 udp:169.254.79.129:2000"), Some(lambda));
        assert_eq!(address("daemon:2000"), None);
        assert_eq!(address(""), None);
    }

    #[test]
    fn a_document_that_is_too_long_is_dropped() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let daemon = Daemon::connect(receiver.local_addr().unwrap()).unwrap();
        daemon.send(&Value::String("x".repeat(MAX_DOCUMENT)));
        daemon.send(&Value::Bool(true));
        let mut buffer = [0; 100];
        let length = receiver.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"{\"format\": \"json\", \"version\": 1}\ntrue");
    }
}
