//! Errors that point at what the user wrote.

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// A message about the source between two tokens.
pub(crate) struct Diagnostic {
    start: Span,
    end: Span,
    message: String,
}

impl Diagnostic {
    /// `message` about one token.
    pub(crate) fn at(span: Span, message: impl Into<String>) -> Self {
        Self {
            start: span,
            end: span,
            message: message.into(),
        }
    }

    /// `message` about a run of tokens, or about `otherwise` if there are none.
    pub(crate) fn over(tokens: &[TokenTree], otherwise: Span, message: impl Into<String>) -> Self {
        let start = tokens.first().map_or(otherwise, TokenTree::span);
        let end = tokens.last().map_or(otherwise, TokenTree::span);
        Self {
            start,
            end,
            message: message.into(),
        }
    }

    /// `::core::compile_error! { "message" }`. The compiler marks the source from the first token
    /// of such an item to its last, which is how stable Rust reports about more than one token.
    pub(crate) fn into_tokens(self) -> TokenStream {
        let Self {
            start,
            end,
            message,
        } = self;
        let punct = |character, spacing| {
            let mut punct = Punct::new(character, spacing);
            punct.set_span(start);
            TokenTree::from(punct)
        };
        let ident = |name| TokenTree::from(Ident::new(name, start));
        let mut text = Literal::string(&message);
        text.set_span(end);
        let mut braces = Group::new(Delimiter::Brace, TokenTree::from(text).into());
        braces.set_span(end);
        TokenStream::from_iter([
            punct(':', Spacing::Joint),
            punct(':', Spacing::Alone),
            ident("core"),
            punct(':', Spacing::Joint),
            punct(':', Spacing::Alone),
            ident("compile_error"),
            punct('!', Spacing::Alone),
            braces.into(),
        ])
    }
}
