//! `select!`: takes the arms apart and writes a match over what was chosen.
//!
//! ```text
//! select! {                            match match (Probe(e0).into_case(), …) {   // in source order
//!     p0 = e0 => b0,                       (case0, …) => {
//!     p1 = e1, if g => b1,                     let mut case0 = pin!(Seed::grow(case0)); …
//!     default => b2,              ==>          match Selecting::new([case0.as_mut(), …], …).await {
//! }                                                0 => Chosen::C0(case0.as_mut().take_output()), …
//!                                      }   }   }
//!                                      { Chosen::C0(value) => { let p0 = value; b0 } … }
//! ```
//!
//! So all expressions are evaluated before anything is waited for, temporaries in them live until one
//! was chosen, and the losers are gone before the body of the winner runs. Patterns, expressions and
//! bodies are moved and never changed.

use proc_macro::{Delimiter, Group, Spacing, Span, TokenStream, TokenTree};

use crate::diagnostic::Diagnostic;

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
        Ok(select) => select.write(&root.stream(), waits),
        Err(error) => error.into_tokens(),
    }
}

struct Select {
    biased: bool,
    arms: Vec<Arm>,
    default: Option<TokenStream>,
}

struct Arm {
    pattern: TokenStream,
    expression: TokenStream,
    guard: Option<TokenStream>,
    body: TokenStream,
}

impl Select {
    fn parse(tokens: TokenStream) -> Result<Self, Diagnostic> {
        let mut tokens = Tokens(tokens.into_iter().collect(), 0);
        let biased = tokens.take_biased();
        let mut select = Self {
            biased,
            arms: Vec::new(),
            default: None,
        };
        while let Some(first) = tokens.peek().cloned() {
            let head = tokens.until_arrow()?;
            let body = tokens.body(first.span())?;
            if is_word(&head, "default") {
                if select.default.is_some() {
                    return Err(Diagnostic::over(
                        &head,
                        first.span(),
                        "a second default; one is the most",
                    ));
                }
                select.default = Some(body);
            } else {
                select.arms.push(Arm::parse(&head, first.span(), body)?);
            }
        }
        if select.arms.len() > MAX_CASES {
            let message = format!("{} cases; {MAX_CASES} is the most", select.arms.len());
            return Err(Diagnostic::at(Span::call_site(), message));
        }
        Ok(select)
    }

    fn write(self, root: &TokenStream, waits: bool) -> TokenStream {
        let private = |name: &str| {
            let mut path = root.clone();
            path.extend(code(&format!("::__private::{name}")));
            path
        };
        let numbered = |name: &str, index: usize| format!("__{name}{index}");
        let count = self.arms.len();

        // enum __Chosen<T0, T1> { C0(T0), C1(T1), Default }
        let mut variants = String::new();
        let mut generics = String::new();
        for index in 0..count {
            variants += &format!("__C{index}(__T{index}),");
            generics += &format!("__T{index},");
        }
        let mut written = code(&format!(
            "#[allow(non_camel_case_types, dead_code)] enum __Chosen<{generics}> {{ {variants} __Default }}"
        ));

        let mut operands = TokenStream::new();
        let mut names = TokenStream::new();
        let mut pins = TokenStream::new();
        let mut references = TokenStream::new();
        let mut samples = TokenStream::new();
        let mut outcomes = TokenStream::new();
        for (index, arm) in self.arms.iter().enumerate() {
            let case = numbered("case", index);
            let mut operand = private("Probe");
            operand.extend(group(Delimiter::Parenthesis, arm.expression.clone()));
            // What is no operation has no such method, and it is the operand that is to be blamed.
            operand.extend(code_at(".into_case()", begin(&arm.expression)));
            if let Some(guard) = &arm.guard {
                // Without its guard a case is one that is never ready, and its operand is not made.
                let mut maybe = code("if");
                maybe.extend(guard.clone());
                let mut some = code("::core::option::Option::Some");
                some.extend(group(Delimiter::Parenthesis, operand));
                maybe.extend(group(Delimiter::Brace, some));
                maybe.extend(code("else { ::core::option::Option::None }"));
                operand = maybe;
            }
            operands.extend(operand);
            operands.extend(code(","));
            names.extend(code(&format!("{case},")));
            // Made where it stays: see `Seed`.
            let mut grown = private("Seed");
            grown.extend(code(&format!("::grow({case})")));
            pins.extend(code(&format!("let mut {case} = ::core::pin::pin!")));
            pins.extend(group(Delimiter::Parenthesis, grown));
            pins.extend(code(";"));
            references.extend(code(&format!("{case}.as_mut(),")));
            samples.extend(private("sample"));
            samples.extend(code(&format!("(&*{case}),")));
            outcomes.extend(code(&format!(
                "{index} => __Chosen::__C{index}({case}.as_mut().take_output()),"
            )));
        }
        outcomes.extend(code("_ => __Chosen::__Default,"));

        // The sample is taken before the pins are borrowed for the cases.
        let mut inner = pins;
        inner.extend(code("let __sample ="));
        inner.extend(group(Delimiter::Parenthesis, samples));
        inner.extend(code(";"));
        let mut array = group(Delimiter::Bracket, references);
        array.extend(code("as"));
        let mut element = code("::core::pin::Pin<&mut dyn");
        element.extend(private("Case"));
        element.extend(code(&format!(">; {count}")));
        array.extend(group(Delimiter::Bracket, element));
        array.extend(code(&format!(
            ", __sample, {}, {}",
            self.biased,
            self.default.is_some()
        )));
        let mut selecting = private("Selecting");
        selecting.extend(code("::new"));
        selecting.extend(group(Delimiter::Parenthesis, array));
        let chosen = if waits {
            selecting.extend(code(".await"));
            selecting
        } else {
            let mut wait = private("wait");
            wait.extend(group(Delimiter::Parenthesis, selecting));
            wait
        };
        inner.extend(code("let __chosen ="));
        inner.extend(chosen);
        inner.extend(code("; match __chosen"));
        inner.extend(group(Delimiter::Brace, outcomes));

        let mut arm = group(Delimiter::Parenthesis, names)
            .into_iter()
            .collect::<TokenStream>();
        arm.extend(code("=>"));
        arm.extend(group(Delimiter::Brace, inner));
        let mut scrutinee = code("match");
        scrutinee.extend(group(Delimiter::Parenthesis, operands));
        scrutinee.extend(group(Delimiter::Brace, arm));

        let mut bodies = TokenStream::new();
        for (index, arm) in self.arms.into_iter().enumerate() {
            bodies.extend(code(&format!("__Chosen::__C{index}(__value) =>")));
            // No `match`: of a pattern that leaves something out it says so of the whole macro.
            let mut body = code("let");
            body.extend(arm.pattern);
            body.extend(code("= __value;"));
            body.extend(arm.body);
            bodies.extend(group(Delimiter::Brace, body));
        }
        bodies.extend(code("__Chosen::__Default =>"));
        let default = self.default.unwrap_or_else(|| {
            code("::core::unreachable!(\"a select without a default chooses a case\")")
        });
        bodies.extend(group(Delimiter::Brace, default));

        written.extend(code("#[allow(unused_imports)] use"));
        written.extend(private("{FutureProbe as _, TakeOutput as _}"));
        written.extend(code("; match"));
        written.extend(scrutinee);
        written.extend(group(Delimiter::Brace, bodies));
        group(Delimiter::Brace, written).into_iter().collect()
    }
}

impl Arm {
    /// `pattern = expression` or `pattern = expression, if guard`, without the arrow.
    fn parse(head: &[TokenTree], start: Span, body: TokenStream) -> Result<Self, Diagnostic> {
        let Some(equals) = head.iter().position(is_assignment) else {
            let message = "expected `pattern = operation => body`, or `default => body`";
            return Err(Diagnostic::over(head, start, message));
        };
        let (pattern, rest) = (&head[..equals], &head[equals + 1..]);
        let guard_at = rest.windows(2).position(|pair| {
            matches!(&pair[0], TokenTree::Punct(comma) if comma.as_char() == ',')
                && matches!(&pair[1], TokenTree::Ident(word) if word.to_string() == "if")
        });
        let (expression, guard) = match guard_at {
            Some(at) => (&rest[..at], Some(rest[at + 2..].iter().cloned().collect())),
            None => (rest, None),
        };
        if pattern.is_empty() || expression.is_empty() {
            let message = "expected a pattern, `=`, and an operation such as `receiver.recv()`";
            return Err(Diagnostic::over(head, start, message));
        }
        Ok(Self {
            pattern: pattern.iter().cloned().collect(),
            expression: expression.iter().cloned().collect(),
            guard,
            body,
        })
    }
}

/// The tokens of the arms, and how many have been taken.
struct Tokens(Vec<TokenTree>, usize);

impl Tokens {
    fn peek(&self) -> Option<&TokenTree> {
        self.0.get(self.1)
    }

    fn take_biased(&mut self) -> bool {
        let biased = matches!(
            (self.0.first(), self.0.get(1)),
            (Some(TokenTree::Ident(word)), Some(TokenTree::Punct(end)))
                if word.to_string() == "biased" && end.as_char() == ';'
        );
        if biased {
            self.1 = 2;
        }
        biased
    }

    /// What stands before the next `=>`, which is taken, too.
    fn until_arrow(&mut self) -> Result<Vec<TokenTree>, Diagnostic> {
        let start = self.1;
        let arrow = self.0[start..].windows(2).position(|pair| {
            matches!(&pair[0], TokenTree::Punct(first) if first.as_char() == '=' && first.spacing() == Spacing::Joint)
                && matches!(&pair[1], TokenTree::Punct(second) if second.as_char() == '>')
        });
        let Some(length) = arrow else {
            let rest = &self.0[start..];
            return Err(Diagnostic::over(
                rest,
                Span::call_site(),
                "expected `=>` and a body",
            ));
        };
        self.1 = start + length + 2;
        Ok(self.0[start..start + length].to_vec())
    }

    /// The body of an arm: a block, after which a comma may stand, or an expression up to a comma.
    fn body(&mut self, arm: Span) -> Result<TokenStream, Diagnostic> {
        let start = self.1;
        let is_comma =
            |token: &TokenTree| matches!(token, TokenTree::Punct(comma) if comma.as_char() == ',');
        if let Some(TokenTree::Group(block)) = self.peek().cloned() {
            let after = self.0.get(start + 1);
            let ends = after.is_none_or(|next| is_comma(next) || !continues(next));
            if is_block(&block) && ends {
                let comma = after.is_some_and(is_comma);
                self.1 += 1 + usize::from(comma);
                return Ok(TokenTree::Group(block).into());
            }
        }
        let rest = &self.0[start..];
        let length = rest.iter().position(is_comma).unwrap_or(rest.len());
        if length == 0 {
            return Err(Diagnostic::at(
                arm,
                "this arm has no body; expected one after `=>`",
            ));
        }
        self.1 = (start + length + 1).min(self.0.len());
        Ok(rest[..length].iter().cloned().collect())
    }
}

/// Whether a group is a block, also one that came to another macro as `$body:block`.
fn is_block(group: &Group) -> bool {
    let mut inner = group.stream().into_iter();
    match group.delimiter() {
        Delimiter::Brace => true,
        Delimiter::None => matches!(
            (inner.next(), inner.next()),
            (Some(TokenTree::Group(only)), None) if is_block(&only)
        ),
        _ => false,
    }
}

/// Whether a token after a block goes on with the expression that begins with it.
fn continues(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if matches!(punct.as_char(), '.' | '?'))
}

/// Whether a token is the `=` between pattern and operation.
fn is_assignment(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == '=' && punct.spacing() == Spacing::Alone)
}

fn is_word(tokens: &[TokenTree], word: &str) -> bool {
    matches!(tokens, [TokenTree::Ident(only)] if only.to_string() == word)
}

fn group(delimiter: Delimiter, stream: TokenStream) -> TokenStream {
    TokenTree::from(Group::new(delimiter, stream)).into()
}

/// Where something begins that the user wrote.
fn begin(written: &TokenStream) -> Span {
    let first = written.clone().into_iter().next();
    first.map_or_else(Span::call_site, |token| token.span())
}

/// Our own code, with names that cannot meet the user's.
fn code(text: &str) -> TokenStream {
    code_at(text, Span::mixed_site())
}

/// The same, which the compiler shows at `place`.
fn code_at(text: &str, place: Span) -> TokenStream {
    let stream: TokenStream = text.parse().expect("our own code is made of tokens");
    respan(stream, Span::mixed_site().located_at(place))
}

fn respan(stream: TokenStream, span: Span) -> TokenStream {
    let respan = |mut token: TokenTree| {
        if let TokenTree::Group(inner) = &token {
            let mut group = Group::new(inner.delimiter(), respan(inner.stream(), span));
            group.set_span(span);
            return group.into();
        }
        token.set_span(span);
        token
    };
    stream.into_iter().map(respan).collect()
}
