//! Running out of descriptors. Alone in its process, because it changes the process' limit.
#![cfg(unix)]

use std::io;
use std::task::{Context, Waker};

use futures::executor::block_on;
use gopark_net::TcpListener;
use socket2::{Domain, Socket, Type};

fn limit(files: libc::rlim_t) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a valid place for the answer.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    assert_eq!(got, 0, "{}", io::Error::last_os_error());
    limit.rlim_cur = files.min(limit.rlim_max);
    // SAFETY: `limit` is a valid value.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
}

#[test]
fn a_listener_survives_running_out_of_descriptors() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let clients: Vec<_> = (0..2)
            .map(|_| Socket::new(Domain::IPV4, Type::STREAM, None))
            .collect::<io::Result<_>>()?;
        // The listener waits, so that the one report of the connection is consumed by the failure.
        let mut cx = Context::from_waker(Waker::noop());
        assert!(listener.poll_accept(&mut cx).is_pending());

        limit(256);
        let mut hoard = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            hoard.push(file);
        }
        clients[0].connect(&addr.into())?;
        for _ in 0..3 {
            // It fails again and again instead of hanging after the first time.
            let failure = listener.accept().await.expect_err("there is no descriptor");
            assert_eq!(failure.raw_os_error(), Some(libc::EMFILE), "{failure}");
        }

        hoard.clear();
        let (_accepted, peer) = listener.accept().await?;
        assert_eq!(Some(peer), clients[0].local_addr()?.as_socket());
        assert!(listener.poll_accept(&mut cx).is_pending());
        clients[1].connect(&addr.into())?;
        let (_accepted, peer) = listener.accept().await?;
        assert_eq!(Some(peer), clients[1].local_addr()?.as_socket());
        io::Result::Ok(())
    })
    .expect("the listener lives on");
}
