//! The auto traits of every public type, and of the futures of `async` functions: what may be sent, shared,
//! moved while it is pinned, and seen after a panic was caught. A change here is a change of the interface.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;

use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::Path;
use std::rc::Rc;
use std::sync::MutexGuard;

/// Has an inherent constant, or the method, for each trait that the type has, and else that of [`No`].
struct Probe<X: ?Sized>(PhantomData<X>);

/// Of the value that the closure would return.
fn of<X>(_: impl FnOnce() -> X) -> Probe<X> {
    Probe(PhantomData)
}

macro_rules! probes {
    ($($trait:ident)*) => {
        #[allow(non_snake_case)]
        trait No {
            $(fn $trait(&self) -> bool { false })*
        }
        impl<X: ?Sized> No for Probe<X> {}
        $(
            #[allow(non_snake_case)]
            impl<X: ?Sized + $trait> Probe<X> {
                fn $trait(&self) -> bool { true }
            }
        )*
    };
}
probes!(Send Sync Unpin UnwindSafe RefUnwindSafe);

/// In words, from the answers for a `T` that is `Send + Sync`, `Send`, `Sync`, neither.
fn describe(name: &str, answers: [bool; 4]) -> String {
    match answers {
        [true, true, true, true] => name.to_string(),
        [false, false, false, false] => format!("!{name}"),
        [true, true, false, false] => format!("{name} if T: Send"),
        [true, false, true, false] => format!("{name} if T: Sync"),
        [true, false, false, false] => format!("{name} if T: Send + Sync"),
        other => format!("{name} {other:?}"),
    }
}

/// A row for each type: the type, in which `T` stands for any, and its traits.
macro_rules! rows {
    ($($probe:expr, $expected:literal;)*) => {
        [$({
            // Four times the same tokens, in which `T` names something else.
            let both = { #[allow(dead_code)] type T = u8; let p = $probe; answers!(p) };
            let send = { #[allow(dead_code)] type T = Cell<u8>; let p = $probe; answers!(p) };
            let sync = { #[allow(dead_code)] type T = MutexGuard<'static, u8>; let p = $probe; answers!(p) };
            let none = { #[allow(dead_code)] type T = Rc<u8>; let p = $probe; answers!(p) };
            let names = ["Send", "Sync", "Unpin"];
            let mut found: Vec<String> = (0..3)
                .map(|n| describe(names[n], [both[n], send[n], sync[n], none[n]]))
                .collect();
            // These two for a `T` that has them.
            for (n, name) in [(3, "UnwindSafe"), (4, "RefUnwindSafe")] {
                found.push(describe(name, [both[n]; 4]));
            }
            (stringify!($probe), $expected, found.join(", "))
        },)*]
    };
}

macro_rules! answers {
    ($p:ident) => {
        [
            $p.Send(),
            $p.Sync(),
            $p.Unpin(),
            $p.UnwindSafe(),
            $p.RefUnwindSafe(),
        ]
    };
}

/// Of a type.
macro_rules! ty {
    ($type:ty) => {
        Probe::<$type>(PhantomData)
    };
}

/// Of what a method returns for a `self`, and other arguments, of these types.
macro_rules! fut {
    ($($arg:ident: $type:ty),* => $call:expr) => {
        { fn any<X>() -> X { unreachable!() } of(|| { $(let $arg: $type = any();)* $call }) }
    };
}

/// Compares, and lists all that differ.
fn check(rows: &[(&str, &str, String)]) {
    let differ: Vec<_> = rows
        .iter()
        .filter(|(_, expected, found)| expected != found)
        .map(|(row, expected, found)| format!("{row}\n  expected {expected}\n  found    {found}"))
        .collect();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn types_of_gopark_have_these_auto_traits() {
    check(&rows! {
        ty!(gopark::chan::Sender<T>), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::Receiver<T>), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::WeakSender<T>), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::WeakReceiver<T>), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::IntoIter<T>), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::Iter<'static, T>), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::TryIter<'static, T>), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::Closed<'static, T>), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::Drain<'static, T>), "Send if T: Send, Sync if T: Send + Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::RecvMany<'static, T>), "Send if T: Send, Sync if T: Send + Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::chan::Recv<'static, T>), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::chan::Send<'static, T>), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::chan::SendOpt<'static, T>), "Send if T: Send, Sync if T: Send + Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::chan::SendSink<T>), "Send if T: Send, Sync if T: Send, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::chan::Reserve<'static, T>), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::chan::ReserveMany<'static, T>), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::chan::Permit<'static, T>), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::Permits<'static, T>), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::OwnedPermit<T>), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::Select<'static>), "Send, !Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::chan::Selected<'static>), "!Send, !Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::chan::RecvError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::RecvTimeoutError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::ReserveManyError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::SendError<T>), "Send if T: Send, Sync if T: Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::SendManyError<std::vec::IntoIter<T>>), "Send if T: Send, Sync if T: Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::SendTimeoutError<T>), "Send if T: Send, Sync if T: Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::TryRecvError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::chan::TrySendError<T>), "Send if T: Send, Sync if T: Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::context::AfterFunc), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::context::Cancel), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::context::Context), "Send, Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::context::ContextError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::context::Done<'static>), "Send, Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::context::DoneOwned), "Send, Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::context::DropGuard), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::context::Run<'static, std::future::Ready<T>>), "Send if T: Send, Sync if T: Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::fs::DirBuilder), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::fs::DirEntry), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::fs::File), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::fs::Lines), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::fs::OpenOptions), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::fs::ReadDir), "Send, Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::group::Group<T>), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::group::GroupFailed), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::group::LimitError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::group::Scope<'static, 'static>), "Send, Sync, Unpin, !UnwindSafe, RefUnwindSafe";
        ty!(gopark::group::ScopedHandle<'static, T>), "Send if T: Send, Sync if T: Send, Unpin, !UnwindSafe, RefUnwindSafe";
        ty!(gopark::runtime::Builder), "Send, Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::runtime::DeadlockPolicy), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::runtime::EnterGuard<'static>), "!Send, !Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::runtime::Flavor), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::runtime::Handle), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::runtime::Metrics), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::runtime::Runtime), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::runtime::SetProcsError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::runtime::StallPolicy), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::runtime::StillRunning), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::runtime::TaskInfo), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::runtime::TryCurrentError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::runtime::WaitReason), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::AcquireError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::Barrier), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::BarrierWaitResult), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::Cond), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::MappedMutexGuard<'static, T>), "Send if T: Send, Sync if T: Sync, Unpin, !UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::Mutex<T>), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, !RefUnwindSafe";
        ty!(gopark::sync::MutexGuard<'static, T>), "Send if T: Send, Sync if T: Send + Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::sync::Notified<'static>), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::sync::Notify), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::Once), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::OnceCell<T>), "Send if T: Send, Sync if T: Send + Sync, Unpin, UnwindSafe, !RefUnwindSafe";
        ty!(gopark::sync::OwnedMappedMutexGuard<T>), "Send if T: Send, Sync if T: Send + Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::sync::OwnedMutexGuard<T>), "Send if T: Send, Sync if T: Send + Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::sync::OwnedNotified), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::sync::OwnedRwLockMappedWriteGuard<T>), "Send if T: Send + Sync, Sync if T: Send + Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::sync::OwnedRwLockReadGuard<T>), "Send if T: Send + Sync, Sync if T: Send + Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::sync::OwnedRwLockWriteGuard<T>), "Send if T: Send + Sync, Sync if T: Send + Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::sync::OwnedSemaphorePermit), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::RwLock<T>), "Send if T: Send, Sync if T: Send + Sync, Unpin, UnwindSafe, !RefUnwindSafe";
        ty!(gopark::sync::RwLockMappedWriteGuard<'static, T>), "Send if T: Send, Sync if T: Sync, Unpin, !UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::RwLockReadGuard<'static, T>), "Send if T: Sync, Sync if T: Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::RwLockWriteGuard<'static, T>), "Send if T: Send + Sync, Sync if T: Send + Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::sync::Semaphore), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::SemaphorePermit<'static>), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::SetError<T>), "Send if T: Send, Sync if T: Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::TryAcquireError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::TryLockError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::WaitGroup), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::Worker), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::broadcast::Receiver<T>), "Send if T: Send + Sync, Sync if T: Send + Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::broadcast::RecvError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::broadcast::SendError<T>), "Send if T: Send, Sync if T: Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::broadcast::Sender<T>), "Send if T: Send + Sync, Sync if T: Send + Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::broadcast::Stream<'static, T>), "Send if T: Send + Sync, Sync if T: Send + Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::sync::broadcast::TryRecvError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::broadcast::TrySendError<T>), "Send if T: Send, Sync if T: Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::broadcast::WeakSender<T>), "Send if T: Send + Sync, Sync if T: Send + Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::broadcast::lossless::Sender<T>), "Send if T: Send + Sync, Sync if T: Send + Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::oneshot::Receiver<T>), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::oneshot::RecvError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::oneshot::Sender<T>), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::oneshot::TryRecvError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::watch::Receiver<T>), "Send if T: Send + Sync, Sync if T: Send + Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::watch::RecvError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::watch::Ref<'static, T>), "!Send, Sync if T: Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::watch::SendError<T>), "Send if T: Send, Sync if T: Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::sync::watch::Sender<T>), "Send if T: Send + Sync, Sync if T: Send + Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::task::AbortHandle), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::task::AccessError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::task::Id), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::task::JoinError), "Send, Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::task::JoinHandle<T>), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::task::JoinSet<T>), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::task::LocalKey<T>), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::task::TaskLocalFuture<T, ()>), "Send if T: Send, Sync if T: Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::task::TaskLocalFuture<(), T>), "Send if T: Send, Sync if T: Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::task::Unconstrained<T>), "Send if T: Send, Sync if T: Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::task::YieldNow), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::time::Elapsed), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::time::Instant), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::time::Interval), "Send, Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::time::MissedTickBehavior), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::time::Sleep), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::time::Timeout<T>), "Send if T: Send, Sync if T: Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
    });
}

#[test]
fn types_of_gopark_net_have_these_auto_traits() {
    check(&rows! {
        ty!(gopark::net::AsyncFd<File>), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::AsyncFdReadyGuard<'static, File>), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::Claim), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::Entered), "!Send, !Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::net::Entry), "!Send, !Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::net::Incoming<'static>), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::Interest), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::OwnedReadHalf), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::OwnedWriteHalf), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::Reactor), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::ReadHalf<'static>), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::Ready), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::ReuniteError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::TcpListener), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::TcpSocket), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::TcpStream), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::TryIoError), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::WriteHalf<'static>), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::entered::Head<T>), "!Send, !Sync, Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::net::entered::Node<T>), "!Send, !Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        ty!(gopark::net::fork::Held<T>), "Send if T: Send, Sync, Unpin, UnwindSafe, !RefUnwindSafe";
        ty!(gopark::net::fork::Steps), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::note::Budgeted), "!Send, !Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::note::Exempt), "!Send, !Sync, Unpin, UnwindSafe, RefUnwindSafe";
        ty!(gopark::net::note::Saved), "Send, Sync, Unpin, UnwindSafe, RefUnwindSafe";
    });
}

#[test]
fn futures_of_methods_and_functions_have_these_auto_traits() {
    check(&rows! {
        fut!(x: &'static mut gopark::task::JoinSet<T> => x.join_next()), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static mut gopark::task::JoinSet<T> => x.join_next_with_id()), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static mut gopark::task::JoinSet<T> => x.shutdown()), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: gopark::task::JoinSet<T> => x.join_all()), "Send if T: Send, Sync if T: Send + Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static mut gopark::group::Group<T> => x.wait()), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File => x.read(&mut [])), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File => x.read_exact(&mut [])), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File => x.write(&[])), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File => x.write_all(&[])), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File => x.flush()), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File => x.rewind()), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File => x.stream_position()), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File => x.sync_all()), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File => x.sync_data()), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File => x.set_len(1)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File => x.metadata()), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File => x.try_clone()), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File => x.read_at(&mut [], 1)), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File => x.read_exact_at(&mut [], 1)), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File => x.write_at(&[], 1)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File => x.write_all_at(&[], 1)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File, b: &'static mut Vec<u8> => x.read_to_end(b)), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File, b: &'static mut String => x.read_to_string(b)), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::File, b: std::io::SeekFrom => x.seek(b)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: gopark::fs::File => x.into_std()), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static mut gopark::fs::ReadDir => x.next_entry()), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static mut gopark::fs::Lines => x.next_line()), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::DirEntry => x.metadata()), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::fs::DirEntry => x.file_type()), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::read(x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::read_to_string(x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::read_dir(x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::create_dir(x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::create_dir_all(x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::remove_dir(x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::remove_dir_all(x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::lines(x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::remove_file(x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::read_link(x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::canonicalize(x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::metadata(x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::symlink_metadata(x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::try_exists(x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::write(x, x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::copy(x, x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::rename(x, x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::hard_link(x, x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::File::open(x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::File::create(x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::fs::File::create_new(x)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static str => gopark::net::TcpListener::bind(x)), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static str => gopark::net::TcpStream::connect(x)), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static str => gopark::net::lookup_host(x)), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::sync::watch::Sender<T> => x.closed()), "Send if T: Send + Sync, Sync if T: Send + Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static mut gopark::sync::watch::Receiver<T> => x.changed()), "Send if T: Send + Sync, Sync if T: Send + Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static mut gopark::sync::watch::Receiver<T> => x.wait_for(|_| true)), "Send if T: Send + Sync, Sync if T: Send + Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::sync::Cond, g: gopark::sync::MutexGuard<'static, T> => x.wait(g)), "Send if T: Send, Sync if T: Send + Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::sync::Cond, g: gopark::sync::MutexGuard<'static, T> => x.wait_while(g, |_| true)), "Send if T: Send, Sync if T: Send + Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::sync::RwLock<T> => x.read()), "Send if T: Send + Sync, Sync if T: Send + Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::sync::RwLock<T> => x.write()), "Send if T: Send + Sync, Sync if T: Send + Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: std::sync::Arc<gopark::sync::RwLock<T>> => x.read_owned()), "Send if T: Send + Sync, Sync if T: Send + Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: std::sync::Arc<gopark::sync::RwLock<T>> => x.write_owned()), "Send if T: Send + Sync, Sync if T: Send + Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::sync::Mutex<T> => x.lock()), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: std::sync::Arc<gopark::sync::Mutex<T>> => x.lock_owned()), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::sync::OnceCell<T>, t: fn() -> T => x.get_or_init(async move || t())), "Send if T: Send + Sync, Sync if T: Send + Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::sync::Once => x.call_once(async || {})), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::sync::Semaphore => x.acquire()), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::sync::Semaphore => x.acquire_many(1)), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: std::sync::Arc<gopark::sync::Semaphore> => x.acquire_owned()), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: std::sync::Arc<gopark::sync::Semaphore> => x.acquire_many_owned(1)), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::sync::WaitGroup => x.wait()), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::sync::Barrier => x.wait()), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static mut gopark::sync::oneshot::Sender<T> => x.closed()), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: gopark::sync::oneshot::Receiver<T> => x), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::sync::broadcast::Sender<T> => x.closed()), "Send if T: Send + Sync, Sync if T: Send + Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::sync::broadcast::lossless::Sender<u8> => x.send(1)), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::sync::broadcast::lossless::Sender<u8> => x.closed()), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static mut gopark::sync::broadcast::Receiver<u8> => x.recv()), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static mut gopark::time::Interval => x.tick()), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(d: std::time::Duration => gopark::time::advance(d)), "Send, Sync, !Unpin, UnwindSafe, RefUnwindSafe";
        fut!(d: std::time::Duration => gopark::time::sleep(d)), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::chan::Sender<T>, t: T, d: std::time::Duration => x.send_timeout(t, d)), "Send if T: Send, Sync if T: Send + Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::chan::Sender<T>, t: T => x.send(t)), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::chan::Sender<T>, t: T, d: gopark::time::Instant => x.send_deadline(t, d)), "Send if T: Send, Sync if T: Send + Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: gopark::chan::Sender<T> => x.reserve_owned()), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::chan::Sender<T> => x.reserve()), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::chan::Sender<T> => x.reserve_many(2)), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::chan::Sender<T> => x.closed()), "Send if T: Send, Sync if T: Send, Unpin, UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::chan::Sender<T>, t: Vec<T> => x.send_many(t)), "Send if T: Send, Sync if T: Send + Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::chan::Receiver<T> => x.recv()), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::chan::Receiver<T>, d: std::time::Duration => x.recv_timeout(d)), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::chan::Receiver<T>, d: gopark::time::Instant => x.recv_deadline(d)), "Send if T: Send, Sync if T: Send, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static mut gopark::chan::Select<'static> => x.select()), "Send, !Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::net::TcpStream => x.read(&mut [])), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::TcpStream => x.read_exact(&mut [])), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::TcpStream => x.peek(&mut [])), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::TcpStream => x.write(&[])), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::TcpStream => x.write_all(&[])), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::TcpStream => x.readable()), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::TcpStream => x.writable()), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::TcpStream => x.ready(gopark::net::Interest::READABLE)), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::TcpStream => x.async_io(gopark::net::Interest::READABLE, || Ok(()))), "Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe";
        fut!(x: &'static gopark::net::TcpStream, b: &'static mut Vec<u8> => x.read_to_end(b)), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::OwnedReadHalf => x.read(&mut [])), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::OwnedReadHalf => x.read_exact(&mut [])), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::OwnedReadHalf => x.peek(&mut [])), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::OwnedReadHalf => x.readable()), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::OwnedWriteHalf => x.write(&[])), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::OwnedWriteHalf => x.write_all(&[])), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::OwnedWriteHalf => x.writable()), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::TcpListener => x.accept()), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: gopark::net::TcpSocket, a: std::net::SocketAddr => x.connect(a)), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::AsyncFd<File> => x.readable()), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
        fut!(x: &'static gopark::net::AsyncFd<File> => x.writable()), "Send, Sync, !Unpin, !UnwindSafe, RefUnwindSafe";
    });
}

#[test]
fn a_join_handle_is_send_and_sync_exactly_when_its_output_is_send() {
    macro_rules! handle_of {
        ($output:ty) => {{
            let p = Probe::<gopark::task::JoinHandle<$output>>(PhantomData);
            (p.Send(), p.Sync())
        }};
    }
    assert_eq!(handle_of!(u8), (true, true));
    assert_eq!(handle_of!(Cell<u8>), (true, true));
    assert_eq!(handle_of!(MutexGuard<'static, u8>), (false, false));
    assert_eq!(handle_of!(Rc<u8>), (false, false));
}

/// Public by the keyword, and not to be reached by a user, or parts of what macros expand to.
const INTERNAL: &[&str] = &[
    "Addrs",
    "Case",
    "Cases",
    "Chan",
    "Everywhere",
    "Fired",
    "FutureCase",
    "LocalSlot",
    "Op",
    "Probe",
    "Raw",
    "RawLock",
    "RecvCase",
    "RecvSeed",
    "RunHere",
    "RunTask",
    "ReserveCase",
    "ReserveSeed",
    "Resolving",
    "Selecting",
    "SendCase",
    "SendOptCase",
    "SendSeed",
];

#[test]
fn no_public_type_is_missing_here() {
    let here = include_str!("auto_traits.rs");
    let mut missing = BTreeSet::new();
    let mut folders = vec![
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../net/src"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            for line in std::fs::read_to_string(path).unwrap().lines() {
                let line = line.trim_start();
                let Some(rest) = ["pub struct ", "pub enum "]
                    .iter()
                    .find_map(|key| line.strip_prefix(key))
                else {
                    continue;
                };
                let name: String = rest
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                let used = ["<", ")", "\n"]
                    .iter()
                    .any(|end| here.contains(&format!("::{name}{end}")));
                if !used && !INTERNAL.contains(&name.as_str()) {
                    missing.insert(name);
                }
            }
        }
    }
    assert!(missing.is_empty(), "not in this file: {missing:?}");
}
