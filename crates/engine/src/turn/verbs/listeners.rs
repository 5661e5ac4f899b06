//! Listeners for TURN clients, and answers to whom they hear.

use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::TcpListener;

use crate::Handle;
use crate::command::FIRST;
use crate::engine::{Engine, VerbError, tls_config, value};
use crate::turn::association::Identity;
use crate::turn::challenge::Challenge;
use crate::turn::command::Command;
use crate::turn::five_tuple::{FiveTuple, Transport};
use crate::turn::listener::{Listener, Secret, TurnLimits};
use crate::turn::socket::{self, Receiver};
use crate::turn::stun;

/// A certificate chain and its key, PEM.
pub type Pem = (Vec<u8>, Vec<u8>);

/// The arguments of `Engine::listen_turn`; the fields are those of `engine.ListenTurn`.
#[derive(Debug)]
pub struct ListenTurn {
    pub transport: Transport,
    pub address: SocketAddr,
    pub tls: Option<Pem>,
    pub limits: TurnLimits,
}

impl Engine {
    pub fn listen_turn(&self, listen: &ListenTurn) -> Result<(Handle, SocketAddr), VerbError> {
        self.running()?;
        let tls = match (listen.transport, &listen.tls) {
            (Transport::Udp | Transport::Tcp, None) => None,
            (Transport::Tls | Transport::Dtls, None) => return value("TLS without a certificate"),
            (transport, Some(pem)) => Some(secret(transport, pem)?),
        };
        let handle = self.shared.handle(FIRST);
        let listener = |bound, sockets| {
            Arc::new(Listener::new(handle, listen.transport, bound, tls, listen.limits, sockets))
        };
        // Peers are heard over UDP, however clients come.
        let receiving = match self.turn().receiving.get() {
            Some(receiving) => Arc::clone(receiving),
            None => Arc::clone(self.turn().receiving.get_or_init({
                let new = Receiver::state()?;
                move || new
            })),
        };
        let bound = match listen.transport {
            Transport::Udp | Transport::Dtls => {
                let (sockets, bound) = socket::listening(listen.address, self.shared.inboxes.len())?;
                let listener = listener(bound, sockets);
                self.turn().addresses.listen(handle, bound);
                self.keep(&listener);
                for inbox in &self.shared.inboxes {
                    let hear = Command::Hear(Arc::clone(&listener), Arc::clone(&receiving));
                    inbox.push(crate::command::Command::Turn(hear));
                }
                bound
            }
            Transport::Tcp | Transport::Tls => {
                let (socket, bound) = socket::accepting(listen.address)?;
                let listener = listener(bound, Vec::new());
                self.turn().doors.lock().expect("no holder panics").insert(handle, socket.try_clone()?);
                self.keep(&listener);
                self.tell_turn(handle, Command::Accept(listener, TcpListener::from_std(socket)));
                bound
            }
        };
        Ok((handle, bound))
    }

    /// Before its workers are told: one of them may be a successor, who looks here.
    fn keep(&self, listener: &Arc<Listener>) {
        let mut listeners = self.turn().listeners.lock().expect("no holder panics");
        listeners.insert(listener.handle, Arc::clone(listener));
    }

    /// Whether a listener over `transport` could use them: so that `retune_turn` with the same cannot fail.
    pub fn check_turn_tls(&self, transport: Transport, tls: &Pem) -> Result<(), VerbError> {
        secret(transport, tls).map(drop)
    }

    pub fn retune_turn(
        &self,
        listener: Handle,
        tls: Option<&Pem>,
        limits: TurnLimits,
    ) -> Result<(), VerbError> {
        let known = self.turn().listeners.lock().expect("no holder panics").get(&listener).map(Arc::clone);
        let Some(listener) = known else { return value(format!("{listener} is not a TURN listener")) };
        let tls = match (listener.transport, tls) {
            (_, None) => None,
            (transport, Some(pem)) => Some(secret(transport, pem)?),
        };
        listener.retune(limits, tls);
        Ok(())
    }

    /// How to answer those without an allocation over UDP from now on; `None`: Python does.
    pub fn challenge(&self, challenge: Option<Challenge>) {
        *self.turn().challenge.write().expect("no holder panics") = challenge.map(Arc::new);
    }

    pub fn answer(&self, five_tuple: FiveTuple, message: Vec<u8>) {
        if five_tuple.connection == 0 && self.answer_at_once(&five_tuple, &message) {
            return;
        }
        let inbox = &self.shared.inboxes[five_tuple.worker % self.shared.inboxes.len()];
        inbox.push(crate::command::Command::Turn(Command::Answer(five_tuple, message)));
    }

    /// Answer a client over UDP from another of our listeners, or at another of its ports (RFC 5780 7.2, 7.4,
    /// where `to` says which). It waits for nothing that the verbs did before.
    pub fn answer_from(&self, listener: Handle, to: FiveTuple, message: &[u8]) -> Result<(), VerbError> {
        let listeners = self.turn().listeners.lock().expect("no holder panics");
        let known =
            listeners.get(&listener).map(Arc::clone).filter(|known| !known.bound.ip().is_unspecified());
        drop(listeners);
        let socket = known.as_ref().and_then(|known| known.socket(to.worker));
        let (Some(known), Some(socket)) = (&known, socket) else {
            return value(format!("{listener} is no UDP listener of one address"));
        };
        if known.bound.is_ipv4() != to.client.is_ipv4() {
            return value(format!("{} is not reached from {}", to.client, known.bound));
        }
        let from = FiveTuple { listener, server: known.bound, ..to };
        let (address, via) = known.way_to(&from);
        let _ = socket::send(socket, address, via, message, message.len()); // lost, as in the network
        Ok(())
    }

    /// Spare the worker what it need not know. Whoever has no allocation waits for nothing; and after an
    /// Allocate's success only a request can follow, which finds the allocation in the directory. Every
    /// other answer stays behind what the worker was told before it.
    fn answer_at_once(&self, five_tuple: &FiveTuple, message: &[u8]) -> bool {
        let allocations = self.turn().allocations.lock().expect("no holder panics");
        let counters = allocations.get(five_tuple).map(|(_, counters)| Arc::clone(counters));
        drop(allocations);
        if counters.is_some() && !stun::is_allocated(message) {
            return false;
        }
        let listeners = self.turn().listeners.lock().expect("no holder panics");
        let Some(listener) = listeners.get(&five_tuple.listener).map(Arc::clone) else { return false };
        drop(listeners);
        let Some(socket) = listener.socket(five_tuple.worker) else { return false };
        let (address, via) = listener.way_to(five_tuple);
        let sent = socket::send(socket, address, via, message, message.len());
        if let (Some(counters), Ok(())) = (counters, sent) {
            counters.bytes_sent.add(message.len());
            counters.packets_sent.add(1);
        }
        true
    }
}

fn secret(transport: Transport, (certificate, key): &Pem) -> Result<Secret, VerbError> {
    match transport {
        Transport::Tls => Ok(Secret::Tls(tls_config(certificate, key)?)),
        Transport::Dtls => {
            tls_config(certificate, key)?; // it also knows whether they belong together
            Ok(Secret::Dtls(Arc::new(Identity::new(certificate, key).or_else(value)?)))
        }
        Transport::Udp | Transport::Tcp => value("a certificate, but no TLS"),
    }
}
