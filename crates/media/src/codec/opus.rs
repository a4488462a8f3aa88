//! Opus in Matroska: packet headers and OpusHead (RFC 6716, RFC 7845), and a decoder around
//! libopus.

mod decoder;
mod head;
mod toc;

pub use decoder::OpusDecoder;
pub use head::OpusHead;
pub use toc::Toc;
