//! A TCP socket with its TLS, if any: plain bytes on our side, what is counted on the other.

use std::io::{self, IoSlice, Read, Write};

use mio::net::TcpStream;

use crate::counters::Counters;

#[derive(Debug)]
pub struct Wire {
    pub socket: TcpStream,
    tls: Option<Box<rustls::Connection>>,
    /// Sent and not counted yet.
    written: usize,
    /// Read and given back: comes again before anything else.
    unread: Vec<u8>,
}

impl Wire {
    pub fn new(socket: TcpStream, tls: Option<Box<rustls::Connection>>) -> Self {
        let _ = socket.set_nodelay(true);
        Self { socket, tls, written: 0, unread: Vec::new() }
    }

    pub fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Whether TLS records wait.
    pub fn wants_write(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Bytes sent since the last call.
    pub fn take_written(&mut self) -> usize {
        std::mem::take(&mut self.written)
    }

    /// Give back what was read too far. The next `fill` needs room for all of it.
    pub fn unread(&mut self, bytes: &[u8]) {
        self.unread = bytes.to_vec();
    }

    pub fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Queue TLS's goodbye behind everything else: a client ignores what follows it. Whether there is one.
    pub fn end_tls(&mut self) -> bool {
        self.tls.as_mut().map(|tls| tls.send_close_notify()).is_some()
    }

    /// Plain bytes; `None`: nothing more now; 0: the end.
    pub fn fill(&mut self, scratch: &mut [u8], counters: &Counters) -> io::Result<Option<usize>> {
        if self.has_unread() {
            let unread = std::mem::take(&mut self.unread);
            scratch[..unread.len()].copy_from_slice(&unread);
            return Ok(Some(unread.len()));
        }
        loop {
            let result = match &mut self.tls {
                None => self.socket.read(scratch).inspect(|size| counters.bytes_received.add(*size)),
                Some(tls) => tls.reader().read(scratch),
            };
            match (result, &mut self.tls) {
                (Ok(size), _) => return Ok(Some(size)),
                (Err(error), _) if error.kind() == io::ErrorKind::Interrupted => {}
                (Err(error), None) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                (Err(error), Some(tls)) if error.kind() == io::ErrorKind::WouldBlock => {
                    match tls.read_tls(&mut self.socket) {
                        Ok(0) => return Ok(Some(0)),
                        Ok(size) => counters.bytes_received.add(size),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                        Err(error) => return Err(error),
                    }
                    let processed = tls.process_new_packets();
                    // The handshake's answer, or the alert that says what was wrong.
                    if tls.wants_write() {
                        let _ =
                            tls.write_tls(&mut self.socket).inspect(|size| counters.bytes_sent.add(*size));
                    }
                    if let Err(error) = processed {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                    }
                }
                (Err(error), _) => return Err(error),
            }
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.tls.is_none() {
            return self.socket.write_vectored(slices).inspect(|size| self.written += size);
        }
        self.flush()?;
        let Some(tls) = &mut self.tls else { return Ok(0) };
        if tls.wants_write() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let size = tls.writer().write_vectored(slices)?;
        self.flush()?;
        if size == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(size) }
    }

    /// Send the records that wait. A full socket is no error.
    fn flush(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                match tls.write_tls(&mut self.socket) {
                    Ok(size) => self.written += size,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}
