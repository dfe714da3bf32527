//! A shop's day: four tills, an auditor and a clock, around a database whose library only blocks.
//!
//!     cargo run --release -p gopark-example-sqlite
//!     GOPARK_PROCS=1 cargo run --release -p gopark-example-sqlite
//!
//! Look at: SQLite waits for the disk, and for the lock that another till holds, inside its calls.
//! Each of these stands in `gopark::block`, which runs it on the spot, so that it may borrow the
//! task's connection; its processor goes to other tasks if it takes long. To open a database and to
//! close it wait for the disk as well. The clock shows it: it ticks every 10 ms, also on one
//! processor. Write the bare call in place of `block(…)` and count again.
//!
//! It is a package of its own, so that the other examples need not build SQLite. It ends by itself.

#![forbid(unsafe_code)]

use std::{
    env,
    error::Error,
    fs,
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gopark::{
    block, spawn,
    task::JoinSet,
    time::{Instant, interval, sleep},
    yield_now,
};
use rusqlite::{Connection, Result, Transaction, TransactionBehavior};

const TILLS: u32 = 4;
const CUSTOMERS_EACH: u32 = 100;
const ITEMS_EACH: u32 = 10;

/// Name and price in cents.
const GOODS: [(&str, u32); 5] = [
    ("bread", 320),
    ("cheese", 585),
    ("milk", 119),
    ("olives", 449),
    ("tea", 275),
];

#[gopark::main]
async fn main() -> std::result::Result<(), Box<dyn Error>> {
    let shop = block(Shop::open)?;
    let closed = Arc::new(AtomicBool::new(false));
    let clock = spawn(tick_until(closed.clone()));
    let auditor = spawn(audit_until(block(|| shop.connect())?, closed.clone()));

    let began = Instant::now();
    let mut tills = JoinSet::new();
    for number in 0..TILLS {
        tills.spawn(serve(block(|| shop.connect())?, number));
    }
    while let Some(till) = tills.join_next().await {
        till??;
    }
    let took = began.elapsed();
    closed.store(true, Ordering::Release);

    let database = block(|| shop.connect())?;
    let (sales, revenue) = block(|| totals(&database))?;
    println!(
        "{TILLS} tills served {} customers, who bought {sales} items for {}.{:02}",
        TILLS * CUSTOMERS_EACH,
        revenue / 100,
        revenue % 100
    );
    for (item, times) in block(|| best_sellers(&database))? {
        println!("{times:>5} {item}");
    }
    let (looks, largest) = auditor.await??;
    println!("the auditor looked {looks} times and saw {largest} items at the most");
    let ticks = clock.await?;
    println!("the clock ticked {ticks} times in {took:?}");
    block(|| drop((database, shop)));
    Ok(())
}

/// Serves all customers of one till, a transaction for each.
async fn serve(mut database: Connection, till: u32) -> Result<()> {
    for customer in 0..CUSTOMERS_EACH {
        block(|| {
            // It will write, so it takes the lock at once, and waits for it in here.
            let sale = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
            sell(&sale, till, customer)?;
            sale.commit()
        })?;
        // A section that was short has kept its processor, so the task gives way by itself.
        yield_now().await;
    }
    block(|| drop(database));
    Ok(())
}

fn sell(sale: &Transaction<'_>, till: u32, customer: u32) -> Result<()> {
    let mut insert =
        sale.prepare_cached("INSERT INTO sales (till, item, cents) VALUES (?, ?, ?)")?;
    for number in 0..ITEMS_EACH {
        let (item, cents) = GOODS[(till + customer * number) as usize % GOODS.len()];
        insert.execute((till, item, cents))?;
    }
    Ok(())
}

/// Looks again and again whether what each customer bought is there as a whole.
async fn audit_until(database: Connection, closed: Arc<AtomicBool>) -> Result<(u32, u32)> {
    let mut looks = 0;
    loop {
        let last = closed.load(Ordering::Acquire);
        let (sales, _) = block(|| totals(&database))?;
        assert_eq!(sales % ITEMS_EACH, 0, "a part of a transaction was seen");
        looks += 1;
        if last {
            block(|| drop(database));
            return Ok((looks, sales));
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// How often 10 ms have passed, the beginning included.
async fn tick_until(closed: Arc<AtomicBool>) -> u32 {
    let mut every = interval(Duration::from_millis(10));
    let mut ticks = 0;
    loop {
        every.tick().await;
        ticks += 1;
        if closed.load(Ordering::Acquire) {
            return ticks;
        }
    }
}

/// How many items were sold, and for how many cents.
fn totals(database: &Connection) -> Result<(u32, u32)> {
    let query = "SELECT count(*), coalesce(sum(cents), 0) FROM sales";
    database.query_row(query, (), |row| Ok((row.get(0)?, row.get(1)?)))
}

fn best_sellers(database: &Connection) -> Result<Vec<(String, u32)>> {
    let mut query = database
        .prepare("SELECT item, count(*) FROM sales GROUP BY item ORDER BY count(*) DESC, item")?;
    let rows = query.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// A database in a directory of its own, which is removed at the end.
struct Shop {
    directory: PathBuf,
}

impl Shop {
    fn open() -> std::result::Result<Self, Box<dyn Error>> {
        let directory = env::temp_dir().join(format!("gopark-shop-{}", process::id()));
        fs::create_dir(&directory)?;
        let shop = Self { directory };
        // Readers see the last whole transaction while somebody writes.
        let database = shop.connect()?;
        database.pragma_update(None, "journal_mode", "wal")?;
        database.execute(
            "CREATE TABLE sales (till INTEGER, item TEXT, cents INTEGER)",
            (),
        )?;
        Ok(shop)
    }

    /// One more connection; each task has its own.
    fn connect(&self) -> Result<Connection> {
        let database = Connection::open(self.directory.join("sales.db"))?;
        database.busy_timeout(Duration::from_secs(60))?;
        Ok(database)
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            eprintln!("{}: {error}", self.directory.display());
        }
    }
}
