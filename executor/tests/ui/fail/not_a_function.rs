//! Whatever is not a function stays as it was, beside the error.

#[gopark::main]
struct Config {
    workers: usize,
}

trait Service {
    #[gopark::main]
    async fn serve();
}

fn main() {
    let _ = Config { workers: 1 };
}
