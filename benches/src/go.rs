//! The same workloads written in Go: `benches/go`, built when `versus` starts and run as a child for
//! each run.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::child::Program;
use crate::peer::PROCS;
use crate::workload::Session;

/// The built program.
#[derive(Clone, Debug)]
pub struct Go {
    program: PathBuf,
    version: String,
}

impl Go {
    /// Builds the program in Go into `directory`; `None` if there is no `go` on the `PATH`.
    ///
    /// # Errors
    ///
    /// Fails where there is a `go` that cannot build it.
    pub fn build(directory: &Path) -> io::Result<Option<Self>> {
        let version = match Command::new("go").arg("version").output() {
            Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let program = directory.join("versus-go");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/go");
        let failed = |why: String| io::Error::other(format!("go build in {source}: {why}"));
        let built = Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(source)
            // This toolchain and no other: what was asked for, and no download.
            .env("GOTOOLCHAIN", "local")
            .status()
            .map_err(|error| failed(error.to_string()))?;
        if !built.success() {
            return Err(failed(built.to_string()));
        }
        Ok(Some(Self { program, version }))
    }

    /// What `go version` says.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Runs the workload `name` in a new process each time.
    #[must_use]
    pub fn session(&self, name: &'static str) -> Session {
        let program = Program::plain(self.program.clone());
        Box::new(move |size| program.measure(&[name, &size.to_string(), &PROCS.to_string()]))
    }

    /// Starts the echo server `name`.
    ///
    /// # Errors
    ///
    /// Fails where the program cannot be started or does not print its address.
    pub fn serve(&self, name: &str) -> io::Result<GoServer> {
        let mut process = Command::new(&self.program)
            .args([name, "0", &PROCS.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let printed = process.stdout.take().expect("stdout is piped");
        let mut line = String::new();
        let read = BufReader::new(printed).read_line(&mut line);
        // From here on a failure ends the process.
        let mut server = GoServer {
            process,
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
        };
        read?;
        server.address = line.trim().parse().map_err(|_| {
            io::Error::other(format!(
                "the echo server in Go printed {line:?}, not its address"
            ))
        })?;
        Ok(server)
    }
}

/// An echo server in Go, in a process of its own. Dropping it ends the process.
#[derive(Debug)]
pub struct GoServer {
    process: Child,
    address: SocketAddr,
}

impl GoServer {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for GoServer {
    fn drop(&mut self) {
        // Fails only if the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
