//! The rooms that every NUMIB privacy function shares.
//!
//! One direction, each room entered once: a webhook body goes through [`meta`] (verify, parse to
//! updates), [`domain`] (what to store, until when), [`seal`] (encrypt) and [`store`] (write).
//! [`erasure`] takes all of it away again, [`retention`] what is too old. [`graph`] makes the calls
//! to Meta. [`identity`] is who signs in. [`edge`] is the rim: configuration, clients, telemetry,
//! e-mail and HTTP errors. [`api`] is what the functions behind the HTTP API have in common.
//! Whoever has many requests to make has [`concurrent`] run so many of them at once.
//!
//! Invariants, stated as absences: `domain` has no I/O, no clock and no randomness; `store` never
//! opens what it stores; nothing outside `store::schema` spells a key, an index or an attribute;
//! no type that carries personal data can be printed.

pub mod api;
pub mod archive;
pub mod concurrent;
pub mod domain;
pub mod edge;
pub mod erasure;
pub mod graph;
mod guarded_body;
pub mod identity;
pub mod meta;
pub mod retention;
pub mod seal;
pub mod store;
