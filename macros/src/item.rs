//! The annotated function, taken apart as far as the macros need it.
//!
//! ```text
//! #[attribute] pub(crate) const async unsafe extern "C" fn name<T>(a: A) -> Ret where T: B { … }
//! ^ attributes ^ visibility ^ qualifiers                   name ^ parameters ^ output     body ^
//!                                                              generics           bounds
//! ```
//!
//! The compiler has parsed the item before a macro sees it, so only the shape is looked at here. A
//! fragment that came through a `macro_rules!` (`$vis`, `$body`) arrives inside an invisible group.

use std::iter::Peekable;

use proc_macro::{Delimiter, Group, Ident, Span, TokenStream, TokenTree, token_stream};

use crate::{Attribute, diagnostic::Diagnostic};

pub(crate) struct Function {
    pub(crate) attributes: Vec<OuterAttribute>,
    pub(crate) visibility: TokenStream,
    pub(crate) qualifiers: Vec<TokenTree>,
    pub(crate) keyword: Ident,
    pub(crate) name: Ident,
    pub(crate) generics: Vec<TokenTree>,
    pub(crate) parameters: Group,
    /// `-> Ret`, or nothing.
    pub(crate) output: Vec<TokenTree>,
    /// `where …`, or nothing.
    pub(crate) bounds: Vec<TokenTree>,
    pub(crate) body: TokenTree,
}

/// `#[path …]` above the function; a doc comment is one too.
pub(crate) struct OuterAttribute {
    pub(crate) hash: TokenTree,
    pub(crate) brackets: Group,
}

impl OuterAttribute {
    /// Whether the attribute makes a test of the function: its path is `test` or ends in `::test`.
    pub(crate) fn is_test(&self) -> bool {
        let path = self
            .brackets
            .stream()
            .into_iter()
            .take_while(|token| match token {
                TokenTree::Ident(_) => true,
                TokenTree::Punct(punct) => punct.as_char() == ':',
                _ => false,
            });
        matches!(path.last(), Some(TokenTree::Ident(last)) if last.to_string() == "test")
    }
}

/// One parameter of a function that may have some.
pub(crate) struct Parameter {
    /// The parameter as written.
    pub(crate) tokens: Vec<TokenTree>,
    /// Where in `tokens` the `:` between pattern and type stands; none for `self`.
    pub(crate) colon: Option<usize>,
}

impl Function {
    pub(crate) fn parse(attribute: Attribute, item: TokenStream) -> Result<Self, Diagnostic> {
        let mut tokens = unwrapped(item).into_iter().peekable();
        let attributes = take_attributes(&mut tokens);
        let visibility = take_visibility(&mut tokens);

        let mut qualifiers = Vec::new();
        let keyword = loop {
            match tokens.next() {
                Some(TokenTree::Ident(word)) if word.to_string() == "fn" => break word,
                Some(token) if is_qualifier(&token, !qualifiers.is_empty()) => {
                    qualifiers.push(token);
                }
                other => return Err(not_a_function(attribute, other.as_ref())),
            }
        };
        let Some(TokenTree::Ident(name)) = tokens.next() else {
            return Err(not_a_function(attribute, Some(&keyword.into())));
        };
        let generics = take_generics(&mut tokens);
        let Some(TokenTree::Group(parameters)) = tokens.next() else {
            return Err(not_a_function(attribute, Some(&name.into())));
        };

        let mut output: Vec<_> = tokens.collect();
        let body = match output.pop() {
            Some(TokenTree::Group(group)) if is_block(&group) => TokenTree::from(group),
            _ => {
                let message = format!("{} needs a function with a body", attribute.name());
                return Err(Diagnostic::at(name.span(), message));
            }
        };
        let bounds = match output.iter().position(|token| is_word(token, "where")) {
            Some(at) => output.split_off(at),
            None => Vec::new(),
        };
        Ok(Self {
            attributes,
            visibility,
            qualifiers,
            keyword,
            name,
            generics,
            parameters,
            output,
            bounds,
            body,
        })
    }

    /// What stands between the parentheses, split at its commas.
    pub(crate) fn parameters(&self) -> Vec<Parameter> {
        let mut all = Vec::new();
        let mut tokens = Vec::new();
        let mut colon = None;
        let mut angles = Angles::default();
        let mut previous_is_joint_colon = false;
        for token in self.parameters.stream() {
            let outside = angles.enter(&token);
            if outside && is_punct(&token, ',') {
                all.push(Parameter {
                    tokens: std::mem::take(&mut tokens),
                    colon: colon.take(),
                });
                continue;
            }
            let joint = matches!(&token, TokenTree::Punct(punct)
                if punct.as_char() == ':' && punct.spacing() == proc_macro::Spacing::Joint);
            if colon.is_none() && is_punct(&token, ':') && !joint && !previous_is_joint_colon {
                colon = Some(tokens.len());
            }
            previous_is_joint_colon = joint;
            tokens.push(token);
        }
        if !tokens.is_empty() {
            all.push(Parameter { tokens, colon });
        }
        all
    }
}

type Tokens = Peekable<token_stream::IntoIter>;

fn take_attributes(tokens: &mut Tokens) -> Vec<OuterAttribute> {
    let mut attributes = Vec::new();
    while let Some(hash) = tokens.next_if(|token| is_punct(token, '#')) {
        let Some(TokenTree::Group(brackets)) = tokens.next() else {
            break;
        };
        attributes.push(OuterAttribute { hash, brackets });
    }
    attributes
}

fn take_visibility(tokens: &mut Tokens) -> TokenStream {
    if let Some(fragment) = tokens.next_if(|token| is_group(token, Delimiter::None)) {
        return fragment.into();
    }
    let Some(public) = tokens.next_if(|token| is_word(token, "pub")) else {
        return TokenStream::new();
    };
    let restriction = tokens.next_if(|token| is_group(token, Delimiter::Parenthesis));
    [public].into_iter().chain(restriction).collect()
}

fn take_generics(tokens: &mut Tokens) -> Vec<TokenTree> {
    let mut generics = Vec::new();
    let mut angles = Angles::default();
    if tokens.peek().is_some_and(|token| is_punct(token, '<')) {
        for token in tokens.by_ref() {
            let closed = angles.enter(&token) && !generics.is_empty();
            generics.push(token);
            if closed {
                break;
            }
        }
    }
    generics
}

/// How deep in `<…>` a walk over tokens is. The `>` of an arrow closes nothing.
#[derive(Default)]
struct Angles {
    depth: usize,
    after_dash: bool,
}

impl Angles {
    /// Goes past `token`; whether that is outside every `<…>`, a final `>` included.
    fn enter(&mut self, token: &TokenTree) -> bool {
        let after_dash = std::mem::replace(&mut self.after_dash, is_punct(token, '-'));
        if is_punct(token, '<') {
            self.depth += 1;
        } else if is_punct(token, '>') && !after_dash {
            self.depth = self.depth.saturating_sub(1);
        }
        self.depth == 0
    }
}

/// The tokens inside an invisible group that holds everything, such as a whole `$item`.
fn unwrapped(item: TokenStream) -> TokenStream {
    let mut tokens = item.clone().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::None => {
            unwrapped(group.stream())
        }
        _ => item,
    }
}

/// A word that may stand before `fn`, or, later, the `"C"` of `extern "C"`.
fn is_qualifier(token: &TokenTree, later: bool) -> bool {
    match token {
        TokenTree::Ident(word) => {
            let words = [
                "async", "const", "default", "extern", "gen", "safe", "unsafe",
            ];
            words.contains(&word.to_string().as_str())
        }
        TokenTree::Literal(_) => later,
        _ => false,
    }
}

fn is_block(group: &Group) -> bool {
    match group.delimiter() {
        Delimiter::Brace => true,
        Delimiter::None => {
            let mut tokens = group.stream().into_iter();
            let first = tokens.next();
            tokens.next().is_none()
                && matches!(first, Some(TokenTree::Group(inner)) if is_block(&inner))
        }
        _ => false,
    }
}

fn is_group(token: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter)
}

pub(crate) fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

pub(crate) fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.to_string() == word)
}

fn not_a_function(attribute: Attribute, found: Option<&TokenTree>) -> Diagnostic {
    let span = found.map_or_else(Span::call_site, TokenTree::span);
    Diagnostic::at(span, format!("{} goes on an `async fn`", attribute.name()))
}
