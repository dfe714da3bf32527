//! The macros of gopark: the attributes [`macro@main`] and [`macro@test`], and what stands behind `select!`.
//!
//! Depend on `gopark`, which re-exports both; this package is its implementation detail and has no
//! dependency itself, so that one attribute does not cost a service the build of a Rust parser.
//!
//! `select/` is `select!`. `item.rs` takes the annotated function apart, `args.rs` reads what stands in the attribute,
//! `expand.rs` writes the result, and `diagnostic.rs` turns what was wrong into compiler errors.
//! Nothing here understands expressions or types: their tokens are moved, never changed, so that
//! the compiler's messages about them point at the user's code.

#![forbid(unsafe_code)]

mod args;
mod diagnostic;
mod expand;
mod item;
mod select;

use proc_macro::TokenStream;

/// Which of the two attributes is being expanded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attribute {
    Main,
    Test,
}

impl Attribute {
    /// The attribute as a message spells it.
    const fn name(self) -> &'static str {
        match self {
            Self::Main => "#[gopark::main]",
            Self::Test => "#[gopark::test]",
        }
    }
}

/// Runs an `async fn` on a runtime of its own: the function becomes an ordinary one that builds a
/// [`Runtime`], runs the body, and returns what the body returned.
///
/// ```
/// #[gopark::main]
/// async fn main() {
///     let answer = gopark::spawn(async { 6 * 7 }).await.unwrap();
///     assert_eq!(answer, 42);
/// }
/// ```
///
/// stands for
///
/// ```text
/// fn main() {
///     async fn main() { … }
///     gopark::runtime::Builder::new_multi_thread()
///         .build()
///         .expect("the gopark runtime did not start")
///         .run(main())
/// }
/// ```
///
/// So the body is a task, and the thread that calls the function waits for it. That is so if the body and its output
/// are `Send` and there are no arguments, which may borrow. Any other body is run by `Runtime::block_on` on
/// the calling thread: each answer that it gets from a task then costs two switches of threads. The
/// stack of a task is that of a worker thread (2 MiB, unless `RUST_MIN_STACK` says otherwise), and `Handle::tasks` lists
/// it like any other.
///
/// The runtime is dropped when the body ends, and with it every task that still runs. Any return
/// type that the function could have without the attribute will do, such as `Result<(), E>`.
/// The function need not be called `main`; under another name it may take arguments. Generic
/// functions and methods (`self`, `Self`) cannot be annotated: build a [`Runtime`] there.
///
/// # Arguments
///
/// | argument | meaning | default |
/// |---|---|---|
/// | `flavor = "multi_thread"` | as many Ps as the machine has processors, threads to run them | yes |
/// | `flavor = "current_thread"` | one P: one task is polled at a time | |
/// | `procs = 4` | that many Ps, at least 1; also spelt `worker_threads` | what the [`Builder`] chooses |
/// | `paused = true` | the clock stands still and advances when every task waits for it; needs `flavor = "current_thread"`; also spelt `start_paused` | `false` |
/// | `local = true` | the body stays on the calling thread, as its tasks of `spawn_local` do, also if it is `Send` | `false` |
/// | `crate = "path"` | where to find gopark, if it was renamed or re-exported | `"::gopark"` |
///
/// ```
/// #[gopark::main(flavor = "current_thread")]
/// async fn main() -> std::io::Result<()> {
///     gopark::yield_now().await;
///     Ok(())
/// }
/// ```
///
/// # Panics
///
/// The function panics if the runtime cannot be built, for example because the system refuses to
/// start a thread or `GOPARK_PROCS` holds something other than a positive number.
///
/// [`Builder`]: https://docs.rs/gopark/latest/gopark/runtime/struct.Builder.html
/// [`Runtime`]: https://docs.rs/gopark/latest/gopark/runtime/struct.Runtime.html
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Attribute::Main, arguments, item)
}

/// Makes a test of an `async fn`: [`macro@main`] and `#[test]` in one.
///
/// Each test has a runtime of its own, `current_thread` unless told otherwise, so that tests
/// neither share tasks nor depend on the number of processors. `#[ignore]`, `#[should_panic]` and
/// `Result` as the return type mean what they mean to `#[test]`, which must not be written as well.
///
/// ```
/// # // Under `cargo test` of the user's crate these are tests; here the lines are only compiled.
/// #[gopark::test]
/// async fn a_task_hands_its_result_to_who_joins_it() {
///     assert_eq!(gopark::spawn(async { 6 * 7 }).await.unwrap(), 42);
/// }
///
/// #[gopark::test(flavor = "multi_thread", procs = 2)]
/// async fn two_processors_serve_one_task() -> Result<(), std::num::ParseIntError> {
///     let parsed: u16 = gopark::spawn(async { "7777".parse() }).await.unwrap()?;
///     assert_eq!(parsed, 7777);
///     Ok(())
/// }
///
/// #[gopark::test(paused = true)]
/// async fn an_hour_passes_in_no_time() {
///     gopark::time::sleep(gopark::time::Duration::from_secs(3600)).await;
/// }
/// # fn main() {}
/// ```
///
/// # Arguments
///
/// Those of [`macro@main`], except that `flavor` is `"current_thread"` by default; `procs` therefore
/// needs `flavor = "multi_thread"` beside it.
///
/// # Panics
///
/// The test fails if the runtime cannot be built.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Attribute::Test, arguments, item)
}

/// What stands behind `gopark::select!` and `gopark::select_blocking!`.
#[doc(hidden)]
#[proc_macro]
pub fn __select(input: TokenStream) -> TokenStream {
    select::expand(input)
}
