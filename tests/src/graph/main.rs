//! The room that calls Meta, against servers on loopback: what goes out, how answers are read, and
//! what becomes of a call when the way to Meta fails.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod answers;
mod login;
mod requests;
mod secrecy;
mod stand_in;
mod wire;
