//! From the annotated function to the one that runs it.
//!
//! The function is kept, word for word, inside the new one of the same name:
//!
//! ```text
//! #[test] pub fn name() -> Ret {            // the user's attributes, visibility and return type
//!     async fn name() -> Ret { … }          // so errors in the body, and a body that does not
//!     let runtime = Builder::…().build()…;  // fit its return type, are reported as in any
//!     let body = name();                    // other async fn
//!     (&body).way().enter(&runtime, body)   // Runtime::run if it may be a task, else block_on
//! }
//! ```
//!
//! With arguments, which may borrow, the end is `runtime.block_on(name(…))`.
//!
//! A function that cannot be run is still kept, next to the error that says why, so that no second
//! error about a missing or async `main` hides the first.

use proc_macro::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};

use crate::{
    Attribute,
    args::{Arguments, Flavor},
    diagnostic::Diagnostic,
    item::{Function, OuterAttribute, Parameter, is_word},
};

pub(crate) fn expand(
    attribute: Attribute,
    arguments: TokenStream,
    item: TokenStream,
) -> TokenStream {
    let mut errors = Vec::new();
    let arguments = Arguments::parse(attribute, arguments, &mut errors);
    let expanded = match Function::parse(attribute, item.clone()) {
        Ok(mut function) => {
            let reported = errors.len();
            check(attribute, &mut function, &mut errors);
            if errors.len() == reported {
                running(attribute, &function, &arguments)
            } else {
                kept(&function)
            }
        }
        Err(error) => {
            errors.push(error);
            item
        }
    };
    errors
        .into_iter()
        .map(Diagnostic::into_tokens)
        .chain([expanded])
        .collect()
}

/// Reports what keeps `function` from being run, and strips what the compiler would report again.
fn check(attribute: Attribute, function: &mut Function, errors: &mut Vec<Diagnostic>) {
    let name = attribute.name();
    let already = function.attributes.iter().position(OuterAttribute::is_test);
    if let (Attribute::Test, Some(at)) = (attribute, already) {
        let message = format!("{name} already makes a test of this function: remove this");
        let brackets = &function.attributes[at].brackets;
        errors.push(Diagnostic::at(brackets.span(), message));
        function.attributes.remove(at);
    }
    if !function
        .qualifiers
        .iter()
        .any(|token| is_word(token, "async"))
    {
        let message = format!("{name} needs an `async fn`: add `async` before `fn`");
        errors.push(Diagnostic::at(function.keyword.span(), message));
    }
    function.qualifiers.retain(|token| {
        let TokenTree::Ident(word) = token else {
            return false; // the ABI of an `extern` that is reported
        };
        let word = word.to_string();
        if word != "async" {
            let message = format!("{name} cannot run a function that is `{word}`: remove this");
            errors.push(Diagnostic::at(token.span(), message));
        }
        word == "async" || word == "unsafe"
    });
    if !function.generics.is_empty() {
        let message = format!("{name} cannot run a generic function: nothing chooses its types");
        errors.push(Diagnostic::over(
            &function.generics,
            function.name.span(),
            message,
        ));
    }
    if !function.bounds.is_empty() {
        let message = format!("{name} cannot run a function with a `where` clause");
        errors.push(Diagnostic::over(
            &function.bounds,
            function.name.span(),
            message,
        ));
    }
    let parameters = function.parameters();
    if attribute == Attribute::Test || function.name.to_string() == "main" {
        if !parameters.is_empty() {
            let who = if attribute == Attribute::Test {
                "a test"
            } else {
                "`main`"
            };
            let message = format!("{who} takes no arguments: nothing calls it with any");
            errors.push(Diagnostic::at(function.parameters.span(), message));
        }
    } else if let Some(receiver) = parameters.iter().find(|one| one.colon.is_none()) {
        let message = format!("{name} cannot run a method: build a `gopark::runtime::Runtime`");
        errors.push(Diagnostic::over(
            &receiver.tokens,
            function.name.span(),
            message,
        ));
    }
}

/// The function that runs `function`.
fn running(attribute: Attribute, function: &Function, arguments: &Arguments) -> TokenStream {
    // Panics and the runtime's reports name a place in the source: the function, not the attribute.
    let here = Span::mixed_site().located_at(function.name.span());
    let parameters = function.parameters();
    let names: Vec<_> = (0..parameters.len())
        .map(|number| Ident::new(&format!("argument_{number}"), here))
        .collect();

    let mut call = TokenStream::from(TokenTree::from(function.name.clone()));
    call.extend([group(Delimiter::Parenthesis, list(&names), here)]);

    let mut body = original(function);
    // Arguments may borrow, in ways that only the compiler sees; a task may not.
    let by_type = parameters.is_empty() && !arguments.local;
    if by_type {
        body.extend(code("let runtime =", here));
    }
    body.extend(arguments.root.clone());
    body.extend(code("::runtime::Builder", here));
    body.extend(match arguments.flavor {
        Flavor::MultiThread => code("::new_multi_thread()", here),
        Flavor::CurrentThread => code("::new_current_thread()", here),
    });
    if let Some(procs) = arguments.procs {
        body.extend(code(".procs", here));
        let procs = TokenTree::from(Literal::usize_suffixed(procs));
        body.extend([group(Delimiter::Parenthesis, procs.into(), here)]);
    }
    if arguments.paused {
        body.extend(code(".pause_time(true)", here));
    }
    body.extend(code(
        ".build().expect(\"the gopark runtime did not start\")",
        here,
    ));
    if by_type {
        body.extend(code("; let body =", here));
        body.extend(call);
        body.extend(code("; use", here));
        body.extend(arguments.root.clone());
        body.extend(code(
            "::runtime::__entry::{AsTask as _, OnThread as _}; (&body).way().enter(&runtime, body)",
            here,
        ));
    } else {
        body.extend(code(".block_on", here));
        body.extend([group(Delimiter::Parenthesis, call, here)]);
    }

    let mut outer = TokenStream::new();
    if attribute == Attribute::Test {
        outer.extend(code("#[::core::prelude::v1::test]", Span::call_site()));
    }
    outer.extend(attributes(function));
    outer.extend(function.visibility.clone());
    outer.extend([
        TokenTree::from(function.keyword.clone()),
        function.name.clone().into(),
    ]);
    outer.extend([group(
        Delimiter::Parenthesis,
        typed(&parameters, &names),
        function.parameters.span(),
    )]);
    outer.extend(function.output.iter().cloned());
    outer.extend([group(Delimiter::Brace, body, here)]);
    outer
}

/// `function`, which was reported, so that it can be compiled: as it was, but an async `main`, or
/// one with arguments, would be a second error and goes inside one that is neither.
fn kept(function: &Function) -> TokenStream {
    let mut outer = attributes(function);
    outer.extend(code("#[allow(dead_code)]", Span::call_site()));
    outer.extend(function.visibility.clone());
    let original = original(function);
    if function.name.to_string() != "main" {
        outer.extend(original);
        return outer;
    }
    outer.extend([
        TokenTree::from(function.keyword.clone()),
        function.name.clone().into(),
    ]);
    outer.extend(code("()", Span::call_site()));
    outer.extend([group(Delimiter::Brace, original, Span::call_site())]);
    outer
}

/// The function as written, without what belongs on the outer one.
fn original(function: &Function) -> TokenStream {
    let mut item = TokenStream::new();
    item.extend(function.qualifiers.iter().cloned());
    item.extend([
        TokenTree::from(function.keyword.clone()),
        function.name.clone().into(),
    ]);
    item.extend(function.generics.iter().cloned());
    item.extend([TokenTree::from(function.parameters.clone())]);
    item.extend(function.output.iter().cloned());
    item.extend(function.bounds.iter().cloned());
    item.extend([function.body.clone()]);
    item
}

fn attributes(function: &Function) -> TokenStream {
    let attributes = function.attributes.iter();
    attributes
        .flat_map(|one| [one.hash.clone(), one.brackets.clone().into()])
        .collect()
}

/// `a, b, `
fn list(names: &[Ident]) -> TokenStream {
    let mut tokens = TokenStream::new();
    for name in names {
        tokens.extend([TokenTree::from(name.clone())]);
        tokens.extend(code(",", name.span()));
    }
    tokens
}

/// `a: A, b: B, `: the names with the types of the parameters, in place of their patterns.
fn typed(parameters: &[Parameter], names: &[Ident]) -> TokenStream {
    let mut tokens = TokenStream::new();
    for (parameter, name) in parameters.iter().zip(names) {
        tokens.extend([TokenTree::from(name.clone())]);
        tokens.extend(
            parameter.tokens[parameter.colon.unwrap_or(0)..]
                .iter()
                .cloned(),
        );
        tokens.extend(code(",", name.span()));
    }
    tokens
}

/// `source`, which is Rust and ours, as tokens at `span`.
fn code(source: &str, span: Span) -> TokenStream {
    let tokens = source
        .parse::<TokenStream>()
        .expect("the macro's own source has valid tokens");
    tokens
        .into_iter()
        .map(|token| relocated(token, span))
        .collect()
}

fn relocated(token: TokenTree, span: Span) -> TokenTree {
    if let TokenTree::Group(inner) = token {
        let stream = inner
            .stream()
            .into_iter()
            .map(|token| relocated(token, span))
            .collect();
        return group(inner.delimiter(), stream, span);
    }
    let mut token = token;
    token.set_span(span);
    token
}

fn group(delimiter: Delimiter, stream: TokenStream, span: Span) -> TokenTree {
    let mut group = Group::new(delimiter, stream);
    group.set_span(span);
    group.into()
}
