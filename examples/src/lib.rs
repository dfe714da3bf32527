//! What the examples share, which is only what is not their point: the command line, the failure
//! that ends a program, and the end of a server that a test started.
//!
//! Each file in `examples/` shows one idea; its first lines say how to run it and what to look at.

#![forbid(unsafe_code)]

use std::{fmt, io, process, thread};

/// The command line without the program's name and without `--smoke`.
pub fn arguments() -> Vec<String> {
    std::env::args()
        .skip(1)
        .filter(|argument| argument != "--smoke")
        .collect()
}

/// With `--smoke` on the command line, ends the process when its standard input ends.
///
/// A server calls this first. So a test that starts it can also stop it, by closing the pipe, and
/// no server outlives its test, however that ends. The other examples come to an end by themselves
/// and ignore `--smoke`.
pub fn end_with_stdin_if_smoke() {
    if std::env::args().any(|argument| argument == "--smoke") {
        thread::spawn(|| {
            let end = io::copy(&mut io::stdin(), &mut io::sink());
            process::exit(i32::from(end.is_err()));
        });
    }
}

/// Why an example cannot go on. As the error of `main` it is printed as it was written.
pub struct Failure(String);

impl<M: Into<String>> From<M> for Failure {
    fn from(message: M) -> Self {
        Self(message.into())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
