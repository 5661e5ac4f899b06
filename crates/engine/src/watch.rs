//! Who looks after the workers: one that stands still is abandoned, and another has its place.
//!
//! A thread of its own, and not Python: that may stand still itself.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Poll, Waker};

use crate::command::Shared;
use crate::term::Term;
use crate::worker::{WAKER, Worker};

/// A worker that is this long at one piece of work, or asleep, stands still.
pub const STILL: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(250);
/// A look counts for no more, so that nobody is abandoned because the whole process was stopped.
const MOST_A_LOOK: Duration = Duration::from_millis(500);

pub type Crew = Arc<Mutex<Vec<Post>>>;

/// A worker's place, and the thread that has it.
#[derive(Debug)]
pub struct Post {
    index: usize,
    term: Arc<Term>,
    thread: JoinHandle<()>,
    /// Disconnected when the thread ends, however it does.
    done: Receiver<()>,
    /// Its pulse at the last look, and for how long that has been the same.
    pulse: Option<u64>,
    still: Duration,
}

impl Post {
    pub fn first(index: usize, poll: Poll, shared: &Arc<Shared>, now: Instant) -> io::Result<Self> {
        let term = Arc::<Term>::default();
        let worker = Worker::new(index, poll, Arc::clone(shared), Arc::clone(&term), now)?;
        Self::occupy(index, term, move || worker.run())
    }

    /// A thread that takes the place over. Nothing has happened where that fails.
    fn successor(&self, shared: &Arc<Shared>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let (before, term) = (Arc::clone(&self.term), Arc::<Term>::default());
        let worker = Worker::new(self.index, poll, Arc::clone(shared), Arc::clone(&term), Instant::now())?;
        Self::occupy(self.index, term, move || worker.succeed(&before, waker))
    }

    fn occupy(index: usize, term: Arc<Term>, work: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (end, done) = channel();
        let thread = Builder::new().name(format!("engine-{index}")).spawn(move || {
            let _end: Sender<()> = end;
            work();
        })?;
        Ok(Self { index, term, thread, done, pulse: None, still: Duration::ZERO })
    }

    /// Whether it stands still; `passed` since the last look. One that has not begun does not: another would
    /// wait for the same.
    fn stands_still(&mut self, passed: Duration) -> bool {
        let pulse = self.term.pulse();
        let same = pulse.is_some() && pulse == self.pulse;
        self.pulse = pulse;
        self.still = if same { self.still + passed.min(MOST_A_LOOK) } else { Duration::ZERO };
        self.still >= STILL
    }

    /// Wait for a thread that was told to stop, unless it stands still.
    pub fn leave(mut self, shared: &Shared) {
        while let Err(RecvTimeoutError::Timeout) = self.done.recv_timeout(LOOK) {
            if self.stands_still(LOOK) {
                shared.abandon(self.index, &self.term);
                eprintln!("headgate: worker {} stands still: it was not waited for", self.index);
                return;
            }
        }
        let _ = self.thread.join();
    }
}

/// Looks until it is dropped.
#[derive(Debug)]
pub struct Watch {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub fn start(shared: Arc<Shared>, crew: Crew) -> io::Result<Self> {
        let (end, ended) = channel();
        let thread = Builder::new().name("engine-watch".into()).spawn(move || {
            let mut last = Instant::now();
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK) {
                let now = Instant::now();
                look(&shared, &crew, now - last);
                last = now;
            }
        })?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn look(shared: &Arc<Shared>, crew: &Mutex<Vec<Post>>, passed: Duration) {
    for post in crew.lock().expect("no holder panics").iter_mut() {
        if !post.stands_still(passed) {
            continue;
        }
        let (index, still) = (post.index, STILL.as_secs());
        shared.stderr.say(format!("worker {index} has stood still for {still} s"));
        match post.successor(shared) {
            Ok(successor) => *post = successor, // the old thread is on its own
            Err(error) => {
                shared.stderr.say(format!("worker {index} has no successor: {error}"));
                post.still = Duration::ZERO;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(work: impl FnOnce() + Send + 'static) -> Post {
        Post::occupy(0, Arc::default(), work).expect("a thread")
    }

    #[test]
    fn a_thread_that_died_stands_still_and_one_that_has_not_begun_does_not() {
        let mut post = post(|| {});
        assert!(!(0..100).any(|_| post.stands_still(LOOK)));
        post.term.beat();
        assert_eq!((0..100).take_while(|_| !post.stands_still(LOOK)).count(), 8);
        post.term.beat();
        assert!(!post.stands_still(LOOK));
    }

    #[test]
    fn a_process_that_was_stopped_gives_its_workers_time() {
        let mut post = post(|| {});
        post.term.beat();
        assert!(!post.stands_still(LOOK));
        assert!(!post.stands_still(Duration::from_secs(3600)));
        post.term.beat();
        assert!(!post.stands_still(LOOK));
    }
}
