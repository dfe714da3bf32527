//! `select!`: takes the arms apart and writes a match over what was chosen.
//!
//! ```text
//! select! {                            let chosen = match (Probe(e0).into_case(), …) {   // in source order
//!     p0 = e0 => b0,                       (case0, …) => {
//!     p1 = e1, if g => b1,                     let mut case0 = pin!(Seed::grow(case0)); …
//!     default => b2,              ==>          match Selecting::new([case0.as_mut(), …], …).await {
//! }                                                0 => Chosen::C0(case0.as_mut().take_output()), …
//!                                      }   }   };
//!                                      match chosen { Chosen::C0(value) => { let p0 = value; b0 } … }
//! ```
//!
//! So all expressions are evaluated before anything is waited for, temporaries in them live until one
//! was chosen, and all of them are gone before a body runs: the winner's, the losers', and those of a select
//! that chose its default. Patterns, expressions and bodies are moved and never changed.
//!
//! # Patterns that may not match
//!
//! Such a pattern is tried where its output was taken, and once more, to bind it, in the body:
//!
//! ```text
//! loop {
//!     match Selecting::new(…).await {
//!         0 => {
//!             let mut value = case0.as_mut().take_output();
//!             let mut matches = false;
//!             match value { p0 if { matches = true; false } => unreachable!(), _ => {} }
//!             if matches { break Chosen::C0(value) }
//!             case0.set(None);              // an Option, as that of a case with a condition
//!         } …
//! ```
//!
//! The guard makes the compiler bind by reference until it has said yes, which it does not. So nothing is
//! moved out of the value, whatever the pattern binds, and the pattern is used as it was written.
//!
//! A select may not run out of arms without having said what then. So a pattern may leave something out only
//! where there is an `else` or a default, or an arm that stays: one without a condition whose pattern matches
//! always, as far as its tokens tell (`pattern.rs`). Elsewhere it is the only arm of a `match`, and the
//! compiler refuses what leaves something out.

use proc_macro::{Delimiter, Group, Span, TokenStream, TokenTree};

use crate::diagnostic::Diagnostic;

mod parse;
mod pattern;
mod write;

/// The most arms of one select; `Select` of `gopark::chan` takes more.
const MAX_CASES: usize = 64;

/// What the wrapper in `gopark` hands in: `(path to gopark) async|blocking { arms }`.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut input = input.into_iter();
    let (Some(TokenTree::Group(root)), Some(TokenTree::Ident(kind)), Some(TokenTree::Group(arms))) =
        (input.next(), input.next(), input.next())
    else {
        return Diagnostic::at(
            Span::call_site(),
            "use gopark::select!, not what stands behind it",
        )
        .into_tokens();
    };
    let waits = kind.to_string() == "async";
    match Select::parse(arms.stream()) {
        Ok(select) => write::Writer::new(root.stream(), waits).write(select),
        Err(error) => error.into_tokens(),
    }
}

struct Select {
    biased: bool,
    arms: Vec<Arm>,
    default: Option<TokenStream>,
    /// For when all arms are off.
    otherwise: Option<TokenStream>,
}

struct Arm {
    pattern: TokenStream,
    expression: TokenStream,
    guard: Option<TokenStream>,
    body: TokenStream,
    /// The pattern matches always, as its tokens tell: it is bound by a `let`.
    is_let: bool,
    /// The pattern may leave something out: then the arm is off, and the others are waited for.
    may_miss: bool,
}

impl Arm {
    /// Whether the case is an Option, for it may be off.
    fn is_optional(&self) -> bool {
        self.may_miss || self.guard.is_some()
    }
}

fn group(delimiter: Delimiter, stream: TokenStream) -> TokenStream {
    TokenTree::from(Group::new(delimiter, stream)).into()
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.to_string() == word)
}
