//! The rim: the environment, the clock, the clients, telemetry, and errors as HTTP.

pub mod address;
pub mod auth;
pub mod clients;
pub mod clock;
pub mod config;
pub mod fence;
pub mod mail;
pub mod problem;
pub mod queue;
pub mod secrets;
pub mod telemetry;
