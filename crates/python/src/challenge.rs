//! What strangers are asked, and how often: made by Python, and used by both sides.

use std::sync::Arc;

use headgate_engine::turn::address_budget::AddressBudget as Budget;
use headgate_engine::turn::{challenge, nonces};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arguments::ip;

#[pyclass(frozen, module = "headgate._engine")]
pub struct Nonces(Arc<nonces::Nonces>);

#[pymethods]
impl Nonces {
    #[new]
    #[pyo3(signature = (*, lifetime, key_lifetime, now))]
    fn new(lifetime: f64, key_lifetime: f64, now: f64) -> PyResult<Self> {
        let nonces = nonces::Nonces::new(lifetime, key_lifetime, now);
        nonces.map(|nonces| Self(Arc::new(nonces))).ok_or_else(|| PyOSError::new_err("no randomness"))
    }

    #[pyo3(signature = (client, *, now))]
    fn make<'py>(&self, py: Python<'py>, client: &[u8], now: f64) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.make(client, now))
    }

    #[pyo3(signature = (nonce, client, *, now))]
    fn holds(&self, nonce: &[u8], client: &[u8], now: f64) -> bool {
        self.0.holds(nonce, client, now)
    }
}

#[pyclass(frozen, module = "headgate._engine")]
pub struct AddressBudget(Arc<Budget>);

#[pymethods]
impl AddressBudget {
    #[new]
    #[pyo3(signature = (*, per_second))]
    fn new(per_second: u32) -> Self {
        Self(Arc::new(Budget::new(per_second)))
    }

    #[getter]
    fn per_second(&self) -> u32 {
        self.0.per_second()
    }

    #[setter]
    fn set_per_second(&self, per_second: u32) {
        self.0.set_per_second(per_second);
    }

    #[getter]
    fn refused(&self) -> u64 {
        self.0.refused.get()
    }

    #[pyo3(signature = (host, *, now))]
    fn admits(&self, host: &str, now: f64) -> PyResult<bool> {
        Ok(self.0.admits(ip(host)?, now))
    }
}

#[derive(FromPyObject)]
pub struct Challenge {
    methods: Vec<u16>,
    attributes: Vec<u8>,
    nonce_at: usize,
    nonces: Py<Nonces>,
    budget: Py<AddressBudget>,
    now: f64,
}

impl Challenge {
    pub fn convert(self) -> PyResult<challenge::Challenge> {
        let (nonces, budget) = (Arc::clone(&self.nonces.get().0), Arc::clone(&self.budget.get().0));
        let Self { methods, attributes, nonce_at, now, .. } = self;
        challenge::Challenge::new(methods, attributes, nonce_at, nonces, budget, now)
            .map_err(PyValueError::new_err)
    }
}
