//! The alarm: a time-out of a turn that is exact.
//!
//! Selectors count in milliseconds, so a turn that should end in 0.4 ms ends 0.6 ms late, which is as
//! much again as a timer of a millisecond's resolution is late by itself. On Linux a `timerfd` among the
//! sources ends the turn when it should. Where there is none the time-out is rounded up.
//!
//! An alarm that is armed stays so until it goes off or is set anew: a turn that waits without
//! end does not pay to disarm it, and may so end early once.

use std::time::Duration;
#[cfg(target_os = "linux")]
use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Instant,
};

use mio::Token;

use crate::table::RESERVED_TOO;

/// The token of the alarm.
pub(crate) const ALARM: Token = Token(RESERVED_TOO);

/// An alarm that goes off so much later than another need not be set anew for it.
#[cfg(target_os = "linux")]
const NEAR: Duration = Duration::from_micros(5);

/// See the module.
#[derive(Debug)]
pub(crate) struct Alarm {
    #[cfg(target_os = "linux")]
    timer: Option<OwnedFd>,
    /// When it goes off.
    #[cfg(target_os = "linux")]
    at: Option<Instant>,
}

#[cfg(target_os = "linux")]
impl Alarm {
    /// Registers an alarm; if the system refuses, one that is never set.
    pub(crate) fn new(registry: &mio::Registry) -> Self {
        Self {
            timer: make(registry).ok(),
            at: None,
        }
    }

    /// Makes the turn end in `time`; false if the selector's own time-out must.
    pub(crate) fn set(&mut self, time: Duration) -> bool {
        let Some(timer) = &self.timer else {
            return false;
        };
        let Some(at) = Instant::now().checked_add(time) else {
            return false;
        };
        if self.at.is_some_and(|set| at <= set && set <= at + NEAR) {
            return true;
        }
        let value = libc::timespec {
            tv_sec: time.as_secs() as libc::time_t,
            tv_nsec: time.subsec_nanos() as libc::c_long,
        };
        let once = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let setting = libc::itimerspec {
            it_interval: once,
            it_value: value,
        };
        // SAFETY: (1) the descriptor is ours and open; (2) the pointer is to a setting of ours; (3) the
        // old setting is not asked for.
        let result = unsafe {
            libc::timerfd_settime(
                timer.as_raw_fd(),
                0,
                &raw const setting,
                std::ptr::null_mut(),
            )
        };
        self.at = (result == 0).then_some(at);
        result == 0
    }

    /// It has gone off.
    pub(crate) fn gone_off(&mut self) {
        self.at = None;
    }
}

#[cfg(target_os = "linux")]
fn make(registry: &mio::Registry) -> io::Result<OwnedFd> {
    // SAFETY: (1) the call takes two integers and touches no memory of ours.
    let fd = unsafe {
        libc::timerfd_create(
            libc::CLOCK_MONOTONIC,
            libc::TFD_CLOEXEC | libc::TFD_NONBLOCK,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: (1) it was just opened, and nobody else has it.
    let timer = unsafe { OwnedFd::from_raw_fd(fd) };
    // Registered for edges: it need never be read, for setting it anew clears it.
    let mut source = mio::unix::SourceFd(&fd);
    registry.register(&mut source, ALARM, mio::Interest::READABLE)?;
    Ok(timer)
}

#[cfg(not(target_os = "linux"))]
impl Alarm {
    pub(crate) fn new(_: &mio::Registry) -> Self {
        Self {}
    }

    pub(crate) fn set(&mut self, _: Duration) -> bool {
        false
    }

    pub(crate) fn gone_off(&mut self) {}
}
