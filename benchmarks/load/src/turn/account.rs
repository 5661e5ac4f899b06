//! Who the clients are, and what a server asked them to sign with.

use crate::turn::message::{Arrived, Key, Message, Transaction, attribute, kind};

/// RFC 8656 18.9: UDP, as the protocol number stands in REQUESTED-TRANSPORT.
const TRANSPORT_UDP: [u8; 4] = [17, 0, 0, 0];

/// A static user of the server.
#[derive(Clone)]
pub struct Account {
    pub user: String,
    pub password: String,
}

/// What a 401 or 438 told: the realm and nonce to sign with.
#[derive(Clone)]
pub struct Challenge {
    realm: String,
    nonce: Vec<u8>,
    key: Key,
}

impl Account {
    /// None when the response challenges nobody. `last` spares the key's hash where the realm is the same.
    pub fn challenged(&self, response: Arrived<'_>, last: Option<&Challenge>) -> Option<Challenge> {
        let realm = response.text(attribute::REALM)?;
        let key = match last {
            Some(last) if last.realm == realm => last.key.clone(),
            _ => Key::long_term(&self.user, realm, &self.password),
        };
        let nonce = response.get(attribute::NONCE)?.to_vec();
        Some(Challenge { realm: realm.to_owned(), nonce, key })
    }

    /// Add credentials and the signature.
    pub fn sign(&self, message: Message, challenge: &Challenge) -> Message {
        message
            .with(attribute::USERNAME, self.user.as_bytes())
            .with(attribute::REALM, challenge.realm.as_bytes())
            .with(attribute::NONCE, &challenge.nonce)
            .sign(&challenge.key)
    }
}

/// An Allocate request without credentials.
pub fn allocate(transaction: Transaction) -> Message {
    Message::new(kind::ALLOCATE, transaction).with(attribute::REQUESTED_TRANSPORT, &TRANSPORT_UDP)
}

/// A Refresh request that ends the allocation.
pub fn release(transaction: Transaction) -> Message {
    Message::new(kind::REFRESH, transaction).with(attribute::LIFETIME, &[0; 4])
}

#[cfg(test)]
mod tests {
    use super::{Account, allocate};
    use crate::turn::message::{Arrived, Message, attribute, kind};

    #[test]
    fn a_challenge_is_answered_with_its_realm_and_nonce() {
        let account = Account { user: "u".into(), password: "p".into() };
        let refused = Message::new(kind::ALLOCATE | kind::ERROR, [1; 12])
            .with(attribute::ERROR_CODE, &[0, 0, 4, 1])
            .with(attribute::REALM, b"example.org")
            .with(attribute::NONCE, b"n1");
        let challenge = account.challenged(Arrived::parse(refused.bytes()).unwrap(), None).unwrap();
        let signed = account.sign(allocate([2; 12]), &challenge);
        let read = Arrived::parse(signed.bytes()).unwrap();
        assert_eq!(read.text(attribute::REALM), Some("example.org"));
        assert_eq!(read.get(attribute::NONCE), Some(&b"n1"[..]));
        assert_eq!(read.get(attribute::MESSAGE_INTEGRITY).map(<[u8]>::len), Some(20));
        // Realm and key are kept, the nonce is the new one.
        let stale = Message::new(kind::ALLOCATE | kind::ERROR, [1; 12])
            .with(attribute::REALM, b"example.org")
            .with(attribute::NONCE, b"n2");
        let next = account.challenged(Arrived::parse(stale.bytes()).unwrap(), Some(&challenge)).unwrap();
        assert_eq!(next.nonce, b"n2");
    }
}
