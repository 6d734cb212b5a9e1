//! The project's commands, and the local stack that they and the tests run on.

pub mod account;
mod aging;
pub mod audit;
pub mod chaos;
pub mod check;
pub mod conformance;
mod copies;
pub mod emulator;
mod erasing;
pub mod export;
pub mod functions;
pub mod fuzz;
pub mod meta;
pub mod openapi;
pub mod pages;
pub mod progress;
pub mod project;
pub mod python;
pub mod receipt;
pub mod released;
pub mod replay;
mod sheets;
pub mod stack;
pub mod tables;
pub mod template;
pub mod up;
