//! Which hosts may send to an allocation, and be sent to (RFC 8656 9).

use std::net::IpAddr;
use std::time::Instant;

use super::reach::Reach;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    host: IpAddr,
    expires: Instant,
    pub reach: Reach,
}

/// Sorted by host, as an allocation may have a thousand.
#[derive(Debug, Default)]
pub struct Permissions(Vec<Permission>);

impl Permissions {
    /// Forgets what is over, so that nothing grows but by what Python allows at a time.
    pub fn install(&mut self, host: IpAddr, reach: Reach, expires: Instant, now: Instant) {
        let new = Permission { host, expires, reach };
        if let Ok(i) = self.0.binary_search_by_key(&host, |permission| permission.host) {
            self.0[i] = new;
            return;
        }
        self.0.retain(|permission| permission.expires > now);
        let i = self.0.partition_point(|permission| permission.host < host);
        self.0.insert(i, new);
    }

    pub fn get(&self, host: IpAddr, now: Instant) -> Option<Permission> {
        let i = self.0.binary_search_by_key(&host, |permission| permission.host).ok()?;
        self.0.get(i).copied().filter(|permission| permission.expires > now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_ends_when_it_is_not_refreshed() {
        let start = Instant::now();
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut permissions = Permissions::default();
        permissions.install(b, Reach::All, start + 300 * SECOND, start);
        permissions.install(a, Reach::Here, start + 300 * SECOND, start);
        let late = start + 299 * SECOND;
        assert!(permissions.get(a, late).is_some_and(|permission| permission.reach == Reach::Here));
        permissions.install(a, Reach::Here, late + 300 * SECOND, late);
        let later = start + 300 * SECOND;
        assert!(permissions.get(a, later).is_some());
        assert!(permissions.get(b, later).is_none());
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let start = Instant::now();
        let mut permissions = Permissions::default();
        for n in 0..10_000_u32 {
            let now = start + SECOND * n;
            permissions.install(IpAddr::from(n.to_be_bytes()), Reach::All, now + 10 * SECOND, now);
            assert!(permissions.0.len() <= 10, "{n}");
        }
    }
}
