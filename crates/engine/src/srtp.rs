//! SRTP and SRTCP (RFC 3711, AES-256 of RFC 6188, AES-GCM of RFC 7714).
//!
//! Sans-IO: `Outbound` protects what we send on one track, `Inbound` unprotects what comes on it;
//! `Protection` has both for every track of a flow. The keys come from Python, which agreed on them
//! (MIKEY); from them `Transform` derives the ones that are used. There is no re-keying.

mod inbound;
mod outbound;
mod protection;
mod transform;
mod window;

pub use inbound::Inbound;
pub use outbound::Outbound;
pub use protection::{Protection, Sealed};
pub use transform::Transform;

/// The longest master key identifier that is read (RFC 3711 8.1 allows 128 bytes; clients use 1 to 4).
const MKI_SIZE_LIMIT: usize = 16;
/// Sources that one track is followed for; an honest sender has one, and a second one after a restart.
const SOURCE_LIMIT: usize = 8;
/// RFC 3711 9.2: no more than 2^48 packets under one key.
const INDEX_LIMIT: u64 = 1 << 48;
/// RFC 3711 9.2: nor more than 2^31 RTCP packets.
const RTCP_INDEX_LIMIT: u32 = 1 << 31;

/// How packets are encrypted and authenticated. The twin is `SrtpSuite` in `engine/srtp.py`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    AesCm128HmacSha1_80 = 1,
    AesCm256HmacSha1_80 = 2,
    AeadAes128Gcm = 3,
    AeadAes256Gcm = 4,
}

impl Suite {
    pub const ALL: [Self; 4] =
        [Self::AesCm128HmacSha1_80, Self::AesCm256HmacSha1_80, Self::AeadAes128Gcm, Self::AeadAes256Gcm];

    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| *suite as u8 == number)
    }

    pub fn key_size(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AeadAes128Gcm => 16,
            Self::AesCm256HmacSha1_80 | Self::AeadAes256Gcm => 32,
        }
    }

    pub fn salt_size(self) -> usize {
        if self.is_aead() { 12 } else { 14 }
    }

    /// What a packet grows by, RTCP's index aside.
    pub fn tag_size(self) -> usize {
        if self.is_aead() { 16 } else { 10 }
    }

    fn is_aead(self) -> bool {
        matches!(self, Self::AeadAes128Gcm | Self::AeadAes256Gcm)
    }
}

/// A master key as it was agreed on, for one direction of one track.
#[derive(Clone)]
pub struct MasterKey {
    pub suite: Suite,
    pub key: Vec<u8>,
    pub salt: Vec<u8>,
    /// Which every packet under this key carries; empty: none does. Ours carry none.
    pub mki: Vec<u8>,
    /// How often the sequence numbers of a source (SSRC) have wrapped already, where that was said.
    pub rollovers: Vec<(u32, u32)>,
}

impl std::fmt::Debug for MasterKey {
    /// Not the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MasterKey").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// The keys of one track.
#[derive(Debug, Clone)]
pub struct TrackKeys {
    pub track: usize,
    pub send: MasterKey,
    pub receive: MasterKey,
}
