//! A tree of 111,111 tasks whose leaves send numbers up to the root: the "skynet" benchmark, with
//! join handles in place of channels.

use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::time::Instant;

use super::{Group, RUNTIMES, Spec, Target, Workload};
use crate::measure::Cost;
use crate::rt::Rt;

/// Tasks in the tree: 1 + 10 + ... + 100,000.
const TASKS: usize = 111_111;

/// Builds the tree and sums its leaves up. Size: trees, one after the other.
#[derive(Debug)]
pub struct Skynet;

impl Workload for Skynet {
    const SPEC: Spec = Spec {
        name: "skynet",
        group: Group::Sched,
        unit: "ns/task",
        about: "a tree of 111,111 tasks, ten children each; sums go up through join handles",
        full: 4,
        quick: 1,
        rivals: RUNTIMES,
        in_go: true,
        target: Some(Target::Ratio(0.50)),
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        Ok(rt.run(async move {
            let start = Instant::now();
            for _ in 0..size {
                let sum = R::join(R::spawn(Tree::sum::<R>(0))).await;
                assert_eq!(sum, 99_999 * 100_000 / 2, "each leaf counts once");
            }
            Cost::since(start, size * TASKS)
        }))
    }
}

type Tree = Node<Node<Node<Node<Node<Leaf>>>>>;

/// A task of the tree. Its height is in its type, so that the recursion needs no boxed future.
trait Task: Send + 'static {
    /// Leaves below.
    const LEAVES: u64;

    /// The sum of the leaves below, the first of which is `first`.
    fn sum<R: Rt>(first: u64) -> impl Future<Output = u64> + Send + 'static;
}

struct Leaf;

struct Node<Child>(PhantomData<Child>);

impl Task for Leaf {
    const LEAVES: u64 = 1;

    async fn sum<R: Rt>(first: u64) -> u64 {
        first
    }
}

impl<Child: Task> Task for Node<Child> {
    const LEAVES: u64 = 10 * Child::LEAVES;

    async fn sum<R: Rt>(first: u64) -> u64 {
        let child = |i| R::spawn(Child::sum::<R>(first + i * Child::LEAVES));
        let children: [_; 10] = std::array::from_fn(|i| child(i as u64));
        let mut sum = 0;
        for child in children {
            sum += R::join(child).await;
        }
        sum
    }
}
