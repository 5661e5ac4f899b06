//! Results as lines of JSON on standard output.

use std::fmt::{Display, Write as _};
use std::io::Write as _;

use crate::histogram::Histogram;

/// The fields of a JSON object, in order.
#[derive(Default)]
pub struct Fields(String);

impl Fields {
    pub fn new(name: &str, text: &str) -> Self {
        Self::default().put(name, &quoted(text))
    }

    pub fn number(self, name: &str, value: impl Into<Count>) -> Self {
        self.put(name, &value.into().0)
    }

    /// A finite fraction.
    pub fn decimal(self, name: &str, value: f64) -> Self {
        self.put(name, &format!("{value:.4}"))
    }

    pub fn fields(self, name: &str, value: &Self) -> Self {
        self.put(name, &value.object())
    }

    pub fn texts(self, name: &str, values: &[String]) -> Self {
        let items: Vec<String> = values.iter().map(|text| quoted(text)).collect();
        self.put(name, &format!("[{}]", items.join(",")))
    }

    pub fn histogram(self, name: &str, values: &Histogram) -> Self {
        let fields = Self::default()
            .number("count", values.count())
            .number("p50", values.quantile(0.5))
            .number("p99", values.quantile(0.99))
            .number("p999", values.quantile(0.999))
            .number("max", values.largest());
        self.fields(name, &fields)
    }

    fn put(mut self, name: &str, value: &dyn Display) -> Self {
        let comma = if self.0.is_empty() { "" } else { "," };
        let _ = write!(self.0, "{comma}{}:{value}", quoted(name));
        self
    }

    fn object(&self) -> String {
        format!("{{{}}}", self.0)
    }
}

/// A whole number of any unsigned type.
pub struct Count(u64);

impl From<u64> for Count {
    fn from(value: u64) -> Self {
        Self(value)
    }
}

impl From<usize> for Count {
    fn from(value: usize) -> Self {
        Self(value as u64)
    }
}

/// One line, seen at once by whoever reads the pipe; one that is gone is no reason to stop.
pub fn print(fields: &Fields) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", fields.object()).and_then(|()| out.flush());
}

fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", control as u32);
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::Fields;

    #[test]
    fn fields_are_json_in_the_order_given() {
        let inner = Fields::default().number("n", 3_u64).decimal("share", 0.5);
        let object =
            Fields::new("phase", "a\"b\\\n").fields("in", &inner).texts("why", &["x".into(), "y".into()]);
        let expected = r#"{"phase":"a\"b\\\u000a","in":{"n":3,"share":0.5000},"why":["x","y"]}"#;
        assert_eq!(object.object(), expected);
    }
}
