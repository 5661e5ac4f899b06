//! A client's DTLS association (RFC 6347): datagrams in and out, without a socket.

use std::cell::Cell;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use dimpl::crypto::{CryptoProvider, HashAlgorithm, HmacProvider, aws_lc_rs};
use dimpl::{Config, CryptoError, Dtls, DtlsCertificate, Output};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::cookie::{COOKIE, Hello, RANDOM};
use super::five_tuple::FiveTuple;
use super::listener::Admission;
use crate::event::CloseReason;

/// A handshake that has not ended by then will not.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// RFC 6347 4.1.1: of a record; less what one is wrapped in.
pub const MOST_DATA: usize = 16 * 1024;

/// A certificate with its key.
#[derive(Debug)]
pub struct Identity {
    config: Arc<Config>,
    certificate: DtlsCertificate,
}

impl Identity {
    /// Of a chain only the first certificate is sent. The text of an error is for whoever configures.
    pub fn new(certificate: &[u8], key: &[u8]) -> Result<Self, String> {
        let certificate = CertificateDer::from_pem_slice(certificate)
            .map_err(|error| format!("the certificate does not parse: {error}"))?;
        let key =
            PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("the key does not parse: {error}"))?;
        let provider = CryptoProvider { hmac_provider: &BRIDGE, ..aws_lc_rs::default_provider() };
        if provider.key_provider.load_private_key(key.secret_der()).is_err() {
            return Err("DTLS takes ECDSA keys of P-256 and P-384 only".into());
        }
        let config = Config::builder()
            .with_crypto_provider(provider)
            .require_client_certificate(false)
            .dtls13_cipher_suites(&[])
            .handshake_timeout(HANDSHAKE)
            .build()
            .map_err(|error| format!("DTLS: {error}"))?;
        let certificate =
            DtlsCertificate { certificate: certificate.to_vec(), private_key: key.secret_der().to_vec() };
        Ok(Self { config: Arc::new(config), certificate })
    }
}

thread_local! {
    /// The hello that is being replayed: its random, and the cookie it has shown to us.
    static SHOWN: Cell<Option<([u8; RANDOM], [u8; COOKIE])>> = const { Cell::new(None) };
}

/// The library keeps a secret for cookies in each association, and so would need one for every stranger.
/// Ours are checked before there is one; here it is told that it made them itself.
#[derive(Debug)]
struct Bridge;

static BRIDGE: Bridge = Bridge;

fn hmac() -> &'static dyn HmacProvider {
    static HMAC: OnceLock<&'static dyn HmacProvider> = OnceLock::new();
    *HMAC.get_or_init(|| aws_lc_rs::default_provider().hmac_provider)
}

impl HmacProvider for Bridge {
    /// Cookies are made with this, keys with the other.
    fn hmac_sha256(&self, key: &[u8], data: &[u8]) -> Result<[u8; 32], CryptoError> {
        match SHOWN.get() {
            Some((random, cookie)) if random == data => Ok(cookie),
            _ => hmac().hmac_sha256(key, data),
        }
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        data: &[u8],
        out: &mut [u8],
    ) -> Result<usize, CryptoError> {
        hmac().hmac(hash, key, data, out)
    }
}

/// What an association has for us.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// So many bytes for the client, as they go over the network.
    Packet(usize),
    /// So many bytes of the client.
    Data(usize),
    Nothing,
}

#[derive(Debug)]
pub struct Association {
    pub five_tuple: FiveTuple,
    /// The listener's socket that hears the client.
    pub source: usize,
    pub random: [u8; RANDOM],
    pub admission: Admission,
    /// What came while something was sent.
    pub early: Vec<Vec<u8>>,
    dtls: Dtls,
    established: bool,
    /// When it has to do something though nothing came.
    pub deadline: Instant,
    began: Instant,
    heard: Instant,
}

impl Association {
    /// For a client that has shown `cookie` in `hello`, which is fed next.
    pub fn new(
        five_tuple: FiveTuple,
        source: usize,
        admission: Admission,
        identity: &Identity,
        hello: &Hello<'_>,
        now: Instant,
    ) -> Self {
        Self {
            five_tuple,
            source,
            random: hello.random,
            admission,
            early: Vec::new(),
            dtls: Dtls::new_12(Arc::clone(&identity.config), identity.certificate.clone(), now),
            established: false,
            deadline: now,
            began: now,
            heard: now,
        }
    }

    pub fn client(&self) -> SocketAddr {
        self.five_tuple.client
    }

    /// Play the exchange of cookies that went before, and begin with the hello that ended it.
    pub fn begin(
        &mut self,
        hello: &Hello<'_>,
        cookie: [u8; COOKIE],
        datagram: &[u8],
        scratch: &mut [u8],
        now: Instant,
    ) -> Result<(), CloseReason> {
        SHOWN.set(Some((hello.random, cookie)));
        let result = self.replay(hello, datagram, scratch, now);
        SHOWN.set(None);
        result
    }

    fn replay(
        &mut self,
        hello: &Hello<'_>,
        datagram: &[u8],
        scratch: &mut [u8],
        now: Instant,
    ) -> Result<(), CloseReason> {
        self.feed(&hello.first(), now)?;
        while self.poll(scratch)? != Next::Nothing {}
        self.feed(datagram, now)
    }

    /// A datagram of the client.
    pub fn feed(&mut self, datagram: &[u8], now: Instant) -> Result<(), CloseReason> {
        guarded(&mut self.dtls, |dtls| {
            dtls.handle_timeout(now)?;
            dtls.handle_packet(datagram)
        })
    }

    /// Its time has come.
    pub fn wake(&mut self, now: Instant) -> Result<(), CloseReason> {
        guarded(&mut self.dtls, |dtls| dtls.handle_timeout(now))
    }

    /// Have something encrypted; `poll` has it then. Before the handshake is done there is nothing to send.
    pub fn send(&mut self, data: &[u8]) -> Result<(), CloseReason> {
        if !self.established || data.len() > MOST_DATA {
            return Ok(());
        }
        guarded(&mut self.dtls, |dtls| dtls.send_application_data(data).map(drop))
    }

    pub fn say_goodbye(&mut self) {
        let _ = guarded(&mut self.dtls, Dtls::close);
    }

    /// The next of what it has for us, in `scratch`.
    pub fn poll(&mut self, scratch: &mut [u8]) -> Result<Next, CloseReason> {
        loop {
            let dtls = &mut self.dtls;
            let polled = catch_unwind(AssertUnwindSafe(|| match dtls.poll_output(scratch) {
                Output::Packet(bytes) => Polled::Output(Next::Packet(bytes.len())),
                Output::ApplicationData(bytes) => Polled::Output(Next::Data(bytes.len())),
                Output::Timeout(deadline) => Polled::Timeout(deadline),
                Output::Connected => Polled::Connected,
                Output::CloseNotify => Polled::Closed,
                Output::BufferTooSmall { .. } => Polled::Fault,
                _ => Polled::Other,
            }));
            match polled.unwrap_or(Polled::Fault) {
                Polled::Output(output) => return Ok(output),
                Polled::Timeout(deadline) => {
                    self.deadline = deadline;
                    return Ok(Next::Nothing);
                }
                Polled::Connected => self.established = true,
                Polled::Closed => return Err(CloseReason::Peer),
                Polled::Fault => return Err(CloseReason::Fault),
                Polled::Other => {}
            }
        }
    }

    /// It has sent something that was really its own.
    pub fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Why it has to go, if it has to.
    pub fn overdue(&self, has_allocation: bool, now: Instant) -> Option<CloseReason> {
        let limit = self.admission.listener.limits().idle_timeout;
        let (since, limit) = match self.established {
            true if has_allocation => return None,
            true => (self.heard, limit),
            false => (self.began, limit.min(HANDSHAKE)),
        };
        (now.saturating_duration_since(since) >= limit).then_some(CloseReason::ReadTimeout)
    }
}

enum Polled {
    Output(Next),
    Timeout(Instant),
    Connected,
    Closed,
    Fault,
    Other,
}

/// A bug in the library ends one association, not the worker's listening.
fn guarded(
    dtls: &mut Dtls,
    work: impl FnOnce(&mut Dtls) -> Result<(), dimpl::Error>,
) -> Result<(), CloseReason> {
    match catch_unwind(AssertUnwindSafe(|| work(dtls))) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(CloseReason::Tls),
        Err(_) => Err(CloseReason::Fault),
    }
}
