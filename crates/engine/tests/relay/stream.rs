//! A TURN client over TCP or TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};
use headgate_engine::Handle;
use headgate_engine::client::ClientTls;
use headgate_engine::turn::five_tuple::{FiveTuple, Transport};
use headgate_engine::turn::listener::TurnLimits;
use headgate_engine::turn::verbs::{ListenTurn, Pem};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConnection, StreamOwned};

use super::{Bench, LOCALHOST, PATIENCE, request};

/// A listener over TCP or TLS beside the bench's own.
pub struct Listener {
    pub handle: Handle,
    pub transport: Transport,
    pub address: SocketAddr,
    pub certificate: Option<Pem>,
}

/// Plain or over TLS.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

pub struct StreamClient {
    pub stream: Box<dyn Stream>,
    pub socket: TcpStream,
}

impl Listener {
    pub fn new(bench: &Bench, transport: Transport, limits: TurnLimits) -> Self {
        let encrypted = matches!(transport, Transport::Tls | Transport::Dtls);
        let certificate = encrypted.then(|| certificate("ec"));
        let listen = ListenTurn {
            transport,
            address: SocketAddr::new(LOCALHOST, 0),
            tls: certificate.clone(),
            limits,
        };
        let (handle, address) = bench.engine.listen_turn(&listen).expect("a free port");
        Self { handle, transport, address, certificate }
    }

    pub fn connect(&self) -> StreamClient {
        let socket = TcpStream::connect(self.address).expect("listening");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        socket.set_nodelay(true).expect("a socket");
        let other = socket.try_clone().expect("a socket");
        let stream: Box<dyn Stream> = match &self.certificate {
            None => Box::new(socket),
            Some((certificate, _)) => Box::new(secure(socket, certificate)),
        };
        StreamClient { stream, socket: other }
    }
}

/// `algorithm`: ec or rsa.
pub fn certificate(algorithm: &str) -> Pem {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", algorithm, "-nodes", "-pkeyopt"])
        .arg(if algorithm == "ec" { "ec_paramgen_curve:prime256v1" } else { "rsa_keygen_bits:2048" })
        .args(["-keyout", "-", "-out", "-", "-subj", "/CN=localhost"])
        .output()
        .expect("openssl is installed");
    (made.stdout.clone(), made.stdout)
}

pub fn secure(socket: TcpStream, certificate: &[u8]) -> StreamOwned<ClientConnection, TcpStream> {
    let certificate = CertificateDer::from_pem_slice(certificate).expect("a certificate");
    let fingerprint = digest(&SHA256, &certificate).as_ref().try_into().expect("32 bytes");
    let tls = ClientTls { server_name: "localhost".into(), fingerprint: Some(fingerprint) };
    StreamOwned::new(tls.start().expect("a name"), socket)
}

impl StreamClient {
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("sent");
        self.stream.flush().expect("sent");
    }

    pub fn receive(&mut self, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        self.stream.read_exact(&mut bytes).expect("bytes");
        bytes
    }

    /// Whether the connection is at its end.
    pub fn ended(&mut self) -> bool {
        let mut rest = Vec::new();
        !matches!(self.stream.read_to_end(&mut rest), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Ask, and be given an allocation.
    pub fn allocate(&mut self, bench: &mut Bench) -> (FiveTuple, Handle, SocketAddr) {
        self.send(&request(*b"an allocate "));
        let me = self.socket.local_addr().expect("connected");
        bench.give(me)
    }
}
