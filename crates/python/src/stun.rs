//! STUN messages, as Python reads and builds them.

use headgate_engine::turn::request::Frame;
use headgate_engine::turn::response::{Integrity, Response};
use pyo3::create_exception;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::arguments::address;

create_exception!(headgate._engine, MalformedStun, PyValueError);

const ERROR_CODE: u16 = 0x0009;
const PEER: u16 = 0x0012;
/// Types below 0x8000 that requests may have (RFC 8489 18.3, RFC 8656 18, RFC 6062 6.2).
const KNOWN: [u16; 22] = [
    0x0001, 0x0006, 0x0008, 0x0009, 0x000a, 0x000c, 0x000d, 0x0012, 0x0013, 0x0014, 0x0015, 0x0016, 0x0017,
    0x0018, 0x0019, 0x001a, 0x001c, 0x001d, 0x001e, 0x0020, 0x0022, 0x002a,
];

#[pyclass(frozen, module = "headgate._engine")]
pub struct StunMessage {
    frame: Frame,
    data: Py<PyBytes>,
    transaction: Py<PyBytes>,
    attributes: Py<PyDict>,
    peers: Py<PyList>,
    unknown: Vec<u16>,
}

impl StunMessage {
    pub fn read(py: Python<'_>, data: Bound<'_, PyBytes>) -> PyResult<Self> {
        let (attributes, peers) = (PyDict::new(py), PyList::empty(py));
        let mut unknown = Vec::new();
        let mut failed = Ok(());
        let bytes = data.as_bytes();
        let frame = Frame::read(bytes, |kind, value| {
            let value = PyBytes::new(py, bytes.get(value).unwrap_or_default());
            let result = if kind == PEER {
                peers.append(value)
            } else {
                attributes.contains(kind).and_then(|seen| {
                    if seen {
                        return Ok(()); // RFC 8489 14: of several, the first counts
                    }
                    if kind < 0x8000 && !KNOWN.contains(&kind) {
                        unknown.push(kind);
                    }
                    attributes.set_item(kind, value)
                })
            };
            if failed.is_ok() {
                failed = result;
            }
        });
        failed?;
        let frame = frame.map_err(MalformedStun::new_err)?;
        let transaction = PyBytes::new(py, bytes.get(8..20).unwrap_or_default()).unbind();
        let (attributes, peers) = (attributes.unbind(), peers.unbind());
        Ok(Self { frame, data: data.unbind(), transaction, attributes, peers, unknown })
    }
}

#[pymethods]
impl StunMessage {
    #[new]
    #[pyo3(signature = (data, /))]
    fn new(py: Python<'_>, data: Bound<'_, PyBytes>) -> PyResult<Self> {
        Self::read(py, data)
    }

    #[getter]
    fn data(&self, py: Python<'_>) -> Py<PyBytes> {
        self.data.clone_ref(py)
    }

    #[getter]
    fn method(&self) -> u16 {
        self.frame.method
    }

    #[getter]
    fn message_class(&self) -> u8 {
        self.frame.class
    }

    #[getter]
    fn transaction(&self, py: Python<'_>) -> Py<PyBytes> {
        self.transaction.clone_ref(py)
    }

    #[getter]
    fn attributes(&self, py: Python<'_>) -> Py<PyDict> {
        self.attributes.clone_ref(py)
    }

    #[getter]
    fn peers(&self, py: Python<'_>) -> Py<PyList> {
        self.peers.clone_ref(py)
    }

    #[getter]
    fn unknown(&self) -> Vec<u16> {
        self.unknown.clone()
    }

    #[getter]
    fn integrity_at(&self) -> usize {
        self.frame.integrity_at
    }

    #[getter]
    fn integrity_sha256_at(&self) -> usize {
        self.frame.integrity_sha256_at
    }

    #[getter]
    fn fingerprint_at(&self) -> usize {
        self.frame.fingerprint_at
    }

    #[getter]
    fn is_protected(&self) -> bool {
        self.frame.is_protected()
    }

    #[pyo3(signature = (key, /))]
    fn holds(&self, py: Python<'_>, key: &[u8]) -> bool {
        self.frame.holds(self.data.as_bytes(py), key)
    }

    fn fingerprint_holds(&self, py: Python<'_>) -> bool {
        self.frame.fingerprint_holds(self.data.as_bytes(py))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let Frame { method, class, .. } = self.frame;
        let mut transaction = [0; 16];
        transaction[4..].copy_from_slice(self.transaction.as_bytes(py).get(..12).unwrap_or(&[0; 12]));
        let transaction = u128::from_be_bytes(transaction);
        format!("<StunMessage method={method:#05x} class={class} {transaction:024x}>")
    }
}

/// `None`: it is finished.
#[pyclass(module = "headgate._engine")]
pub struct StunAnswer(Option<Response>);

impl StunAnswer {
    fn response(&mut self) -> PyResult<&mut Response> {
        self.0.as_mut().ok_or_else(|| PyRuntimeError::new_err("the message is finished"))
    }
}

fn fits(added: bool) -> PyResult<()> {
    if added { Ok(()) } else { Err(PyValueError::new_err("it does not fit into a message")) }
}

#[pymethods]
impl StunAnswer {
    #[new]
    #[pyo3(signature = (method, message_class, transaction, /))]
    fn new(method: u16, message_class: u8, transaction: &[u8]) -> PyResult<Self> {
        let transaction = transaction.try_into().map_err(|_| PyValueError::new_err("no transaction"))?;
        Ok(Self(Some(Response::new(method, message_class, transaction))))
    }

    #[pyo3(signature = (attribute, value, /))]
    fn add<'py>(mut slf: PyRefMut<'py, Self>, attribute: u16, value: &[u8]) -> PyResult<PyRefMut<'py, Self>> {
        fits(slf.response()?.add(attribute, value))?;
        Ok(slf)
    }

    #[pyo3(signature = (attribute, value, /))]
    fn add_number(mut slf: PyRefMut<'_, Self>, attribute: u16, value: u32) -> PyResult<PyRefMut<'_, Self>> {
        fits(slf.response()?.add(attribute, &value.to_be_bytes()))?;
        Ok(slf)
    }

    #[pyo3(signature = (code, reason=None, /))]
    fn add_error<'py>(
        mut slf: PyRefMut<'py, Self>,
        code: u16,
        reason: Option<&[u8]>,
    ) -> PyResult<PyRefMut<'py, Self>> {
        let value = [&[0, 0, (code / 100) as u8, (code % 100) as u8], reason.unwrap_or_default()].concat();
        fits(slf.response()?.add(ERROR_CODE, &value))?;
        Ok(slf)
    }

    #[pyo3(signature = (attribute, host, port, /))]
    fn add_xor_address<'py>(
        mut slf: PyRefMut<'py, Self>,
        attribute: u16,
        host: &str,
        port: u16,
    ) -> PyResult<PyRefMut<'py, Self>> {
        fits(slf.response()?.add_xor_address(attribute, address(host, port)?))?;
        Ok(slf)
    }

    #[pyo3(signature = (*, key=None, integrity=20, fingerprint=false))]
    fn finish<'py>(
        &mut self,
        py: Python<'py>,
        key: Option<&[u8]>,
        integrity: u8,
        fingerprint: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let integrity = match integrity {
            20 => Integrity::Sha1,
            32 => Integrity::Sha256,
            other => return Err(PyValueError::new_err(format!("no integrity has {other} bytes"))),
        };
        let response =
            self.0.take().ok_or_else(|| PyRuntimeError::new_err("the message is finished already"))?;
        Ok(PyBytes::new(py, &response.finish(key.map(|key| (key, integrity)), fingerprint)))
    }
}
