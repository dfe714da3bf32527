//! The side-by-side report: `cargo run --release -p gopark-benches --bin versus -- --help`.

use std::env;
use std::error::Error;
use std::process::ExitCode;

use gopark_benches::child::{self, Program};
use gopark_benches::go::Go;
use gopark_benches::measure::raise_open_files;
use gopark_benches::peer::Peer;
use gopark_benches::report::options::{HELP, Options};
use gopark_benches::report::{json, machine, rounds, table};
use gopark_benches::workload::{self, Entry, Lab};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, work)) if first == child::FLAG => run_child(work),
        _ => report(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("versus: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_child(work: &[String]) -> Result<(), Box<dyn Error>> {
    println!("{}", child::run(work)?);
    Ok(())
}

fn report(arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let entries = workload::all();
    let options = Options::parse(arguments, &entries)?;
    if options.help {
        print!("{HELP}");
        print_workloads(&entries);
        return Ok(());
    }
    raise_open_files()?;
    let program = env::current_exe()?;
    let wanted = || entries.iter().filter(|entry| options.wants(entry));
    let wants_go = wanted().any(|entry| options.peers(entry.spec.group).contains(&Peer::Go));
    let go = match program.parent() {
        Some(directory) if wants_go => Go::build(directory)?,
        _ => None,
    };
    let facts = machine::facts(go.as_ref())?;
    let lab = Lab {
        program: Program::versus(program),
        go,
    };
    let mut rows = Vec::new();
    for entry in wanted() {
        eprintln!("{} ...", entry.spec.name);
        rows.push(rounds::measure(entry, &lab, &options)?);
    }
    if options.json {
        println!("{}", json::json(&facts, options.rounds, &rows));
    } else {
        print!(
            "{}",
            table::markdown(&facts, options.rounds, |group| options.peers(group), &rows)
        );
    }
    Ok(())
}

fn print_workloads(entries: &[Entry]) {
    println!("\nworkloads, by group:\n");
    for Entry { spec, .. } in entries {
        println!(
            "  {:6} {:18} {:16} {}",
            spec.group.name(),
            spec.name,
            spec.unit,
            spec.about
        );
    }
}
