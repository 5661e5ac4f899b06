//! The rooms' client side: web sockets that speak Spreed WebRTC's channelling protocol, as many as a test wants.

pub mod churn;
pub mod crowd;
pub mod document;
pub mod frame;
pub mod guest;
pub mod hold;
pub mod join;
pub mod options;
pub mod say;
