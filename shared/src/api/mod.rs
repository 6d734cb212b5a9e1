//! HTTP APIs: who may take which route, what a route takes and answers, and what is recorded of it.

pub mod answered;
pub mod audit;
