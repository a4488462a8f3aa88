//! Faults through the real function binaries over the local cloud.
