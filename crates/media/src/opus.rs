//! Opus in Matroska: what a packet and OpusHead say by themselves (RFC 6716, RFC 7845), and the
//! decoder around libopus.

mod decoder;
mod head;
mod toc;

pub use decoder::OpusDecoder;
pub use head::OpusHead;
pub use toc::Toc;
