//! Functions of a message and a key.

use headgate_engine::turn::integrity;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

#[pyfunction]
#[pyo3(signature = (key, message, /))]
pub fn hmac_sha1<'py>(py: Python<'py>, key: &[u8], message: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, integrity::hmac_sha1(key, message).as_ref())
}

#[pyfunction]
#[pyo3(signature = (key, message, /))]
pub fn hmac_sha256<'py>(py: Python<'py>, key: &[u8], message: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, integrity::hmac_sha256(key, message).as_ref())
}
