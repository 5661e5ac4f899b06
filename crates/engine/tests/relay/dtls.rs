//! A TURN client over DTLS.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, DtlsCertificate, Output};
use headgate_engine::Handle;
use headgate_engine::turn::five_tuple::FiveTuple;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::stream::{Listener, certificate};
use super::{Bench, LOCALHOST, PATIENCE, request, socket};

pub struct DtlsClient {
    pub socket: UdpSocket,
    dtls: Dtls,
}

impl DtlsClient {
    /// One that has not begun its handshake.
    pub fn new(listener: &Listener) -> Self {
        let (pem, key) = certificate("ec");
        let certificate = CertificateDer::from_pem_slice(&pem).expect("a certificate").to_vec();
        let private_key = PrivateKeyDer::from_pem_slice(&key).expect("a key").secret_der().to_vec();
        let socket = socket(LOCALHOST);
        socket.connect(listener.address).expect("a route");
        let config = Config::builder().dtls13_cipher_suites(&[]).build().expect("a configuration");
        let certificate = DtlsCertificate { certificate, private_key };
        let mut dtls = Dtls::new_12(Arc::new(config), certificate, Instant::now());
        dtls.set_active(true);
        dtls.handle_timeout(Instant::now()).expect("a handshake");
        Self { socket, dtls }
    }

    pub fn connect(listener: &Listener) -> Self {
        let mut client = Self::new(listener);
        client.handshake();
        client
    }

    pub fn handshake(&mut self) {
        self.until(|event| matches!(event, Event::Connected).then_some(()));
    }

    pub fn send(&mut self, data: &[u8]) {
        self.dtls.send_application_data(data).expect("sent");
        while self.step().is_some() {}
    }

    pub fn receive(&mut self) -> Vec<u8> {
        self.until(|event| match event {
            Event::Data(data) => Some(data),
            _ => None,
        })
    }

    pub fn until_ended(&mut self) {
        self.until(|event| matches!(event, Event::Ended).then_some(()));
    }

    fn until<T>(&mut self, wanted: impl Fn(Event) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        self.socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a socket");
        loop {
            while let Some(event) = self.step() {
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
            assert!(Instant::now() < until, "it never came");
            let mut datagram = vec![0; 65_536];
            self.dtls.handle_timeout(Instant::now()).expect("time");
            if let Ok(size) = self.socket.recv(&mut datagram) {
                self.dtls.handle_packet(&datagram[..size]).expect("a record");
            }
        }
    }

    fn step(&mut self) -> Option<Event> {
        let mut buffer = vec![0; 65_536];
        match self.dtls.poll_output(&mut buffer) {
            Output::Packet(packet) => {
                let _ = self.socket.send(packet);
                Some(Event::Other)
            }
            Output::ApplicationData(data) => Some(Event::Data(data.to_vec())),
            Output::Connected => Some(Event::Connected),
            Output::CloseNotify => Some(Event::Ended),
            Output::Timeout(_) => None,
            _ => Some(Event::Other),
        }
    }

    pub fn close(&mut self) {
        self.dtls.close().expect("closed");
        while self.step().is_some() {}
    }

    /// Ask, and be given an allocation.
    pub fn allocate(&mut self, bench: &mut Bench) -> (FiveTuple, Handle, SocketAddr) {
        self.send(&request(*b"an allocate "));
        let me = self.socket.local_addr().expect("connected");
        bench.give(me)
    }
}

enum Event {
    Connected,
    Data(Vec<u8>),
    Ended,
    Other,
}
