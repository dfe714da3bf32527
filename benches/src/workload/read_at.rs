//! Positioned reads of a file that is in the page cache: what is left is the way to the system call.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::process;
use std::time::Instant;

use super::{Group, Lab, Session, Spec, Target};
use crate::measure::Cost;
use crate::peer::Peer;
use crate::rt::read::{self, BLOCK, Reader};
use crate::rt::{Gopark, Rt, Tokio};

/// Blocks of the file.
const BLOCKS: usize = 256;

/// One task reads block after block. Size: reads.
pub const SPEC: Spec = Spec {
    name: "read_at",
    group: Group::Block,
    unit: "ns/read",
    about: "one task reads 4 KiB at a position of a cached file; tokio: the better of seek and read, \
            and a job that reads",
    full: 40_000,
    quick: 500,
    rivals: &[Peer::Tokio],
    in_go: true,
    target: Some(Target::Ratio(0.20)),
};

/// Starts `peer`'s runtime and opens a file.
///
/// # Errors
///
/// Fails where the runtime cannot be started or the file not be written.
pub fn open(_: &Spec, _: &Lab, peer: Peer) -> io::Result<Option<Session>> {
    Ok(match peer {
        Peer::Gopark => Some(gopark::<true>()?),
        Peer::GoparkOff => Some(gopark::<false>()?),
        Peer::Tokio => {
            let (rt, file) = (Tokio::start()?, cached_file()?);
            Some(Box::new(move |size| {
                let seek = ns_per_read::<_, read::TokioSeek>(&rt, &file, size)?;
                let job = ns_per_read::<_, read::TokioJob>(&rt, &file, size)?;
                Ok(seek.min(job))
            }))
        }
        _ => None,
    })
}

fn gopark<const WATCHED: bool>() -> io::Result<Session> {
    let (rt, file) = (Gopark::<WATCHED>::start()?, cached_file()?);
    Ok(Box::new(move |size| {
        ns_per_read::<_, read::Gopark>(&rt, &file, size)
    }))
}

fn ns_per_read<R: Rt, F: Reader>(rt: &R, file: &File, size: usize) -> io::Result<f64> {
    let mut reader = F::new(file.try_clone()?);
    rt.run(async move {
        let start = Instant::now();
        for n in 0..size {
            let offset = (n % BLOCKS) * BLOCK;
            let length = reader.read_at(offset as u64).await?;
            assert_eq!(length, BLOCK, "a block of the file, read at {offset}");
        }
        Ok(Cost::since(start, size).ns_per_op())
    })
}

/// A file without a name: it is gone when it is closed, however this program ends.
fn cached_file() -> io::Result<File> {
    let path = env::temp_dir().join(format!("gopark-benches-{}", process::id()));
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    fs::remove_file(&path)?;
    file.write_all(&[b'.'; BLOCKS * BLOCK])?;
    Ok(file)
}
