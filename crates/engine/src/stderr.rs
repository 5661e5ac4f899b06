//! What is said on stderr. Whoever reads it may stand still: nobody here waits for that.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::Builder;

/// Lines that may wait; those that come then are lost, and their number is said.
const MOST: usize = 64;

/// Its thread ends with it, or when the last line is read.
#[derive(Debug)]
pub struct Stderr {
    lines: SyncSender<String>,
    lost: Arc<AtomicU64>,
}

impl Stderr {
    pub fn open() -> io::Result<Self> {
        Self::over(|line| eprintln!("headgate: {line}"))
    }

    fn over(print: impl Fn(&str) + Send + 'static) -> io::Result<Self> {
        let (lines, said) = sync_channel::<String>(MOST);
        let lost = Arc::new(AtomicU64::new(0));
        let unsaid = Arc::clone(&lost);
        Builder::new().name("engine-stderr".into()).spawn(move || {
            for line in said {
                print(&line);
                let lost = unsaid.swap(0, Relaxed);
                if lost > 0 {
                    print(&format!("{lost} more lines are lost"));
                }
            }
        })?;
        Ok(Self { lines, lost })
    }

    pub fn say(&self, line: String) {
        if self.lines.try_send(line).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    pub fn cannot_watch(&self, error: &io::Error) {
        self.say(format!("cannot watch a socket: {error}"));
    }

    pub fn listener_lost(&self, error: &io::Error) {
        self.say(format!("a listener is lost with its worker: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn nobody_waits_for_whoever_reads_it() {
        let (printed, hear) = channel();
        let (go_on, wait) = channel::<()>();
        let stderr = Stderr::over(move |line| {
            printed.send(line.to_owned()).unwrap();
            let _ = wait.recv();
        })
        .unwrap();
        stderr.say("first".into());
        assert_eq!(hear.recv().unwrap(), "first"); // it is being printed, and the queue is empty
        for n in 0..MOST + 5 {
            stderr.say(n.to_string());
        }
        drop(go_on);
        assert_eq!(hear.recv().unwrap(), "5 more lines are lost");
        assert_eq!(hear.iter().take(MOST).last().unwrap(), (MOST - 1).to_string());
    }
}
