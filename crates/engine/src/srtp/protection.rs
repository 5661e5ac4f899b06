//! The keys of a flow, track by track, and a unit under them.

use super::{Inbound, Outbound, TrackKeys};
use crate::unit::{Kind, Run, Unit, frame, frames};

/// What a flow sends and takes. A track without keys is in the clear.
#[derive(Debug, Default)]
pub struct Protection {
    pub outbound: Vec<Option<Outbound>>,
    pub inbound: Vec<Option<Inbound>>,
    plain: Vec<u8>,
}

/// A unit's datagrams under one reader's keys. One is enough for all readers of a thread.
#[derive(Debug, Default)]
pub struct Sealed {
    pub raw: Vec<u8>,
    pub runs: Vec<Run>,
}

impl Protection {
    /// For a flow of a stream with so many tracks. `None` where there are no keys.
    pub fn new(tracks: usize, keys: &[TrackKeys]) -> Result<Option<Box<Self>>, String> {
        if keys.is_empty() {
            return Ok(None);
        }
        let mut this = Self::default();
        this.outbound.resize_with(tracks, || None);
        this.inbound.resize_with(tracks, || None);
        for keys in keys {
            let Some(outbound) = this.outbound.get_mut(keys.track) else {
                return Err(format!("the stream has no track {}", keys.track));
            };
            if outbound.replace(Outbound::new(&keys.send)?).is_some() {
                return Err(format!("track {} has keys twice", keys.track));
            }
            this.inbound[keys.track] = Some(Inbound::new(&keys.receive)?);
        }
        Ok(Some(Box::new(this)))
    }

    /// The RTP packet inside one that came. `None`: count it.
    pub fn open_rtp<'a>(&'a mut self, track: usize, packet: &'a [u8]) -> Option<&'a [u8]> {
        match &mut self.inbound[track] {
            Some(inbound) => inbound.rtp(packet, &mut self.plain).map(|()| self.plain.as_slice()),
            None => Some(packet),
        }
    }

    pub fn open_rtcp<'a>(&'a mut self, track: usize, packet: &'a [u8]) -> Option<&'a [u8]> {
        match &mut self.inbound[track] {
            Some(inbound) => inbound.rtcp(packet, &mut self.plain).map(|()| self.plain.as_slice()),
            None => Some(packet),
        }
    }

    /// An RTCP packet to send. `None`: the key is used up.
    pub fn seal_rtcp(&mut self, track: usize, packet: Vec<u8>) -> Option<Vec<u8>> {
        let Some(outbound) = &mut self.outbound[track] else { return Some(packet) };
        let mut out = Vec::new();
        outbound.rtcp(&packet, &mut out).map(|()| out)
    }

    /// A unit's datagrams. Every packet grows by the same, so that what was one run stays one.
    /// `None`: the key is used up.
    pub fn seal_raw(&mut self, unit: &Unit, into: &mut Sealed) -> Option<()> {
        into.raw.clear();
        into.runs.clear();
        let outbound = self.outbound[usize::from(unit.track)].as_mut();
        let Some(outbound) = outbound else {
            into.raw.extend_from_slice(&unit.raw);
            into.runs.extend_from_slice(&unit.runs);
            return Some(());
        };
        for run in &unit.runs {
            let start = into.raw.len();
            let mut segment = 0;
            for packet in unit.raw[run.start..run.end].chunks(run.segment.max(1)) {
                let before = into.raw.len();
                match unit.kind {
                    Kind::Rtcp => outbound.rtcp(packet, &mut into.raw)?,
                    Kind::Key | Kind::Delta => outbound.rtp(packet, &mut into.raw)?,
                }
                segment = segment.max(into.raw.len() - before);
            }
            into.runs.push(Run { start, end: into.raw.len(), segment });
        }
        Some(())
    }

    /// A unit's frames for an interleaved reader. `None`: the key is used up.
    pub fn seal_framed(&mut self, unit: &Unit, channel: u8) -> Option<Vec<u8>> {
        let Some(outbound) = &mut self.outbound[usize::from(unit.track)] else {
            return Some(unit.framed_for(channel));
        };
        // RTCP grows by its index as well, and is one packet.
        let growth = (outbound.tag_size() + super::transform::RTCP_TRAILER) * unit.packets as usize;
        let mut out = Vec::with_capacity(unit.framed.len() + growth);
        for packet in frames(&unit.framed) {
            let start = out.len();
            frame(&mut out, channel, &[]);
            let body = out.len();
            match unit.kind {
                Kind::Rtcp => outbound.rtcp(packet, &mut out)?,
                Kind::Key | Kind::Delta => outbound.rtp(packet, &mut out)?,
            }
            let size = u16::try_from(out.len() - body).ok()?;
            out[start + 2..body].copy_from_slice(&size.to_be_bytes());
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::rtp::Header;
    use crate::rtp::tests::packet;
    use crate::srtp::{MasterKey, Suite};
    use crate::unit::UnitBuilder;

    fn keys(track: usize) -> TrackKeys {
        let suite = Suite::AesCm128HmacSha1_80;
        let salt = vec![2; 14];
        let send = MasterKey { suite, key: vec![1; 16], salt, mki: vec![], rollovers: vec![] };
        TrackKeys { track, receive: send.clone(), send }
    }

    fn unit(sizes: &[usize]) -> Unit {
        let mut builder = UnitBuilder::new(1);
        for (i, size) in sizes.iter().enumerate() {
            let bytes = packet(i as u16, 9, false, &vec![i as u8; size - 12]);
            builder.push(&bytes, &Header::parse(&bytes).expect("valid"), false, Instant::now());
        }
        builder.finish(true).0
    }

    #[test]
    fn what_was_one_run_stays_one() {
        let unit = unit(&[30, 20, 100, 100, 100, 40, 50, 50]);
        let mut protection = Protection::new(2, &[keys(1)]).expect("keys").expect("some");
        let mut sealed = Sealed::default();
        protection.seal_raw(&unit, &mut sealed).expect("sealed");
        let runs: Vec<_> = sealed.runs.iter().map(|run| (run.end - run.start, run.segment)).collect();
        assert_eq!(runs, [(70, 40), (380, 110), (120, 60)]);
        assert_eq!(sealed.raw.len(), unit.raw.len() + 8 * 10);
        let mut plain = Vec::new();
        for run in &sealed.runs {
            for wire in sealed.raw[run.start..run.end].chunks(run.segment) {
                plain.extend_from_slice(protection.open_rtp(1, wire).expect("opened"));
            }
        }
        assert_eq!(plain, unit.raw);
    }

    #[test]
    fn frames_are_sealed_one_by_one_and_the_channel_is_the_readers() {
        let unit = unit(&[30, 20]);
        let mut protection = Protection::new(2, &[keys(1)]).expect("keys").expect("some");
        let framed = protection.seal_framed(&unit, 7).expect("sealed");
        assert_eq!(framed.len(), unit.framed.len() + 2 * 10);
        assert_eq!(framed[..4], [b'$', 7, 0, 40]);
        let opened: Vec<Vec<u8>> =
            frames(&framed).map(|wire| protection.open_rtp(1, wire).expect("opened").to_vec()).collect();
        assert_eq!(opened.concat(), unit.raw);
    }

    #[test]
    fn reports_are_sealed_too() {
        let mut protection = Protection::new(2, &[keys(1)]).expect("keys").expect("some");
        let report = Unit::rtcp(1, &[0x80; 28]);
        let mut sealed = Sealed::default();
        protection.seal_raw(&report, &mut sealed).expect("sealed");
        assert_eq!(protection.open_rtcp(1, &sealed.raw), Some(&[0x80; 28][..]));
        let wire = protection.seal_rtcp(1, vec![0x80; 28]).expect("sealed");
        assert_eq!(protection.open_rtcp(1, &wire), Some(&[0x80; 28][..]));
        assert_eq!(protection.open_rtcp(0, b"clear"), Some(&b"clear"[..]), "a track without keys");
    }

    #[test]
    fn keys_must_be_of_the_streams_tracks() {
        assert!(Protection::new(2, &[]).expect("nothing").is_none());
        assert!(Protection::new(2, &[keys(2)]).is_err());
        assert!(Protection::new(2, &[keys(1), keys(1)]).is_err());
    }
}
