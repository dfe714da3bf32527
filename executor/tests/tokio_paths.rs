//! The names that a user of tokio imports, under tokio's paths. That it compiles is the test.
#![allow(unused_imports, reason = "the imports are what is tested")]

use gopark::net::tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
use gopark::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs, lookup_host};
use gopark::runtime::{Builder, EnterGuard, Handle, Runtime, TryCurrentError};
use gopark::sync::broadcast::error::{
    RecvError as BroadcastRecvError, SendError as BroadcastSendError,
    TryRecvError as BroadcastTryRecvError,
};
use gopark::sync::futures::{Notified, OwnedNotified};
use gopark::sync::oneshot::error::{
    RecvError as OneshotRecvError, TryRecvError as OneshotTryRecvError,
};
use gopark::sync::watch::error::{RecvError as WatchRecvError, SendError as WatchSendError};
use gopark::sync::{
    AcquireError, Barrier, BarrierWaitResult, MappedMutexGuard, Mutex, MutexGuard, Notify,
    OnceCell, OwnedMappedMutexGuard, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard,
    OwnedSemaphorePermit, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, SemaphorePermit,
    SetError, TryAcquireError, TryLockError, broadcast, oneshot, watch,
};
use gopark::task::coop::{Unconstrained, unconstrained};
use gopark::task::futures::TaskLocalFuture;
use gopark::task::join_set::JoinSet as JoinSetOfItsModule;
use gopark::task::{
    AbortHandle, AccessError, Id, JoinError, JoinHandle, JoinSet, LocalKey, id, spawn,
    spawn_blocking, spawn_local, try_id, yield_now,
};
use gopark::time::error::Elapsed;
use gopark::time::{
    Duration, Instant, Interval, MissedTickBehavior, Sleep, Timeout, interval, interval_at, sleep,
    sleep_until, timeout, timeout_at,
};

/// `tokio::sync::mpsc::error`, for what took the place of its channels.
use gopark::chan::error::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};

#[test]
fn errors_are_the_same_types_under_both_paths() {
    fn same<T>(_: fn(T), _: fn(T)) {}
    same(|_: BroadcastRecvError| (), |_: broadcast::RecvError| ());
    same(|_: OneshotRecvError| (), |_: oneshot::RecvError| ());
    same(|_: WatchRecvError| (), |_: watch::RecvError| ());
    same(|_: Elapsed| (), |_: gopark::time::Elapsed| ());
    same(
        |_: TrySendError<u8>| (),
        |_: gopark::chan::TrySendError<u8>| (),
    );
    same(|_: JoinSetOfItsModule<u8>| (), |_: JoinSet<u8>| ());
}

#[test]
fn a_port_matches_on_errors_by_their_paths() {
    gopark::block_on(async {
        let (sender, mut receiver) = broadcast::channel::<u8>(1);
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        match receiver.recv().await {
            Err(broadcast::error::RecvError::Lagged(missed)) => assert_eq!(missed, 1),
            other => panic!("{other:?}"),
        }
    });
}
