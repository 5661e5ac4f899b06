//! Monotonic time in nanoseconds, comparable between processes of one machine.

/// `CLOCK_MONOTONIC` now.
pub fn now() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// How far the system's clock is ahead of the monotonic one.
pub fn ahead() -> u64 {
    read(libc::CLOCK_REALTIME).saturating_sub(now())
}

/// CPU time the calling thread has used, kernel time included.
pub fn thread_cpu() -> u64 {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Sleep to an absolute `CLOCK_MONOTONIC` instant; returns at once when it has passed.
pub fn sleep_until(instant: u64) {
    let at = libc::timespec {
        tv_sec: (instant / 1_000_000_000) as libc::time_t,
        tv_nsec: (instant % 1_000_000_000) as libc::c_long,
    };
    // SAFETY: `at` outlives the call and the remainder pointer may be null with TIMER_ABSTIME.
    while unsafe {
        libc::clock_nanosleep(libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, &raw const at, std::ptr::null_mut())
    } == libc::EINTR
    {}
}

/// Let this thread's timers fire on time: the default slack delays each by up to 50 µs.
pub fn sharpen_timers() {
    // SAFETY: no pointer is passed; a kernel that refuses leaves the slack as it was.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64) };
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to, and these clocks exist on every Linux.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
