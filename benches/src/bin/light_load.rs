//! What a service costs while it has little to do: processor time and context switches of an echo server under an
//! open loop at fixed rates, for each runtime by turns.
//!
//!     cargo run --release -p gopark-benches --bin light_load -- [--rounds N] [--seconds N] [--rates A,B] [--peers A,B]

use std::error::Error;
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, io};

use gopark_benches::echo::open::{self, Outcome};
use gopark_benches::measure::raise_open_files;
use gopark_benches::peer::Peer;

/// The first argument of the server's process.
const SERVE: &str = "--serve";

struct Options {
    rounds: usize,
    time: Duration,
    rates: Vec<u32>,
    peers: Vec<Peer>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [SERVE, peer] => serve(peer),
        _ => parse(&arguments).and_then(|options| compare(&options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("light_load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(peer: &str) -> Result<(), Box<dyn Error>> {
    raise_open_files()?;
    Ok(open::serve(peer.parse().map_err(io::Error::other)?)?)
}

fn parse(arguments: &[String]) -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        rounds: 5,
        time: Duration::from_millis(4_500),
        rates: vec![2_000, 10_000, 40_000],
        peers: vec![Peer::Gopark, Peer::Tokio],
    };
    let mut arguments = arguments.iter();
    while let Some(key) = arguments.next() {
        let value = arguments
            .next()
            .ok_or_else(|| format!("{key}: expected a value"))?;
        match key.as_str() {
            "--rounds" => options.rounds = value.parse()?,
            "--seconds" => options.time = Duration::from_secs_f64(value.parse()?),
            "--rates" => {
                options.rates = value.split(',').map(str::parse).collect::<Result<_, _>>()?
            }
            "--peers" => {
                let peers = value.split(',').map(str::parse);
                options.peers = peers.collect::<Result<_, _>>().map_err(io::Error::other)?;
            }
            _ => return Err(format!("{key}: no such option").into()),
        }
    }
    Ok(options)
}

fn compare(options: &Options) -> Result<(), Box<dyn Error>> {
    raise_open_files()?;
    println!(
        "| requests/s | peer | CPU s | x the last peer's | context switches | p50 us | p99 us |"
    );
    println!("|---:|---|---:|---:|---:|---:|---:|");
    for &rate in &options.rates {
        let mut outcomes = vec![Vec::new(); options.peers.len()];
        for round in 0..options.rounds {
            for turn in 0..options.peers.len() {
                let at = (round + turn) % options.peers.len();
                let mut command = Command::new(env::current_exe()?);
                command.args([SERVE, &options.peers[at].to_string()]);
                outcomes[at].push(open::measure(command, rate, options.time)?);
            }
        }
        for (peer, own) in options.peers.iter().zip(&outcomes) {
            print_row(rate, *peer, own, outcomes.last().unwrap_or(own));
        }
    }
    Ok(())
}

fn print_row(rate: u32, peer: Peer, own: &[Outcome], rival: &[Outcome]) {
    let of = |figure: fn(&Outcome) -> f64| median(own.iter().map(figure).collect());
    let ratios = own.iter().zip(rival);
    let ratios: Vec<_> = ratios
        .map(|(own, rival)| own.cpu.as_secs_f64() / rival.cpu.as_secs_f64())
        .collect();
    let least = ratios.iter().copied().fold(f64::MAX, f64::min);
    let most = ratios.iter().copied().fold(0.0, f64::max);
    println!(
        "| {rate} | {peer} | {:.3} | {:.2} ({least:.2}..{most:.2}) | {:.0} | {:.0} | {:.0} |",
        of(|own| own.cpu.as_secs_f64()),
        median(ratios),
        of(|own| own.switches as f64),
        of(|own| own.latency.0.as_secs_f64() * 1e6),
        of(|own| own.latency.1.as_secs_f64() * 1e6),
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
