//! Counts the words in all files below a directory, one task for each file.
//!
//!     cargo run --release -p gopark-examples --example files -- [DIRECTORY [IN_FLIGHT]]
//!     cargo run --release -p gopark-examples --example files -- .. 64
//!
//! Look at: a task that reads a file blocks its thread and no other task, so up to IN_FLIGHT files
//! (64, if it is not given) are read at the same time by plain blocking calls. On a disk that is slow,
//! compare with `-- .. 1`. Links are not followed; what is not text is left out and said.

use std::{
    cmp::Reverse,
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    time::Instant,
};

use gopark::{fs, task::JoinSet};
use gopark_examples::{Failure, arguments};

#[derive(Default)]
struct Count {
    files: u64,
    lines: u64,
    words: u64,
    bytes: u64,
    by_word: HashMap<String, u64>,
}

impl Count {
    fn of(text: &str) -> Self {
        let mut count = Self {
            files: 1,
            lines: text.lines().count() as u64,
            bytes: text.len() as u64,
            ..Self::default()
        };
        let words = text.split(|letter: char| !letter.is_alphanumeric());
        for word in words.filter(|word| !word.is_empty()) {
            count.words += 1;
            *count.by_word.entry(word.to_lowercase()).or_default() += 1;
        }
        count
    }

    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.lines += other.lines;
        self.words += other.words;
        self.bytes += other.bytes;
        for (word, times) in other.by_word {
            *self.by_word.entry(word).or_default() += times;
        }
    }
}

#[gopark::main]
async fn main() -> Result<(), Failure> {
    let arguments = arguments();
    let (directory, in_flight) = match &arguments[..] {
        [] => (".", "64"),
        [directory] => (directory.as_str(), "64"),
        [directory, in_flight] => (directory.as_str(), in_flight.as_str()),
        more => return Err(format!("expected [DIRECTORY [IN_FLIGHT]], and got {more:?}").into()),
    };
    let in_flight = match in_flight.parse() {
        Ok(number) if number > 0 => number,
        _ => {
            return Err(
                format!("IN_FLIGHT must be a positive number, and is {in_flight:?}").into(),
            );
        }
    };

    let began = Instant::now();
    let count = count_tree(Path::new(directory), in_flight)
        .await
        .map_err(|error| format!("cannot list {directory:?}: {error}"))?;
    println!(
        "{} files, {} lines, {} words, {} bytes",
        count.files, count.lines, count.words, count.bytes
    );
    let mut by_word: Vec<_> = count.by_word.into_iter().collect();
    by_word.sort_unstable_by(|a, b| (Reverse(a.1), &a.0).cmp(&(Reverse(b.1), &b.0)));
    for (word, times) in by_word.iter().take(10) {
        println!("{times:>9} {word}");
    }
    println!("took {:?}", began.elapsed());
    Ok(())
}

/// Lists the tree, and counts each file in a task while no more than `in_flight` of them run.
async fn count_tree(top: &Path, in_flight: usize) -> io::Result<Count> {
    let mut total = Count::default();
    let mut tasks = JoinSet::new();
    let mut directories = vec![top.to_owned()];
    while let Some(directory) = directories.pop() {
        let mut entries = match fs::read_dir(&directory).await {
            Err(error) if directory != top => {
                eprintln!("{}: {error}", directory.display());
                continue;
            }
            entries => entries?,
        };
        while let Some(entry) = entries.next_entry().await? {
            let kind = entry.file_type().await?;
            if kind.is_dir() {
                directories.push(entry.path());
            } else if kind.is_file() {
                if tasks.len() == in_flight {
                    if let Some(done) = tasks.join_next().await {
                        total.add(done?);
                    }
                }
                tasks.spawn(count_file(entry.path()));
            }
        }
    }
    while let Some(done) = tasks.join_next().await {
        total.add(done?);
    }
    Ok(total)
}

async fn count_file(path: PathBuf) -> Count {
    match fs::read_to_string(&path).await {
        Ok(text) => Count::of(&text),
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            Count::default()
        }
    }
}
