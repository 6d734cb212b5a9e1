//! Decisions: pure functions of their inputs, `now` included.
//!
//! Nothing here performs I/O, reads a clock or an environment, or draws randomness, so every rule
//! of retention and ordering is tested without a database.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

#[macro_use]
mod words;

pub mod account;
pub mod attestation;
pub mod audit;
pub mod calendar;
pub mod callback;
pub mod connection;
pub mod consent;
pub mod data_kind;
pub mod deadline;
pub mod erasure;
pub mod export;
pub mod fold;
pub mod hex;
pub mod hold;
pub mod ids;
pub mod invoice;
pub mod key_window;
pub mod login;
pub mod personal;
pub mod plan;
pub mod policy;
pub mod profile;
pub mod reference;
pub mod role;
pub mod row;
pub mod sealed;
pub mod tally;
pub mod time;
pub mod update;
pub mod work;
