//! End to end on a deployed stack: the real template, IAM enforced, everything over HTTP and AWS
//! APIs.
//!
//! `cargo xtask test` deploys a stack and names its state file in `NUMIB_STACK`.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod accounts;
mod attestation;
mod canary;
mod chaos;
mod deletion;
mod deployed;
mod doors;
mod erasure;
mod expiry;
mod exports;
mod inbox;
mod intake;
mod lateness;
mod matrix;
mod replay;
mod role_limits;
mod roles;
mod sign_in;
