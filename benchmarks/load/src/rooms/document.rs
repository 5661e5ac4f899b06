//! Documents of the channelling protocol: those a client sends, and what it looks for in those it gets.
//!
//! Nothing is parsed as JSON: the load must stay far cheaper than any server that does. Ids and tokens have no escapes.

/// A digit for each place of a 64-bit number, so that every stamp is as long as the other.
const DIGITS: usize = 20;
/// Around a stamp. Neither is in anything a server adds.
const BEFORE: u8 = b'@';
const AFTER: u8 = b'#';
/// In which the type of a document stands: they begin with it.
const TYPE_WITHIN: usize = 64;

/// To come into a room.
pub fn hello(room: &str) -> String {
    format!(
        r#"{{"Type":"Hello","Hello":{{"Version":"1.0.0","Ua":"headgate-load","Name":"{room}","Type":""}}}}"#
    )
}

/// A document with a place for the time it was due.
pub struct Stamped {
    text: Vec<u8>,
    at: usize,
}

impl Stamped {
    /// To one other, as browsers begin a call: `size` bytes of session description.
    pub fn offer(to: &str, size: usize) -> Self {
        let head = format!(
            r#"{{"Type":"Offer","Offer":{{"To":"{to}","Type":"Offer","Offer":{{"type":"offer","sdp":""#
        );
        Self::new(&head, size, r#""}}}"#)
    }

    /// To everybody else in the room: a message of `size` bytes.
    pub fn chat(size: usize) -> Self {
        let head = r#"{"Type":"Chat","Chat":{"To":"","Type":"Chat","Chat":{"NoEcho":true,"Message":""#;
        Self::new(head, size, r#""}}}"#)
    }

    fn new(head: &str, size: usize, tail: &str) -> Self {
        let mut text = head.as_bytes().to_vec();
        let at = text.len() + 1;
        text.push(BEFORE);
        text.extend([b'0'; DIGITS]);
        text.push(AFTER);
        text.resize(at - 1 + size.max(DIGITS + 2), b'x');
        text.extend(tail.as_bytes());
        Self { text, at }
    }

    /// With this time in it.
    pub fn at(&mut self, due: u64) -> &[u8] {
        let mut rest = due;
        for digit in self.text[self.at..self.at + DIGITS].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        &self.text
    }
}

/// When it was due, if it has a stamp.
pub fn due(text: &[u8]) -> Option<u64> {
    let at = text.iter().position(|&byte| byte == BEFORE)? + 1;
    let (digits, after) = text.get(at..=at + DIGITS)?.split_at(DIGITS);
    (after == [AFTER]).then_some(())?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether it is a document of this type.
pub fn is(text: &[u8], kind: &str) -> bool {
    field(&text[..text.len().min(TYPE_WITHIN)], "Type") == Some(kind)
}

/// The first text of that name.
pub fn field<'a>(text: &'a [u8], name: &str) -> Option<&'a str> {
    fields(text, name).next()
}

/// Every text of that name, wherever it stands.
pub fn fields<'a>(text: &'a [u8], name: &str) -> impl Iterator<Item = &'a str> {
    let key = format!("\"{name}\":\"").into_bytes();
    let mut rest = text;
    std::iter::from_fn(move || {
        let at = rest.windows(key.len()).position(|window| window == key)? + key.len();
        let value = &rest[at..];
        let end = value.iter().position(|&byte| byte == b'"')?;
        rest = &value[end..];
        std::str::from_utf8(&value[..end]).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::{Stamped, due, field, fields, hello, is};

    #[test]
    fn a_stamp_is_found_again_whatever_stands_around_it() {
        for mut one in [Stamped::offer("abc", 1400), Stamped::chat(0)] {
            for time in [0, 7, 1_234_567_890_123, u64::MAX] {
                assert_eq!(due(one.at(time)), Some(time));
            }
        }
        for other in
            ["", "no stamp", "@12#", "@0000000000000000000x#", "someone@example.org writes a long text"]
        {
            assert_eq!(due(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_message_is_as_long_as_it_was_asked_to_be() {
        let (one, other) = (Stamped::chat(100), Stamped::chat(200));
        assert_eq!(other.text.len() - one.text.len(), 100);
        assert!(Stamped::chat(100).at(1).ends_with(br#"x"}}}"#));
    }

    #[test]
    fn a_type_counts_at_the_beginning_only() {
        let welcome =
            br#"{"Data":{"Type":"Welcome","Room":{"Type":"Room"},"Users":[{"Id":"a"},{"Id":"b"}]}}"#;
        assert!(is(welcome, "Welcome") && !is(welcome, "Room"));
        assert!(!is(b"", "Welcome"));
        assert!(is(hello("r").as_bytes(), "Hello"));
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = br#"{"Sid":"s","Id":"one","Users":[{"Id":"two"}],"Token":"t","Id":"cut"#;
        assert_eq!(field(text, "Id"), Some("one"));
        assert_eq!(fields(text, "Id").collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(field(text, "Nobody"), None);
    }
}
