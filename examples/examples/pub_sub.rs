//! Topics to which anybody may subscribe, and what becomes of a subscriber that is too slow.
//!
//!     cargo run -p gopark-examples --example pub_sub
//!
//! Look at: a topic is a `broadcast` channel, and a subscription its receiver, so to leave is to drop it;
//! a topic whose last subscriber has left is forgotten with the first message that reaches nobody. Whether the
//! slow may lose messages is said once, where the channel is made. Of a match only the present counts:
//! publishing never waits, and who slept is told how many are gone. Of orders each counts: there the
//! publisher waits for the slowest.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use gopark::{
    sync::broadcast::{self, Receiver, RecvError, Sender, TrySendError, lossless},
    task::yield_now,
};

/// How many messages a topic keeps for those who are behind.
const KEPT: usize = 4;

const MESSAGES: u32 = 10;

#[gopark::main(flavor = "current_thread")]
async fn main() {
    let broker = Broker::default();
    assert_eq!(broker.publish("tennis", 0), 0, "nobody is there");

    let quick = gopark::spawn(read(broker.subscribe("tennis"), usize::MAX));
    let sleeps = broker.subscribe("tennis");
    let mut visitor = None;
    let mut reached = Vec::new();
    for number in 1..=MESSAGES {
        if number == 3 {
            visitor = Some(gopark::spawn(read(broker.subscribe("tennis"), 2)));
        }
        reached.push(broker.publish("tennis", number));
        yield_now().await; // whoever is awake reads it
    }
    broker.close("tennis");
    println!("tennis: each message reached {reached:?}");
    assert_eq!(reached, [2, 2, 3, 3, 2, 2, 2, 2, 2, 2]);

    let quick = quick.await.expect("it does not panic");
    let visitor = visitor.expect("it came").await.expect("nor does it");
    let slow = read(sleeps, usize::MAX).await; // it wakes up when all is over
    println!("quick:   {quick}");
    println!("visitor: {visitor}");
    println!("slow:    {slow}");
    assert_eq!(quick, Read::all(1..=MESSAGES));
    assert_eq!(visitor, Read::all(3..=4));
    assert_eq!((slow.missed, slow.got), (6, vec![7, 8, 9, 10]));

    let leaves = broker.subscribe("chess");
    assert_eq!(broker.publish("chess", 1), 1);
    drop(leaves);
    assert_eq!(broker.publish("chess", 2), 0);
    assert_eq!(broker.topics(), 0, "both topics are forgotten");

    let (orders, slow) = broadcast::lossless(KEPT);
    let at_once = publish_while_there_is_room(&orders);
    let shop = gopark::spawn(read(slow, usize::MAX));
    for number in at_once + 1..=MESSAGES {
        orders.send(number).await.expect("the shop is open");
    }
    drop(orders);
    let shop = shop.await.expect("it does not panic");
    println!("orders: {at_once} at once, and the others as the shop takes them");
    println!("shop:    {shop}");
    assert_eq!((at_once as usize, shop), (KEPT, Read::all(1..=MESSAGES)));
}

/// The topics that somebody may be subscribed to.
#[derive(Default)]
struct Broker {
    /// A plain lock, for it is held for a moment and over no `.await`.
    topics: Mutex<HashMap<&'static str, Sender<u32>>>,
}

impl Broker {
    fn subscribe(&self, topic: &'static str) -> Receiver<u32> {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = topics.entry(topic).or_insert_with(|| Sender::new(KEPT));
        sender.subscribe()
    }

    /// How many subscribers will see it.
    fn publish(&self, topic: &str, message: u32) -> usize {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = topics
            .get(topic)
            .and_then(|sender| sender.send(message).ok());
        if reached.is_none() {
            topics.remove(topic);
        }
        reached.unwrap_or(0)
    }

    /// Its subscribers read what is left, and then meet the end.
    fn close(&self, topic: &str) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.remove(topic);
    }

    fn topics(&self) -> usize {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.len()
    }
}

/// What one subscriber has seen.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    got: Vec<u32>,
    missed: u64,
}

impl Read {
    fn all(messages: impl Iterator<Item = u32>) -> Self {
        Self {
            got: messages.collect(),
            missed: 0,
        }
    }
}

impl std::fmt::Display for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "read {:?}, missed {}", self.got, self.missed)
    }
}

/// A subscriber that reads to the end, or leaves after so many messages.
async fn read(mut topic: Receiver<u32>, most: usize) -> Read {
    let (mut got, mut missed) = (Vec::new(), 0);
    while got.len() < most {
        match topic.recv().await {
            Ok(message) => got.push(message),
            Err(RecvError::Lagged(count)) => missed += count,
            Err(RecvError::Closed) => break,
        }
    }
    Read { got, missed }
}

/// Publishes 1, 2, 3 and so on; the last that needed no wait.
fn publish_while_there_is_room(orders: &lossless::Sender<u32>) -> u32 {
    for number in 1.. {
        match orders.try_send(number) {
            Ok(_) => {}
            Err(TrySendError::Full(refused)) => return refused - 1,
            Err(TrySendError::Closed(_)) => unreachable!("somebody is subscribed"),
        }
    }
    unreachable!("there is an end to the room")
}
