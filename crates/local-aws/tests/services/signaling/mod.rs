//! Signaling with a real WebSocket client: `connecting`, `messages`, `endings`, `ice_servers`,
//! `outages` and `storage` each test one part of it.

mod connecting;
mod endings;
mod ice_servers;
mod messages;
mod outages;
mod signed_url;
mod storage;
mod support;
