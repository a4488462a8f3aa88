//! Faults in the middle of a GetMedia body: cut, end, stall, an error tag, endless Void, damaged
//! bytes.

use std::io;
use std::time::Duration;

use axum::body::Bytes;
use serde_json::Value;

use crate::faults::{Fault, FaultKind};

use super::document;
use super::reader::Reader;

/// Real time between the last byte before a cut and the cut.
const FLUSH: Duration = Duration::from_millis(20);

/// The header of a Void element of 2^48 bytes, and the pieces of its content.
const VOID: &[u8] = &[0xEC, 0x01, 0x01, 0, 0, 0, 0, 0, 0];
const FILLER: &[u8] = &[0; 1024];

/// The fault on one body. Without one, the body is unchanged.
#[derive(Debug, Default)]
pub(super) struct BodyFault {
    fault: Option<Fault>,
    /// Bytes until the position of the fault.
    passing: usize,
    /// The rest of a piece that the fault split.
    held: Option<Bytes>,
    /// Bytes that are still to be damaged.
    damage: usize,
    /// The interval between pieces of a Void element, once that fault has begun.
    void: Option<Duration>,
    over: bool,
}

impl BodyFault {
    /// The fault of a call, applied after `extra.afterBytes` bytes (default 0). An error tag and a
    /// Void element are sent after the fragment at that position.
    pub(super) fn new(fault: Option<Fault>) -> Self {
        let passing = fault.as_ref().map_or(0, |fault| extra(fault, "afterBytes", 0));
        Self { fault, passing, ..Self::default() }
    }

    /// Sets another fault, which applies after `extra.afterBytes` further bytes. `None` changes
    /// nothing.
    pub(super) fn replace(&mut self, fault: Option<Fault>) {
        if let Some(fault) = fault {
            self.passing = extra(&fault, "afterBytes", 0);
            self.fault = Some(fault);
        }
    }

    /// Returns the next piece of the body, with the fault applied.
    pub(super) async fn next(&mut self, reader: &mut Reader) -> Option<io::Result<Bytes>> {
        loop {
            if !self.over
                && let Some(last) = self.apply_fault(reader).await
            {
                self.over = true;
                return Some(last);
            }
            if self.over {
                return None;
            }
            let mut piece = match (self.held.take(), self.void) {
                (Some(held), _) => held,
                (None, Some(wait)) => {
                    tokio::time::sleep(wait).await;
                    Bytes::from_static(FILLER)
                }
                (None, None) => reader.next().await?,
            };
            if let Some(fault) = &self.fault {
                if !waits(fault.kind) && piece.len() > self.passing {
                    self.held = Some(piece.split_off(self.passing));
                }
                self.passing = self.passing.saturating_sub(piece.len());
            }
            if self.damage > 0 {
                piece = self.spoil(&piece);
            }
            if !piece.is_empty() {
                return Some(Ok(piece));
            }
        }
    }

    /// Applies the fault once its position is reached. Returns the last item of the body, if it
    /// ends.
    async fn apply_fault(&mut self, reader: &Reader) -> Option<io::Result<Bytes>> {
        let kind = self.fault.as_ref().filter(|_| self.passing == 0)?.kind;
        if waits(kind) && !reader.is_between_fragments() {
            return None;
        }
        let fault = self.fault.take()?;
        match kind {
            FaultKind::Cut => {
                // While the body waits, the connection sends what it has: the reader gets it all.
                tokio::time::sleep(FLUSH).await;
                Some(Err(io::Error::other("cut on demand")))
            }
            FaultKind::End => {
                self.over = true;
                None
            }
            FaultKind::ErrorTag => {
                let id = u32::try_from(extra(&fault, "errorId", 5000)).unwrap_or(5000);
                let code = fault.extra.get("errorCode").and_then(Value::as_str);
                let code = code.unwrap_or_else(|| document::error_code(id));
                Some(Ok(document::error(id, code, &reader.last_number())))
            }
            FaultKind::Stall => {
                tokio::time::sleep(fault.delay()).await;
                None
            }
            FaultKind::Void => {
                self.void = Some(fault.delay());
                self.held = Some(Bytes::from_static(VOID));
                None
            }
            FaultKind::Damage => {
                self.damage = extra(&fault, "bytes", 16);
                None
            }
            _ => None,
        }
    }

    /// Inverts every bit of the next bytes that are to be damaged.
    fn spoil(&mut self, piece: &Bytes) -> Bytes {
        let damaged = self.damage.min(piece.len());
        self.damage -= damaged;
        let mut bytes = piece.to_vec();
        bytes.iter_mut().take(damaged).for_each(|byte| *byte = !*byte);
        Bytes::from(bytes)
    }
}

/// Returns whether a fault applies only between two fragments.
fn waits(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::ErrorTag | FaultKind::Void)
}

/// Returns a whole number of a fault's `extra`.
fn extra(fault: &Fault, member: &str, default: usize) -> usize {
    fault
        .extra
        .get(member)
        .and_then(Value::as_u64)
        .and_then(|number| usize::try_from(number).ok())
        .unwrap_or(default)
}
