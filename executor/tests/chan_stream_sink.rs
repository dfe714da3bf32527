//! Receivers as streams, senders as sinks.

mod chan_support;

use std::pin::Pin;
use std::task::{Context, Poll};

use chan_support::{CAPACITIES, alarm, channel, counted, everywhere, rounds, waiting};
use futures::stream::FusedStream;
use futures::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use gopark::chan;

#[test]
fn a_stream_ends_with_the_channel() {
    let (tx, mut rx) = chan::bounded(3);
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    assert_eq!(rx.next().now_or_never(), Some(Some(1)));
    assert!(!rx.is_terminated());
    drop(tx);
    assert!(!rx.is_terminated());
    assert_eq!(rx.next().now_or_never(), Some(Some(2)));
    assert!(rx.is_terminated());
    assert_eq!(rx.next().now_or_never(), Some(None));
    assert_eq!(rx.next().now_or_never(), Some(None));
}

#[test]
fn streams_that_wait_are_served_in_order_and_one_for_each_message() {
    let (tx, rx) = chan::rendezvous();
    let mut streams: Vec<_> = (0..3).map(|_| (rx.clone(), counted())).collect();
    for (stream, (_, waker)) in &mut streams {
        let polled = Pin::new(stream).poll_next(&mut Context::from_waker(waker));
        assert!(polled.is_pending());
    }
    for n in 0..3 {
        tx.try_send(n).unwrap();
        for (place, (_, (wakes, _))) in streams.iter().enumerate() {
            assert_eq!(wakes.get(), usize::from(place <= n));
        }
    }
    for (n, (stream, (_, waker))) in streams.iter_mut().enumerate() {
        let polled = Pin::new(stream).poll_next(&mut Context::from_waker(waker));
        assert_eq!(polled, Poll::Ready(Some(n)));
    }
}

#[test]
fn a_stream_and_receives_of_one_receiver_share_its_messages() {
    let (tx, rx) = chan::bounded(2);
    let mut stream = rx;
    assert!(stream.next().now_or_never().is_none());
    let other = stream.clone();
    let receive = waiting(other.recv());
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    assert_eq!(stream.next().now_or_never(), Some(Some(1)));
    assert_eq!(receive.woken(), Ok(2));
}

#[test]
fn a_stream_can_be_moved_while_it_waits() {
    let (tx, mut rx) = chan::bounded(1);
    assert!(rx.next().now_or_never().is_none());
    let mut moved = Box::new(rx);
    tx.try_send(1).unwrap();
    assert_eq!(moved.next().now_or_never(), Some(Some(1)));
}

#[test]
fn a_sink_that_is_ready_has_a_place() {
    let (tx, rx) = chan::bounded(1);
    let mut sink = tx.clone().into_sink();
    let (wakes, waker) = counted();
    let mut cx = Context::from_waker(&waker);
    assert_eq!(Pin::new(&mut sink).poll_ready(&mut cx), Poll::Ready(Ok(())));
    assert_eq!(Pin::new(&mut sink).poll_ready(&mut cx), Poll::Ready(Ok(())));
    assert!(tx.try_send(9).unwrap_err().is_full());
    Pin::new(&mut sink).start_send(1).unwrap();
    assert_eq!(rx.len(), 1);
    assert!(Pin::new(&mut sink).poll_ready(&mut cx).is_pending());
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(wakes.get(), 1);
    assert!(
        tx.try_send(9).unwrap_err().is_full(),
        "the place is the sink's"
    );
    assert_eq!(Pin::new(&mut sink).poll_ready(&mut cx), Poll::Ready(Ok(())));
    Pin::new(&mut sink).start_send(2).unwrap();
    assert_eq!(Pin::new(&mut sink).poll_flush(&mut cx), Poll::Ready(Ok(())));
    assert_eq!(rx.try_recv(), Ok(2));
}

#[test]
fn a_sink_that_goes_gives_its_place_and_its_turn_to_the_next() {
    for ends in [0, 1, 2] {
        let (tx, rx) = chan::bounded(1);
        let mut sink = tx.clone().into_sink();
        let (_, waker) = counted();
        let mut cx = Context::from_waker(&waker);
        if ends > 0 {
            tx.try_send(0).unwrap();
        }
        let ready = Pin::new(&mut sink).poll_ready(&mut cx).is_ready();
        assert_eq!(ready, ends == 0);
        let send = waiting(tx.send(1));
        if ends > 0 {
            assert_eq!(rx.try_recv(), Ok(0));
            assert_eq!(send.wakes(), 0);
        }
        if ends == 2 {
            assert_eq!(Pin::new(&mut sink).poll_close(&mut cx), Poll::Ready(Ok(())));
            assert!(
                Pin::new(&mut sink).poll_ready(&mut cx) == Poll::Ready(Err(chan::SendError(())))
            );
        } else {
            drop(sink);
        }
        assert_eq!(send.woken(), Ok(()));
        assert_eq!(rx.try_recv(), Ok(1));
    }
}

#[test]
fn a_sink_of_a_closed_channel_fails() {
    let (tx, rx) = chan::bounded(1);
    let mut sink = tx.into_sink();
    sink.send(1).now_or_never().unwrap().unwrap();
    let waits = waiting(sink.send(2));
    rx.close();
    assert!(waits.woken().is_err());
    assert!(sink.send(3).now_or_never().unwrap().is_err());
    assert_eq!(rx.try_recv(), Ok(1));
}

#[test]
fn streams_forwarded_to_sinks_lose_nothing() {
    let _alarm = alarm();
    let messages = rounds(10_000);
    for capacity in CAPACITIES {
        everywhere(
            || {
                let (tx, middle_rx) = channel(capacity);
                let (middle_tx, rx) = channel(capacity);
                let source = futures::stream::iter(0..messages).map(Ok);
                let send = source.forward(tx.into_sink()).map(|sent| {
                    sent.unwrap();
                    0
                });
                let pass = middle_rx
                    .map(Ok)
                    .forward(middle_tx.into_sink())
                    .map(|sent| {
                        sent.unwrap();
                        0
                    });
                let check = rx.enumerate().fold(0, |count, (at, message)| async move {
                    assert_eq!(message, at);
                    count + 1
                });
                vec![send.boxed(), pass.boxed(), check.boxed()]
            },
            |counts| assert_eq!(counts[2], messages),
        );
    }
}
