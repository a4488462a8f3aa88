//! Signaling with a real WebSocket client: `connecting`, `messages`, `endings` and `ice_servers`
//! each test one part of it.

mod connecting;
mod endings;
mod ice_servers;
mod messages;
mod signed_url;
mod support;
