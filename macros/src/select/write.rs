//! What a select becomes; see the module above.

use proc_macro::{Delimiter, Group, Span, TokenStream, TokenTree};

use super::{Arm, Select, group, is_word};

pub(super) struct Writer {
    /// The path to gopark.
    root: TokenStream,
    /// Whether it is awaited, and does not block.
    waits: bool,
}

impl Writer {
    pub(super) fn new(root: TokenStream, waits: bool) -> Self {
        Self { root, waits }
    }

    pub(super) fn write(self, select: Select) -> TokenStream {
        // enum __Chosen<T0, T1> { C0(T0), C1(T1), Default, Else }
        let mut variants = String::new();
        let mut generics = String::new();
        for index in 0..select.arms.len() {
            variants += &format!("__C{index}(__T{index}),");
            generics += &format!("__T{index},");
        }
        let mut written = code(&format!(
            "#[allow(non_camel_case_types, dead_code)] \
             enum __Chosen<{generics}> {{ {variants} __Default, __Else }}"
        ));
        written.extend(code("#[allow(unused_imports)] use"));
        written.extend(self.private("{FutureProbe as _, TakeOutput as _}"));
        // A statement, so that operands and their temporaries are gone when a body runs.
        written.extend(code("; let __chosen = match"));
        written.extend(self.operands(&select.arms));
        let mut arm = TokenStream::new();
        let names = (0..select.arms.len()).map(|index| format!("__case{index},"));
        arm.extend(group(
            Delimiter::Parenthesis,
            code(&names.collect::<String>()),
        ));
        arm.extend(code("=>"));
        arm.extend(group(Delimiter::Brace, self.choice(&select)));
        written.extend(group(Delimiter::Brace, arm));
        written.extend(code("; match __chosen"));
        written.extend(group(Delimiter::Brace, bodies(select)));
        group(Delimiter::Brace, written)
    }

    /// A name in the part of gopark that is for us.
    fn private(&self, name: &str) -> TokenStream {
        let mut path = self.root.clone();
        path.extend(code(&format!("::__private::{name}")));
        path
    }

    /// What the arms wait for, as a tuple.
    fn operands(&self, arms: &[Arm]) -> TokenStream {
        let mut operands = TokenStream::new();
        for arm in arms {
            let mut operand = self.private("Probe");
            operand.extend(group(Delimiter::Parenthesis, arm.expression.clone()));
            // What is no operation cannot become a case, and it is the operand that is to be blamed.
            operand.extend(code_over(".into_case()", &arm.expression));
            if arm.is_optional() {
                let mut some = code("::core::option::Option::Some");
                some.extend(group(Delimiter::Parenthesis, operand));
                operand = some;
            }
            if let Some(guard) = &arm.guard {
                // Without its guard a case is one that is never ready, and its operand is not made.
                let mut maybe = code("if");
                maybe.extend(guard.clone());
                maybe.extend(group(Delimiter::Brace, operand));
                maybe.extend(code("else { ::core::option::Option::None }"));
                operand = maybe;
            }
            operands.extend(operand);
            operands.extend(code(","));
        }
        group(Delimiter::Parenthesis, operands)
    }

    /// Pins the cases, and chooses one.
    fn choice(&self, select: &Select) -> TokenStream {
        let mut choice = TokenStream::new();
        for index in 0..select.arms.len() {
            // Made where it stays: see `Seed`.
            let mut grown = self.private("Seed");
            grown.extend(code(&format!("::grow(__case{index})")));
            choice.extend(code(&format!("let mut __case{index} = ::core::pin::pin!")));
            choice.extend(group(Delimiter::Parenthesis, grown));
            choice.extend(code(";"));
        }
        let mut round = self.chosen(select);
        let repeats = select.otherwise.is_some() || select.arms.iter().any(|arm| arm.may_miss);
        let mut outcomes = TokenStream::new();
        for (index, arm) in select.arms.iter().enumerate() {
            let taken = format!("__case{index}.as_mut().take_output()");
            outcomes.extend(code(&format!("{index} =>")));
            outcomes.extend(if arm.may_miss {
                group(Delimiter::Brace, try_pattern(index, arm, &taken))
            } else if repeats {
                code(&format!("break __Chosen::__C{index}({taken}),"))
            } else {
                code(&format!("__Chosen::__C{index}({taken}),"))
            });
        }
        outcomes.extend(code(if repeats {
            "_ => break __Chosen::__Default,"
        } else {
            "_ => __Chosen::__Default,"
        }));
        round.extend(code("match __chosen"));
        round.extend(group(Delimiter::Brace, outcomes));
        if repeats {
            choice.extend(code("loop"));
            let mut body = runs_out(select);
            body.extend(round);
            choice.extend(group(Delimiter::Brace, body));
        } else {
            choice.extend(round);
        }
        choice
    }

    /// The number of the case that was chosen.
    fn chosen(&self, select: &Select) -> TokenStream {
        let count = select.arms.len();
        let mut samples = TokenStream::new();
        let mut references = String::new();
        for index in 0..count {
            samples.extend(self.private("sample"));
            samples.extend(code(&format!("(&*__case{index}),")));
            references += &format!("__case{index}.as_mut(),");
        }
        // The sample is taken before the pins are borrowed for the cases.
        let mut round = code("let __sample =");
        round.extend(group(Delimiter::Parenthesis, samples));
        round.extend(code(";"));
        let mut array = group(Delimiter::Bracket, code(&references));
        array.extend(code("as"));
        let mut element = code("::core::pin::Pin<&mut dyn");
        element.extend(self.private("Case"));
        element.extend(code(&format!(">; {count}")));
        array.extend(group(Delimiter::Bracket, element));
        array.extend(code(&format!(
            ", __sample, {}, {}",
            select.biased,
            select.default.is_some()
        )));
        let mut selecting = self.private("Selecting");
        selecting.extend(code("::new"));
        selecting.extend(group(Delimiter::Parenthesis, array));
        round.extend(code("let __chosen ="));
        if self.waits {
            round.extend(selecting);
            round.extend(code(".await"));
        } else {
            round.extend(self.private("wait"));
            round.extend(group(Delimiter::Parenthesis, selecting));
        }
        round.extend(code(";"));
        round
    }
}

/// Ends the select with its `else`, if it has one and all arms are off.
fn runs_out(select: &Select) -> TokenStream {
    if select.otherwise.is_none() {
        return TokenStream::new();
    }
    let mut condition = String::from("true");
    for (index, arm) in select.arms.iter().enumerate() {
        condition += &if arm.is_optional() {
            format!(" && __case{index}.is_none()")
        } else {
            String::from(" && false")
        };
    }
    code(&format!("if {condition} {{ break __Chosen::__Else; }}"))
}

/// Takes the output, and ends with it if it matches; else the case is off.
fn try_pattern(index: usize, arm: &Arm, taken: &str) -> TokenStream {
    let mut tried = code(&format!(
        "#[allow(unused_mut)] let mut __value = {taken}; let mut __matches = false; \
         #[allow(unused, clippy::all)] match __value"
    ));
    let mut arms = arm.pattern.clone();
    arms.extend(code(
        "if { __matches = true; false } => ::core::unreachable!(), _ => {}",
    ));
    tried.extend(group(Delimiter::Brace, arms));
    tried.extend(code(&format!(
        "if __matches {{ break __Chosen::__C{index}(__value); }} \
         __case{index}.set(::core::option::Option::None);"
    )));
    tried
}

/// What is done with what was chosen.
fn bodies(select: Select) -> TokenStream {
    let mut bodies = TokenStream::new();
    for (index, arm) in select.arms.into_iter().enumerate() {
        bodies.extend(code(&format!("__Chosen::__C{index}(__value) =>")));
        let mut body = TokenStream::new();
        if has_ref(&arm.pattern) {
            body.extend(code("#[allow(unused_mut)] let mut __value = __value;"));
        }
        if arm.is_let {
            body.extend(code("let"));
            body.extend(arm.pattern);
            body.extend(code("= __value;"));
            body.extend(arm.body);
        } else {
            // Of a pattern that leaves something out the compiler says so at what is matched.
            let value = code_over("__value", &arm.pattern);
            let mut arms = arm.pattern;
            arms.extend(code("=>"));
            arms.extend(group(Delimiter::Brace, arm.body));
            if arm.may_miss {
                arms.extend(code(
                    "#[allow(unreachable_patterns)] _ => ::core::unreachable!()",
                ));
            }
            body.extend(code("match"));
            body.extend(value);
            body.extend(group(Delimiter::Brace, arms));
        }
        bodies.extend(group(Delimiter::Brace, body));
    }
    let last = |body: Option<TokenStream>| {
        let unreachable = "::core::unreachable!(\"a select chooses one of its arms\")";
        group(Delimiter::Brace, body.unwrap_or_else(|| code(unreachable)))
    };
    bodies.extend(code("__Chosen::__Default =>"));
    bodies.extend(last(select.default));
    bodies.extend(code("__Chosen::__Else =>"));
    bodies.extend(last(select.otherwise));
    bodies
}

/// Whether a pattern may borrow from what it is matched with, for which that must be mutable.
fn has_ref(pattern: &TokenStream) -> bool {
    pattern.clone().into_iter().any(|token| match &token {
        TokenTree::Group(inner) => has_ref(&inner.stream()),
        token => is_word(token, "ref"),
    })
}

/// Our own code, with names that cannot meet the user's.
fn code(text: &str) -> TokenStream {
    respan(parse(text), Span::mixed_site(), Span::mixed_site())
}

/// The same, which the compiler shows as if it were `written`: its first token as the first of that, its last
/// as the last.
fn code_over(text: &str, written: &TokenStream) -> TokenStream {
    let mut tokens = written.clone().into_iter();
    let first = tokens.next();
    let first = first.map_or_else(Span::call_site, |token| token.span());
    let last = tokens.last().map_or(first, |token| token.span());
    let at = |place| Span::mixed_site().located_at(place);
    respan(parse(text), at(first), at(last))
}

fn parse(text: &str) -> TokenStream {
    text.parse().expect("our own code is made of tokens")
}

fn respan(stream: TokenStream, first: Span, rest: Span) -> TokenStream {
    let mut next = first;
    let respan = |mut token: TokenTree| {
        let span = std::mem::replace(&mut next, rest);
        if let TokenTree::Group(inner) = &token {
            let mut group = Group::new(inner.delimiter(), respan(inner.stream(), rest, rest));
            group.set_span(span);
            return group.into();
        }
        token.set_span(span);
        token
    };
    stream.into_iter().map(respan).collect()
}
