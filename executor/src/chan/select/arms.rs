//! The macros.

/// Waits for several operations, of which exactly one happens: Go's `select`.
///
/// ```
/// use gopark::chan;
/// use std::time::Duration;
///
/// gopark::block_on(async {
///     let (tx, rx) = chan::bounded::<u32>(1);
///     let (results, _keep) = chan::bounded(1);
///     tx.try_send(6).unwrap();
///     let said = gopark::select! {
///         message = rx.recv() => format!("received {message:?}"),
///         _ = chan::after(Duration::from_secs(5)) => "too late".to_string(),
///         sent = results.send(7), if rx.is_empty() => format!("sent {sent:?}"),
///     };
///     assert_eq!(said, "received Ok(6)");
/// });
/// ```
///
/// An arm is `pattern = operation => body`, or `pattern = operation, if condition => body`, or `default =>
/// body`, or `else => body`; commas after blocks may be left out.
///
/// - *Operations* are [`recv`](crate::chan::Receiver::recv), [`send`](crate::chan::Sender::send),
///   [`send_opt`](crate::chan::Sender::send_opt) and [`reserve`](crate::chan::Sender::reserve) of channels; a
///   [`Receiver`](crate::chan::Receiver) itself, such as the one that [`after`](crate::chan::after) returns;
///   and any other future: a `JoinHandle` (by `&mut` to keep it), a lock, a sleep. The output of a future
///   is never lost: it is polled only while no channel could commit.
/// - All operations are evaluated once, up front, in the order in which they stand. All of them are dropped
///   before a body or the default runs, with what they borrowed; of those that lose, values to be sent are
///   dropped, too, but `send_opt` leaves them where they were.
/// - Of several that are ready one is chosen at random, each with the same chance, also if they are waited
///   for at one channel; after `biased;` as first line, the first.
/// - With a `default` it does not wait: the default is chosen if at one instant none of the channels'
///   operations was ready.
/// - A case whose condition is false is never ready, and its operation is not evaluated.
/// - A pattern that does not match turns its arm off until the select ends; see below. With `else` it ends
///   once all arms are off, by their patterns or their conditions.
/// - Up to 64 cases; [`Select`](crate::chan::Select) takes more. Without any it waits for ever.
///
/// # Choosing by what was received
///
/// When a pattern is looked at, its operation has happened: the message is out of the channel, or the
/// value is sent. If it does not match, what the operation gave is dropped, its arm is off, and the others are
/// waited for:
///
/// ```
/// use gopark::task::JoinSet;
///
/// gopark::block_on(async {
///     let mut tasks: JoinSet<u32> = (1..4).map(|n| async move { n * n }).collect();
///     let mut sum = 0;
///     loop {
///         gopark::select! {
///             Some(square) = tasks.join_next() => sum += square.unwrap(),
///             else => break,
///         }
///     }
///     assert_eq!(sum, 14);
/// });
/// ```
///
/// A pattern may leave something out where the select cannot run out of arms unnoticed: beside an `else`, a
/// default, or an arm without a condition whose pattern is a name or `_`. Elsewhere it is a compile error.
///
/// An end, such as a `None` or an `Err`, is no loss. Messages are: `Ok(Stop) =
/// commands.recv()` drops every other command. Then the body says what becomes of each, and a condition turns
/// off what has ended:
///
/// ```
/// use gopark::chan;
///
/// gopark::block_on(async {
///     let (numbers, more) = chan::bounded(4);
///     let (ticks, clock) = chan::bounded(4);
///     for number in [1, 2, 0] {
///         numbers.try_send(number).unwrap();
///     }
///     ticks.try_send(()).unwrap();
///     drop((numbers, ticks));
///     let (mut sum, mut ticked, mut counting, mut ticking) = (0, 0, true, true);
///     while counting || ticking {
///         gopark::select! {
///             number = more.recv(), if counting => match number {
///                 Ok(0) | Err(_) => counting = false,
///                 Ok(number) => sum += number,
///             },
///             tick = clock.recv(), if ticking => match tick {
///                 Ok(()) => ticked += 1,
///                 Err(_) => ticking = false,
///             },
///         }
///     }
///     assert_eq!((sum, ticked), (3, 1));
/// });
/// ```
///
/// # Cancel safety
///
/// When the future around it is dropped while it waits, a receive has lost nothing; one of the sends
/// may have happened.
///
/// # Panics
///
/// Panics if an operation that was polled before is given by value.
#[macro_export]
macro_rules! select {
    ($($arms:tt)*) => {
        $crate::__private::select! { ($crate) async { $($arms)* } }
    };
}

/// As [`select!`](crate::select), for plain threads: blocks until one of the operations has happened. In a
/// task the thread gives its processor up meanwhile.
///
/// ```
/// use gopark::chan;
/// use std::time::Duration;
///
/// let (tx, rx) = chan::rendezvous();
/// let sender = std::thread::spawn(move || tx.send_blocking("hello"));
/// gopark::select_blocking! {
///     message = rx.recv() => assert_eq!(message, Ok("hello")),
///     _ = chan::after(Duration::from_secs(60)) => panic!("nobody sends"),
/// }
/// sender.join().unwrap().unwrap();
/// ```
#[macro_export]
macro_rules! select_blocking {
    ($($arms:tt)*) => {
        $crate::__private::select! { ($crate) blocking { $($arms)* } }
    };
}
