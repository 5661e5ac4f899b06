//! What is said on stderr of workers that stand still. Whoever reads it may stand still as well: nobody here
//! waits for that.

use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::Builder;

/// Lines that may wait; those that come then are lost.
const MOST: usize = 64;

/// Its thread ends with it, or when the last line is read.
#[derive(Debug)]
pub struct Stderr(SyncSender<String>);

impl Stderr {
    pub fn open() -> io::Result<Self> {
        let (lines, said) = sync_channel::<String>(MOST);
        Builder::new().name("engine-stderr".into()).spawn(move || {
            for line in said {
                eprintln!("headgate: {line}");
            }
        })?;
        Ok(Self(lines))
    }

    pub fn say(&self, line: String) {
        let _ = self.0.try_send(line);
    }
}
