//! HTTP APIs: who may take which route, what a route takes and answers, and what is recorded of it.

pub mod access;
pub mod account_keys;
pub mod answered;
pub mod audit;
pub mod body;
pub mod call;
pub mod described;
pub mod desk;
pub mod done;
pub mod erase;
pub mod invite;
pub mod invoices;
pub mod once;
pub mod page;
pub mod policy;
pub mod route;
pub mod serve;
pub mod version;
pub mod who;
