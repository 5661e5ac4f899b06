//! The shares of descriptors.

use headgate_engine::descriptors;
use pyo3::prelude::*;

#[pyfunction]
pub fn left_by_players(limit: u64) -> u64 {
    descriptors::left_by_players(limit)
}

#[pyfunction]
pub fn left_by_relays(limit: u64) -> u64 {
    descriptors::left_by_relays(limit)
}
