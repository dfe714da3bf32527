//! Hands the versions that a table of figures must name to the program: the compiler's and the
//! peers', as locked.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

fn main() {
    let rustc = env::var_os("RUSTC").expect("cargo sets RUSTC for build scripts");
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .expect("rustc runs");
    let version = String::from_utf8(version.stdout).expect("rustc prints UTF-8");
    println!("cargo::rustc-env=GOPARK_BENCHES_RUSTC={}", version.trim());

    // Asked for when this runs: the checkout may be another than the one it was compiled in.
    let package = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let lock = Path::new(&package).join("../Cargo.lock");
    println!("cargo::rerun-if-changed={}", lock.display());
    let lock = fs::read_to_string(&lock).expect("the workspace has a Cargo.lock");
    for (krate, variable) in [
        ("tokio", "TOKIO"),
        ("smol", "SMOL"),
        ("async-executor", "ASYNC_EXECUTOR"),
        ("kanal", "KANAL"),
        ("async-channel", "ASYNC_CHANNEL"),
        ("flume", "FLUME"),
        ("crossbeam-channel", "CROSSBEAM_CHANNEL"),
    ] {
        let version = locked_version(&lock, krate)
            .unwrap_or_else(|| panic!("Cargo.lock names no package `{krate}`"));
        println!("cargo::rustc-env=GOPARK_BENCHES_{variable}={version}");
    }
}

fn locked_version<'lock>(lock: &'lock str, krate: &str) -> Option<&'lock str> {
    let name = format!("name = \"{krate}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1)?;
    version.strip_prefix("version = \"")?.strip_suffix('"')
}
