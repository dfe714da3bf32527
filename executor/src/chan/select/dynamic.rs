//! A select over a list that is made at run time.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;

use super::super::core::Chan;
use super::super::error::{RecvError, SendError};
use super::super::receiver::Receiver;
use super::super::sender::Sender;
use super::case::{Case, RecvCase, SendCase};
use super::engine::{DEFAULT, Raw, Selecting, erase};
use super::other::FutureCase;
use super::wait;

/// Waits for several operations, as many as there are at run time, of which one happens.
///
/// To select from n cases costs n log n in the worst case, and up to 64 of them no allocation.
///
/// Each case is used up when it was chosen, and the others stay: [`select`](Self::select) may be called
/// again for them. The values of sends that were not chosen are dropped with the select, or by
/// [`remove`](Self::remove).
///
/// # Examples
///
/// ```
/// use gopark::chan::{self, Select};
///
/// gopark::block_on(async {
///     let channels: Vec<_> = (0..3).map(|_| chan::bounded(1)).collect();
///     channels[1].0.try_send("found").unwrap();
///     let mut select = Select::new();
///     for (_, receiver) in &channels {
///         select.recv(receiver);
///     }
///     let mut selected = select.select().await;
///     assert_eq!(selected.index(), 1);
///     assert_eq!(selected.recv(&channels[1].1), Ok("found"));
/// });
/// ```
#[derive(Default)]
pub struct Select<'a> {
    /// None once it was chosen or removed, so that the numbers stay.
    cases: Vec<Option<Entry<'a>>>,
    /// Those that are left, and their numbers, in order: kept, for to collect them anew for each select was
    /// most of what one cost.
    left: Vec<Raw>,
    numbers: Vec<usize>,
    biased: bool,
    /// A select has begun and not ended: if it was forgotten, it has left its nodes queued.
    begun: bool,
}

struct Entry<'a> {
    case: Pin<Box<dyn Case + Send + 'a>>,
    /// The channel of a receive or a send.
    chan: *const (),
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Recv,
    Send,
    Future,
}

// SAFETY: (1) the cases, to which `left` points, are Send; `chan` is an address to compare with.
unsafe impl Send for Select<'_> {}

impl<'a> Select<'a> {
    /// A select without cases. Of the cases that are ready each is as likely to be chosen as any other.
    pub fn new() -> Self {
        Self::default()
    }

    /// A select without cases that chooses the first of those that are ready.
    pub fn new_biased() -> Self {
        Self {
            biased: true,
            ..Self::default()
        }
    }

    fn push(&mut self, mut entry: Entry<'a>) -> usize {
        let number = self.cases.len();
        self.left.push(erase(entry.case.as_mut()));
        self.numbers.push(number);
        self.cases.push(Some(entry));
        number
    }

    /// Adds a receive, and returns its number.
    pub fn recv<T: Send>(&mut self, receiver: &'a Receiver<T>) -> usize {
        self.push(Entry {
            chan: address(receiver.chan()),
            case: Box::pin(RecvCase::new(receiver.chan())),
            kind: Kind::Recv,
        })
    }

    /// Adds a send, and returns its number.
    pub fn send<T: Send>(&mut self, sender: &'a Sender<T>, value: T) -> usize {
        self.push(Entry {
            chan: address(sender.chan()),
            case: Box::pin(SendCase::new(sender.chan(), value)),
            kind: Kind::Send,
        })
    }

    /// Adds any other future, and returns its number. Its output is dropped; have it leave what matters
    /// elsewhere.
    pub fn future<F: Future + Send + 'a>(&mut self, future: F) -> usize
    where
        F::Output: Send,
    {
        self.push(Entry {
            chan: std::ptr::null(),
            case: Box::pin(FutureCase::new(future)),
            kind: Kind::Future,
        })
    }

    /// Takes a case out; true if it was there. The other numbers stay.
    pub fn remove(&mut self, index: usize) -> bool {
        let Ok(at) = self.numbers.binary_search(&index) else {
            return false;
        };
        drop(self.take(at));
        true
    }

    /// Waits for one of the cases. Without any it waits for ever.
    ///
    /// # Cancel safety
    ///
    /// A receive loses nothing. A send may have happened when the future is dropped while it waits.
    ///
    /// # Panics
    ///
    /// Panics if there are more than 16,777,215 cases.
    pub async fn select(&mut self) -> Selected<'a> {
        let chosen = self.begin(false).await;
        self.begun = false;
        self.take(chosen)
    }

    /// Blocks the thread until one of the cases has happened.
    ///
    /// # Panics
    ///
    /// Panics if there are more than 16,777,215 cases.
    pub fn select_blocking(&mut self) -> Selected<'a> {
        let chosen = wait(self.begin(false));
        self.begun = false;
        self.take(chosen)
    }

    /// One of the cases that are ready, if any is at this moment.
    ///
    /// # Panics
    ///
    /// Panics if there are more than 16,777,215 cases.
    pub fn try_select(&mut self) -> Option<Selected<'a>> {
        let chosen = wait(self.begin(true));
        self.begun = false;
        (chosen != DEFAULT).then(|| self.take(chosen))
    }

    /// A select over the cases that are left.
    fn begin(&mut self, has_default: bool) -> Selecting<'_, &mut [Raw], ()> {
        if mem::replace(&mut self.begun, true) {
            self.left.iter_mut().for_each(|case| case.pin().reclaim());
        }
        // SAFETY: (1) those in `left` are Send, and in `cases` while we are borrowed, exclusively; (2) their
        // boxes may have been moved since, but not they, which are pinned.
        unsafe { Selecting::of_list(&mut self.left, self.biased, has_default) }
    }

    /// Takes out number `at` of the cases that are left.
    fn take(&mut self, at: usize) -> Selected<'a> {
        self.left.remove(at);
        let index = self.numbers.remove(at);
        let entry = self.cases[index].take();
        Selected {
            index,
            entry: entry.expect("what is left is there"),
        }
    }
}

fn address<T>(chan: &Chan<T>) -> *const () {
    std::ptr::from_ref(chan).cast()
}

/// The case that a [`Select`] has chosen.
pub struct Selected<'a> {
    index: usize,
    entry: Entry<'a>,
}

impl Selected<'_> {
    /// Its number.
    pub fn index(&self) -> usize {
        self.index
    }

    /// What was received.
    ///
    /// # Errors
    ///
    /// Fails if the channel is closed and empty.
    ///
    /// # Panics
    ///
    /// Panics if the case is no receive from this channel, or the message was taken before.
    #[track_caller]
    pub fn recv<T>(&mut self, receiver: &Receiver<T>) -> Result<T, RecvError> {
        self.check(Kind::Recv, address(receiver.chan()));
        let slot = self.entry.case.as_mut().output_slot();
        let slot = slot.cast::<Option<Result<T, RecvError>>>();
        // SAFETY: (1) a receive from this very channel, whose messages are of type T; (2) we borrow the
        // case exclusively.
        let output = unsafe { &mut *slot }.take();
        output.expect("the message was taken before")
    }

    /// What came of the send.
    ///
    /// # Errors
    ///
    /// Gives the message back if the channel is closed.
    ///
    /// # Panics
    ///
    /// Panics if the case is no send into this channel, or was asked before.
    #[track_caller]
    pub fn send<T>(&mut self, sender: &Sender<T>) -> Result<(), SendError<T>> {
        self.check(Kind::Send, address(sender.chan()));
        let slot = self.entry.case.as_mut().output_slot();
        let slot = slot.cast::<Option<Result<(), SendError<T>>>>();
        // SAFETY: (1) a send into this very channel, whose messages are of type T; (2) we borrow the case
        // exclusively.
        let output = unsafe { &mut *slot }.take();
        output.expect("the send was asked for before")
    }

    #[track_caller]
    fn check(&self, kind: Kind, chan: *const ()) {
        assert!(
            self.entry.kind == kind && self.entry.chan == chan,
            "case {} is not this operation; expected the channel that it was added with",
            self.index
        );
    }
}

impl fmt::Debug for Select<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select")
            .field("cases", &self.cases.len())
            .field("biased", &self.biased)
            .finish()
    }
}

impl fmt::Debug for Selected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selected")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}
