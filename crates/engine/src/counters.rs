//! Totals of connections, flows and streams: written by one worker, read by anyone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, RwLock};
use std::time::Instant;

use crate::Handle;

/// Only ever added to by the worker that owns the handle; readers may see one
/// field newer than another.
#[derive(Debug, Default)]
pub struct Counters {
    pub bytes_received: Total,
    pub bytes_sent: Total,
    pub packets_received: Total,
    pub packets_sent: Total,
    pub packets_lost: Total,
    pub packets_in_error: Total,
    pub packets_discarded: Total,
    pub rtcp_packets_received: Total,
    pub rtcp_packets_sent: Total,
    pub rtcp_packets_in_error: Total,
    pub queued_packets: Total,
    pub queued_bytes: Total,
    pub frames_refused: Total,
    pub jitter_ticks: Total,
    /// An `f64`'s bits.
    jitter_s: Total,
    /// Milliseconds after the table's epoch.
    heard: Total,
    /// Whether `Closed` was said, or never will be.
    ended: AtomicBool,
}

/// A number many may read while one writes.
#[derive(Debug, Default)]
pub struct Total(AtomicU64);

impl Total {
    pub fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Relaxed);
    }

    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// One reading of all totals. The fields are those of `_engine.Counters`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    pub bytes_received: u64,
    pub bytes_sent: u64,
    pub packets_received: u64,
    pub packets_sent: u64,
    pub packets_lost: u64,
    pub packets_in_error: u64,
    pub packets_discarded: u64,
    pub rtcp_packets_received: u64,
    pub rtcp_packets_sent: u64,
    pub rtcp_packets_in_error: u64,
    pub queued_packets: u64,
    pub queued_bytes: u64,
    pub frames_refused: u64,
    pub jitter_ticks: u64,
    pub jitter_s: f64,
    pub idle_s: f64,
}

impl Counters {
    pub fn set_jitter(&self, seconds: f64) {
        self.jitter_s.set(seconds.to_bits());
    }

    /// `false`: it was before.
    pub fn end(&self) -> bool {
        !self.ended.swap(true, SeqCst)
    }

    pub fn is_ended(&self) -> bool {
        self.ended.load(SeqCst)
    }

    fn read(&self, elapsed_ms: u64) -> Snapshot {
        Snapshot {
            bytes_received: self.bytes_received.get(),
            bytes_sent: self.bytes_sent.get(),
            packets_received: self.packets_received.get(),
            packets_sent: self.packets_sent.get(),
            packets_lost: self.packets_lost.get(),
            packets_in_error: self.packets_in_error.get(),
            packets_discarded: self.packets_discarded.get(),
            rtcp_packets_received: self.rtcp_packets_received.get(),
            rtcp_packets_sent: self.rtcp_packets_sent.get(),
            rtcp_packets_in_error: self.rtcp_packets_in_error.get(),
            queued_packets: self.queued_packets.get(),
            queued_bytes: self.queued_bytes.get(),
            frames_refused: self.frames_refused.get(),
            jitter_ticks: self.jitter_ticks.get(),
            jitter_s: f64::from_bits(self.jitter_s.get()),
            idle_s: elapsed_ms.saturating_sub(self.heard.get()) as f64 / 1000.0,
        }
    }
}

/// Every handle's counters. A closed handle's stay until Python forgets them.
#[derive(Debug)]
pub struct Table {
    epoch: Instant,
    by_handle: RwLock<HashMap<Handle, Arc<Counters>>>,
}

impl Table {
    pub fn new(epoch: Instant) -> Self {
        Self { epoch, by_handle: RwLock::default() }
    }

    pub fn add(&self, handle: Handle, now: Instant) -> Arc<Counters> {
        let counters = Arc::new(Counters::default());
        self.heard(&counters, now);
        self.by_handle.write().expect("no holder panics").insert(handle, Arc::clone(&counters));
        counters
    }

    pub fn forget(&self, handle: Handle) {
        self.by_handle.write().expect("no holder panics").remove(&handle);
    }

    /// The counters of a handle, the first time that it ends.
    pub fn end(&self, handle: Handle) -> Option<Arc<Counters>> {
        let table = self.by_handle.read().expect("no holder panics");
        table.get(&handle).filter(|counters| counters.end()).map(Arc::clone)
    }

    /// End some that have not ended yet; those.
    pub fn end_all(&self, which: impl Fn(Handle) -> bool) -> Vec<(Handle, Arc<Counters>)> {
        let table = self.by_handle.read().expect("no holder panics");
        let ended = table.iter().filter(|(handle, counters)| which(**handle) && counters.end());
        ended.map(|(handle, counters)| (*handle, Arc::clone(counters))).collect()
    }

    /// Note that bytes arrived.
    pub fn heard(&self, counters: &Counters, now: Instant) {
        counters.heard.set((now - self.epoch).as_millis() as u64);
    }

    pub fn idle_ms(&self, counters: &Counters, now: Instant) -> u64 {
        ((now - self.epoch).as_millis() as u64).saturating_sub(counters.heard.get())
    }

    pub fn read(&self, counters: &Counters, now: Instant) -> Snapshot {
        counters.read((now - self.epoch).as_millis() as u64)
    }

    pub fn read_all(&self, handles: &[Handle], now: Instant) -> Vec<Option<Snapshot>> {
        let elapsed_ms = (now - self.epoch).as_millis() as u64;
        let table = self.by_handle.read().expect("no holder panics");
        handles.iter().map(|handle| table.get(handle).map(|counters| counters.read(elapsed_ms))).collect()
    }
}
