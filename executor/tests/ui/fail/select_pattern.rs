//! A pattern must match whatever the operation gives, where nothing is left to wait for.

enum Command {
    Stop,
    Go,
}

fn main() {
    let _: u8 = gopark::select_blocking! {
        Command::Stop = std::future::ready(Command::Go) => 0,
    };
}
