//! The product's own code on real databases: dynoxide in this process, and MiniStack.
//!
//! What only one of them accepts is a bug, so most tests run on both: `on_dynoxide` always,
//! `on_ministack` when `cargo xtask test` says where one is. The functions are called as Lambda
//! calls them, at an hour of the test's choosing; [`wire::Wire`] sees each request to the database,
//! and lets a test step in between any two.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod cloud;
#[macro_use]
mod database;
mod in_process;
mod shop;
mod webhook;
mod wire;

mod attestation;
mod audit;
mod doors;
mod erasure;
mod every_kind;
mod expiry;
mod export;
mod held_rows;
mod inbox;
mod intake;
mod interrupted;
mod lateness;
mod order;
mod retention;
mod store;
mod swept;
mod tax;
mod time_travel;
mod worker;
