//! The routes, each of which stands with its handler.

use crate::app::Route;
use crate::{callback, instructions, keys, status};

/// The routes.
pub static ROUTES: &[&Route] = &[
    &callback::DATA_DELETION,
    &callback::DEAUTHORIZE,
    &status::LOOK_UP,
    &status::STATUS,
    &status::RECEIPT,
    &instructions::ENGLISH,
    &instructions::SPANISH,
    &keys::KEYS,
];
