//! Listeners: opened, changed while they are open, beside each other.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpListener;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Engine, VerbError, value};
use crate::Handle;
use crate::beside::Ajar;
use crate::command::{Command, Door, FIRST};
use crate::connection::Listener;
use crate::rtsp::Limits;

const LISTEN_BACKLOG: i32 = 1024;

/// The arguments of `Engine::listen`; the fields are those of `engine.Listen`.
#[derive(Debug)]
pub struct Listen {
    pub address: SocketAddr,
    /// Certificate chain and key, PEM.
    pub tls: Option<(Vec<u8>, Vec<u8>)>,
    pub limits: Limits,
    pub read_timeout: Duration,
    pub write_timeout: Duration,
    pub connection_limit: usize,
}

impl Listen {
    fn listener(&self, handle: Handle) -> Result<Listener, VerbError> {
        let tls = match &self.tls {
            Some((certificate, key)) => Some(tls_config(certificate, key)?),
            None => None,
        };
        Ok(Listener {
            handle,
            tls,
            limits: self.limits,
            read_timeout: self.read_timeout,
            write_timeout: self.write_timeout,
            connection_limit: self.connection_limit,
            connections: Arc::default(),
        })
    }
}

impl Engine {
    pub fn listen(&self, listen: &Listen) -> Result<(Handle, u16), VerbError> {
        self.listen_beside(listen, None)
    }

    /// On the port of another listener, which is to be closed next, though the addresses overlap.
    pub fn listen_beside(&self, listen: &Listen, beside: Option<Handle>) -> Result<(Handle, u16), VerbError> {
        self.running()?;
        let handle = self.shared.handle(FIRST);
        let listener = Arc::new(listen.listener(handle)?);
        let mut listening = self.shared.listening.lock().expect("no holder panics");
        if beside.is_some_and(|other| !listening.contains_key(&other)) {
            return value("not an open listener");
        }
        let socket = Socket::new(Domain::for_address(listen.address), Type::STREAM, Some(Protocol::TCP))?;
        if listen.address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.set_reuse_address(true)?; // connections in TIME_WAIT do not keep the port
        socket.set_nonblocking(true)?;
        {
            // With the one beside it perhaps another, which is about to close.
            let others = listening.values().filter(|other| {
                let at = other.socket.local_addr().ok().and_then(|address| address.as_socket());
                at.is_some_and(|at| at.port() == listen.address.port())
            });
            let _ajar = match beside {
                Some(_) => others
                    .map(|other| &other.socket)
                    .chain([&socket])
                    .map(Ajar::of)
                    .collect::<io::Result<Vec<_>>>()?,
                None => Vec::new(),
            };
            socket.bind(&listen.address.into())?;
            socket.listen(LISTEN_BACKLOG)?; // the kernel looks at the port once more
        }
        let door = Door { socket: socket.try_clone()?, listener: Arc::clone(&listener), closing: false };
        listening.insert(handle, door);
        let socket = TcpListener::from_std(socket.into());
        let port = socket.local_addr()?.port();
        self.shared.tell(handle, Command::Listen(socket, listener));
        Ok((handle, port))
    }

    /// Have connections to come served so; those that are there go on as they began.
    pub fn retune(&self, listener: Handle, listen: &Listen) -> Result<(), VerbError> {
        self.running()?;
        let tuned = listen.listener(listener)?;
        let mut listening = self.shared.listening.lock().expect("no holder panics");
        let Some(door) = listening.get_mut(&listener) else { return Ok(()) };
        // Connections that are there count on.
        let connections = Arc::clone(&door.listener.connections);
        let tuned = Arc::new(Listener { connections, ..tuned });
        door.listener = Arc::clone(&tuned);
        self.shared.tell(listener, Command::Retune(listener, tuned));
        Ok(())
    }

    /// Whether a listener could use them: a certificate chain and its key, PEM.
    pub fn check_tls(&self, certificate: &[u8], key: &[u8]) -> Result<(), VerbError> {
        tls_config(certificate, key).map(|_| ())
    }
}

pub(crate) fn tls_config(certificate: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, VerbError> {
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
    let chain = match chain {
        Ok(chain) if !chain.is_empty() => chain,
        Ok(_) => return value("the certificate file has no certificate"),
        Err(error) => return value(format!("the certificate does not parse: {error}")),
    };
    let key = match PrivateKeyDer::from_pem_slice(key) {
        Ok(key) => key,
        Err(error) => return value(format!("the key does not parse: {error}")),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    match config {
        Ok(config) => Ok(Arc::new(config)),
        Err(error) => value(format!("the certificate and key are not usable: {error}")),
    }
}
