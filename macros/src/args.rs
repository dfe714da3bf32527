//! What stands in the attribute: `flavor = "…", procs = …, paused = …, local = …, crate = "…"`.
//!
//! Every mistake is reported, not only the first, and an argument that is wrong counts as not
//! given, so that the function is still expanded and the compiler checks its body too.

use proc_macro::{Delimiter, Spacing, Span, TokenStream, TokenTree};

use crate::{Attribute, diagnostic::Diagnostic, item::is_punct};

/// The arguments, checked and complete.
pub(crate) struct Arguments {
    pub(crate) flavor: Flavor,
    pub(crate) procs: Option<usize>,
    pub(crate) paused: bool,
    /// Whether the body stays on the calling thread whatever its type.
    pub(crate) local: bool,
    /// The path to gopark.
    pub(crate) root: TokenStream,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    MultiThread,
    CurrentThread,
}

/// The keys and, where there is one, the name that tokio gives them.
const KEYS: [(&str, Key); 7] = [
    ("flavor", Key::Flavor),
    ("procs", Key::Procs),
    ("paused", Key::Paused),
    ("local", Key::Local),
    ("crate", Key::Root),
    ("worker_threads", Key::Procs),
    ("start_paused", Key::Paused),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Flavor,
    Procs,
    Paused,
    Local,
    Root,
}

/// A value and the source that gave it.
struct Given<T> {
    value: T,
    source: Vec<TokenTree>,
}

#[derive(Default)]
struct Parsed {
    flavor: Option<Given<Flavor>>,
    procs: Option<Given<usize>>,
    paused: Option<Given<bool>>,
    local: Option<Given<bool>>,
    root: Option<Given<TokenStream>>,
    seen: Vec<(Key, String)>,
}

impl Arguments {
    pub(crate) fn parse(
        attribute: Attribute,
        tokens: TokenStream,
        errors: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut parsed = Parsed::default();
        let mut argument = Vec::new();
        for token in tokens {
            if !is_punct(&token, ',') {
                argument.push(token);
                continue;
            }
            let comma = token.span();
            errors.extend(
                parsed
                    .accept(attribute, &std::mem::take(&mut argument), comma)
                    .err(),
            );
        }
        if let Some(last) = argument.last() {
            let end = last.span();
            errors.extend(parsed.accept(attribute, &argument, end).err());
        }
        parsed.check(attribute, errors)
    }
}

impl Parsed {
    /// Reads one `key = value`, which ends at `end`.
    fn accept(
        &mut self,
        attribute: Attribute,
        argument: &[TokenTree],
        end: Span,
    ) -> Result<(), Diagnostic> {
        let known = "known arguments are `flavor`, `procs`, `paused`, `local` and `crate`";
        let Some(TokenTree::Ident(name)) = argument.first() else {
            let message = format!("{} expects `key = value`; {known}", attribute.name());
            return Err(Diagnostic::over(argument, end, message));
        };
        let spelling = name.to_string();
        let Some(&(_, key)) = KEYS.iter().find(|(known, _)| *known == spelling) else {
            let message = format!("unknown argument `{spelling}`; {known}");
            return Err(Diagnostic::at(name.span(), message));
        };
        let value = match &argument[1..] {
            [equals, value @ ..] if is_punct(equals, '=') && !value.is_empty() => value,
            _ => {
                let message = format!("`{spelling}` needs a value: `{}`", example(&spelling, key));
                return Err(Diagnostic::over(argument, name.span(), message));
            }
        };
        if let Some((_, earlier)) = self.seen.iter().find(|(seen, _)| *seen == key) {
            let message = if *earlier == spelling {
                format!("`{spelling}` is given twice")
            } else {
                format!("`{spelling}` is another name of `{earlier}`, which is given already")
            };
            return Err(Diagnostic::at(name.span(), message));
        }
        self.seen.push((key, spelling.clone()));

        let wrong = |expected: &str| {
            let found = source_text(value);
            let example = example(&spelling, key);
            let message =
                format!("`{spelling}` must be {expected}, as in `{example}`; found `{found}`");
            Diagnostic::over(value, name.span(), message)
        };
        match key {
            Key::Flavor => {
                let flavor = match string(value).as_deref() {
                    Some("multi_thread") => Flavor::MultiThread,
                    Some("current_thread") => Flavor::CurrentThread,
                    _ => return Err(wrong("\"multi_thread\" or \"current_thread\"")),
                };
                self.flavor = Some(Given::new(flavor, argument));
            }
            Key::Procs => {
                let procs = integer(value).filter(|procs| *procs > 0);
                let procs = procs.ok_or_else(|| wrong("a positive integer literal"))?;
                self.procs = Some(Given::new(procs, argument));
            }
            Key::Paused => {
                let paused = boolean(value).ok_or_else(|| wrong("`true` or `false`"))?;
                self.paused = Some(Given::new(paused, argument));
            }
            Key::Local => {
                let local = boolean(value).ok_or_else(|| wrong("`true` or `false`"))?;
                self.local = Some(Given::new(local, argument));
            }
            Key::Root => {
                let root = string(value).and_then(|text| path(&text, value[0].span()));
                let root = root.ok_or_else(|| wrong("a path in a string"))?;
                self.root = Some(Given::new(root, argument));
            }
        }
        Ok(())
    }

    /// Fills in what was not given and rejects what does not go together.
    fn check(self, attribute: Attribute, errors: &mut Vec<Diagnostic>) -> Arguments {
        let flavor = self.flavor.map_or(
            match attribute {
                Attribute::Main => Flavor::MultiThread,
                Attribute::Test => Flavor::CurrentThread,
            },
            |given| given.value,
        );
        // A flavor that was given but wrong has been reported; what hangs on it cannot be judged.
        let flavor_is_meant = errors.is_empty();
        let mut procs = self.procs;
        if flavor_is_meant && flavor == Flavor::CurrentThread {
            if let Some(given) = procs.take() {
                let message = match attribute {
                    Attribute::Main => {
                        "a \"current_thread\" runtime has exactly one P: remove \
                                        this, or use `flavor = \"multi_thread\"`"
                    }
                    Attribute::Test => {
                        "a test's runtime is \"current_thread\" by default and has \
                                        exactly one P: add `flavor = \"multi_thread\"`"
                    }
                };
                errors.push(given.diagnostic(message));
            }
        }
        let mut paused = self.paused;
        if flavor_is_meant && flavor == Flavor::MultiThread {
            if let Some(given) = paused.take_if(|given| given.value) {
                let message = "only the clock of a \"current_thread\" runtime can be paused: add \
                               `flavor = \"current_thread\"`";
                errors.push(given.diagnostic(message));
            }
        }
        Arguments {
            flavor,
            procs: procs.map(|given| given.value),
            paused: paused.is_some_and(|given| given.value),
            local: self.local.is_some_and(|given| given.value),
            root: match self.root {
                Some(given) => given.value,
                None => path("::gopark", Span::call_site()).unwrap_or_default(),
            },
        }
    }
}

impl<T> Given<T> {
    fn new(value: T, source: &[TokenTree]) -> Self {
        Self {
            value,
            source: source.to_vec(),
        }
    }

    fn diagnostic(&self, message: &str) -> Diagnostic {
        Diagnostic::over(&self.source, Span::call_site(), message)
    }
}

fn example(spelling: &str, key: Key) -> String {
    let value = match key {
        Key::Flavor => "\"current_thread\"",
        Key::Procs => "4",
        Key::Paused | Key::Local => "true",
        Key::Root => "\"my_crate::gopark\"",
    };
    format!("{spelling} = {value}")
}

/// The tokens as the user would write them: `-1` is two, which a stream prints apart.
fn source_text(tokens: &[TokenTree]) -> String {
    tokens
        .iter()
        .cloned()
        .collect::<TokenStream>()
        .to_string()
        .replace("- ", "-")
}

/// The only token of a value; one that came through a `macro_rules!` fragment is unwrapped.
fn only(value: &[TokenTree]) -> Option<TokenTree> {
    match value {
        [TokenTree::Group(group)] if group.delimiter() == Delimiter::None => {
            only(&group.stream().into_iter().collect::<Vec<_>>())
        }
        [token] => Some(token.clone()),
        _ => None,
    }
}

/// The text of a string literal. No value that is accepted contains an escape.
fn string(value: &[TokenTree]) -> Option<String> {
    let literal = only(value)?.to_string();
    Some(literal.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

fn boolean(value: &[TokenTree]) -> Option<bool> {
    match only(value)? {
        TokenTree::Ident(word) => word.to_string().parse().ok(),
        _ => None,
    }
}

/// The value of an integer literal, in any radix that Rust has and with or without `usize`.
fn integer(value: &[TokenTree]) -> Option<usize> {
    let TokenTree::Literal(literal) = only(value)? else {
        return None;
    };
    let text = literal.to_string().replace('_', "");
    let text = text.strip_suffix("usize").unwrap_or(&text);
    match text.get(..2) {
        Some("0x") => usize::from_str_radix(&text[2..], 16).ok(),
        Some("0o") => usize::from_str_radix(&text[2..], 8).ok(),
        Some("0b") => usize::from_str_radix(&text[2..], 2).ok(),
        _ => text.parse().ok(),
    }
}

/// `text` as a path, `::a::b` or `a::b`, whose tokens are at `span`.
fn path(text: &str, span: Span) -> Option<TokenStream> {
    let mut tokens: Vec<_> = text.parse::<TokenStream>().ok()?.into_iter().collect();
    let mut rest = match &tokens[..] {
        [first, second, rest @ ..] if is_separator(first, second) => rest,
        all => all,
    };
    loop {
        match rest {
            [TokenTree::Ident(_)] => break,
            [TokenTree::Ident(_), first, second, after @ ..] if is_separator(first, second) => {
                rest = after;
            }
            _ => return None,
        }
    }
    for token in &mut tokens {
        token.set_span(span);
    }
    Some(tokens.into_iter().collect())
}

fn is_separator(first: &TokenTree, second: &TokenTree) -> bool {
    let joint = matches!(first, TokenTree::Punct(punct) if punct.spacing() == Spacing::Joint);
    joint && is_punct(first, ':') && is_punct(second, ':')
}
