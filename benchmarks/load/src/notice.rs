//! The publishers' and readers' word to the conductor.

/// What threads tell the conductor.
pub enum Notice {
    /// All publishers are publishing.
    Published,
    /// A reader has its first packet.
    Joined,
    /// A reader was closed before its first packet.
    Failed(String),
    /// A reader was closed after its first packet.
    Closed(String),
    /// A thread ended with an error: the run is void.
    Broken(String),
}
