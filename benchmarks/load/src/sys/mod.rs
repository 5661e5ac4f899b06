//! The system calls the standard library has no words for. The only unsafe code of this crate.
#![allow(unsafe_code)]

pub mod clock;
pub mod cpu;
pub mod datagram;
pub mod poll;
pub mod socket;
