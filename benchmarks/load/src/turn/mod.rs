//! The TURN client side: allocations as browsers make them, and what is sent through them. IPv4 over UDP.

pub mod account;
pub mod allocate;
pub mod client;
pub mod echo;
pub mod flood;
pub mod floor;
pub mod hold;
pub mod md5;
pub mod message;
pub mod options;
pub mod parcel;
pub mod relay;
pub mod seed;
pub mod storm;
