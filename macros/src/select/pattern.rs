//! What the tokens of a pattern tell of whether it matches always.

use proc_macro::{Delimiter, TokenStream, TokenTree};

use super::{is_punct, is_word};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Matches {
    /// A name, `_`, or tuples and references of these.
    Always,
    /// The compiler knows: the name may be that of a struct or of one of several variants.
    Unknown,
    /// A literal, a range, or a variant of `Option` or `Result`.
    Sometimes,
}

/// Names are told from constants by their first letter, as the language's lints have it. A pattern that is
/// taken for a name and is none is refused by the compiler, so nothing wrong comes of it.
pub(super) fn matches(pattern: &[TokenTree]) -> Matches {
    let pattern = without_prefix(pattern);
    if pattern.iter().any(|token| is_punct(token, '|')) {
        return Matches::Unknown;
    }
    match pattern {
        [] => Matches::Always,
        [TokenTree::Ident(_), at, rest @ ..] if is_punct(at, '@') => matches(rest),
        [TokenTree::Ident(name)] => name_matches(&name.to_string()),
        [TokenTree::Group(group)] => match group.delimiter() {
            Delimiter::Parenthesis | Delimiter::None => all_match(group.stream()),
            _ => Matches::Unknown, // of a slice, or an array
        },
        [first, second] if is_punct(first, '.') && is_punct(second, '.') => Matches::Always,
        [TokenTree::Literal(_), ..] => Matches::Sometimes,
        _ if has_range(pattern) || is_punct(&pattern[0], '-') => Matches::Sometimes,
        [.., TokenTree::Ident(variant), TokenTree::Group(_)]
            if ["Some", "Ok", "Err"].contains(&variant.to_string().as_str()) =>
        {
            Matches::Sometimes
        }
        _ => Matches::Unknown,
    }
}

fn name_matches(name: &str) -> Matches {
    match name {
        "None" | "true" | "false" => Matches::Sometimes,
        _ if name.starts_with(|first: char| first == '_' || first.is_lowercase()) => {
            Matches::Always
        }
        _ => Matches::Unknown,
    }
}

/// The weakest of a list.
fn all_match(list: TokenStream) -> Matches {
    let list: Vec<TokenTree> = list.into_iter().collect();
    let parts = list.split(|token| is_punct(token, ','));
    parts.map(matches).max().unwrap_or(Matches::Always)
}

/// What is left without `&`, `ref` and `mut`.
fn without_prefix(mut pattern: &[TokenTree]) -> &[TokenTree] {
    while let [first, rest @ ..] = pattern {
        if !is_punct(first, '&') && !is_word(first, "ref") && !is_word(first, "mut") {
            break;
        }
        pattern = rest;
    }
    pattern
}

fn has_range(pattern: &[TokenTree]) -> bool {
    let is_range = |pair: &[TokenTree]| is_punct(&pair[0], '.') && is_punct(&pair[1], '.');
    pattern.windows(2).any(is_range)
}
