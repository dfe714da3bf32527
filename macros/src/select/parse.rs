//! The arms, and what is said of those that are none.

use proc_macro::{Delimiter, Group, Spacing, Span, TokenStream, TokenTree};

use super::pattern::{Matches, matches};
use super::{Arm, MAX_CASES, Select, is_punct, is_word};
use crate::diagnostic::Diagnostic;

const FORMS: &str = "expected `pattern = operation => body`";

impl Select {
    pub(super) fn parse(tokens: TokenStream) -> Result<Self, Diagnostic> {
        let mut tokens = Tokens(tokens.into_iter().collect(), 0);
        let biased = tokens.take_biased()?;
        let mut select = Self {
            biased,
            arms: Vec::new(),
            default: None,
            otherwise: None,
        };
        // Of all arms, to point at it.
        let mut patterns = Vec::new();
        let mut otherwise_at = None;
        while let Some(first) = tokens.peek().cloned() {
            let head = tokens.until_arrow()?;
            let body = tokens.body(first.span())?;
            match fallback(&head, &first)? {
                Some(Fallback::Default) => put(&mut select.default, body, &head, "default")?,
                Some(Fallback::Else) => {
                    put(&mut select.otherwise, body, &head, "else")?;
                    otherwise_at = Some(first.span());
                }
                None => {
                    let (arm, pattern) = Arm::parse(&head, first.span(), body)?;
                    if select.arms.len() == MAX_CASES {
                        let message = format!(
                            "an arm too many: a select in the source has {MAX_CASES} at most; \
                             `gopark::chan::Select` takes any number"
                        );
                        return Err(Diagnostic::over(&head, first.span(), message));
                    }
                    select.arms.push(arm);
                    patterns.push(pattern);
                }
            }
        }
        if let (Some(at), true) = (otherwise_at, select.default.is_some()) {
            let message =
                "`else` beside `default` never runs: the default does when all arms are off";
            return Err(Diagnostic::at(at, message));
        }
        select.settle(&patterns)?;
        Ok(select)
    }

    /// Decides which patterns may leave something out; see the module above.
    fn settle(&mut self, patterns: &[Vec<TokenTree>]) -> Result<(), Diagnostic> {
        let stays = |arm: &Arm| arm.guard.is_none() && arm.is_let;
        let goes_on =
            self.default.is_some() || self.otherwise.is_some() || self.arms.iter().any(stays);
        for (arm, pattern) in self.arms.iter_mut().zip(patterns) {
            arm.may_miss = goes_on && !arm.is_let;
            if !goes_on && matches(pattern) == Matches::Sometimes {
                let message = "this pattern may not match, and then no arm may be left to wait for: add \
                               `else => ..`, or match all that the operation gives in the body";
                return Err(Diagnostic::over(pattern, Span::call_site(), message));
            }
        }
        Ok(())
    }
}

/// Puts the body of a default or an `else` where it belongs.
fn put(
    place: &mut Option<TokenStream>,
    body: TokenStream,
    head: &[TokenTree],
    name: &str,
) -> Result<(), Diagnostic> {
    if place.is_some() {
        let message = format!("a second `{name}`; one is the most");
        return Err(Diagnostic::over(head, Span::call_site(), message));
    }
    *place = Some(body);
    Ok(())
}

enum Fallback {
    Default,
    Else,
}

/// Whether an arm is the default or the `else`; says what is wrong with one that is meant to be.
fn fallback(head: &[TokenTree], first: &TokenTree) -> Result<Option<Fallback>, Diagnostic> {
    let refuse = |message: &str| Err(Diagnostic::over(head, first.span(), message));
    let kind = match head {
        [word, ..] if is_word(word, "default") => Fallback::Default,
        [word, ..] if is_word(word, "else") => Fallback::Else,
        [word] if is_word(word, "_") => {
            return refuse(
                "`_` is no operation: write `default => ..` for when none is ready, or `else => ..` for \
                 when all arms are off",
            );
        }
        _ => return Ok(None),
    };
    match (&kind, &head[1..]) {
        (_, []) => Ok(Some(kind)),
        (Fallback::Default, [TokenTree::Group(group)])
            if group.delimiter() == Delimiter::Parenthesis =>
        {
            refuse(
                "`default` takes no time: write `_ = gopark::chan::after(..) => ..` to wait so long",
            )
        }
        // A pattern, of a variable of that name.
        (Fallback::Default, [next, ..]) if is_punct(next, '=') || is_punct(next, '@') => Ok(None),
        (Fallback::Default, _) => {
            refuse("`default` takes no condition: it is for when no operation is ready")
        }
        (Fallback::Else, _) => refuse("`else` takes no condition: it is for when all arms are off"),
    }
}

impl Arm {
    /// `pattern = expression` or `pattern = expression, if guard`, without the arrow; and the pattern as a list.
    fn parse(
        head: &[TokenTree],
        start: Span,
        body: TokenStream,
    ) -> Result<(Self, Vec<TokenTree>), Diagnostic> {
        let refuse = |message: String| Err(Diagnostic::over(head, start, message));
        if matches!(head, [word, semicolon, ..] if is_word(word, "biased") && is_punct(semicolon, ';'))
        {
            return refuse("`biased;` stands before the first arm".to_string());
        }
        let Some(equals) = (0..head.len()).find(|&at| is_assignment(head, at)) else {
            return refuse(no_assignment(head));
        };
        let (pattern, rest) = (&head[..equals], &head[equals + 1..]);
        let guard_at = rest
            .windows(2)
            .position(|pair| is_punct(&pair[0], ',') && is_word(&pair[1], "if"));
        let (expression, guard) = match guard_at {
            Some(at) => (&rest[..at], Some(rest[at + 2..].to_vec())),
            None => (rest, None),
        };
        if pattern.is_empty() || expression.is_empty() {
            return refuse(format!(
                "{FORMS}, with an operation such as `receiver.recv()`"
            ));
        }
        if guard.as_ref().is_some_and(Vec::is_empty) {
            return refuse("expected a condition after `if`".to_string());
        }
        if let Some(at) = bare_condition(expression) {
            let message =
                "expected a comma before the condition: `pattern = operation, if condition`";
            return Err(Diagnostic::over(&expression[at..], start, message));
        }
        let arm = Self {
            pattern: pattern.iter().cloned().collect(),
            expression: expression.iter().cloned().collect(),
            guard: guard.map(|guard| guard.into_iter().collect()),
            body,
            is_let: matches(pattern) == Matches::Always,
            may_miss: false,
        };
        Ok((arm, pattern.to_vec()))
    }
}

/// What to say of an arm without an `=`.
fn no_assignment(head: &[TokenTree]) -> String {
    let is_arrow = |pair: &[TokenTree]| is_punct(&pair[0], '-') && is_punct(&pair[1], '>');
    if head.windows(2).any(is_arrow) {
        return format!(
            "{FORMS}: what is `recv(receiver) -> message` elsewhere is `message = receiver.recv()` here"
        );
    }
    if head.len() > 1 {
        return format!(
            "{FORMS}: to take no notice of the outcome, write `_ = ` before the operation"
        );
    }
    format!("{FORMS}, `default => body`, or `else => body`")
}

/// Where an `if` stands that follows a whole expression.
fn bare_condition(expression: &[TokenTree]) -> Option<usize> {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(_) | TokenTree::Literal(_) => true,
        TokenTree::Punct(punct) => punct.as_char() == '?',
        TokenTree::Ident(word) => {
            !["else", "return", "break", "move", "in", "match"].contains(&word.to_string().as_str())
        }
    };
    let pairs = expression.windows(2);
    let found = pairs
        .into_iter()
        .position(|pair| ends(&pair[0]) && is_word(&pair[1], "if"));
    found.map(|before| before + 1)
}

/// The tokens of the arms, and how many have been taken.
struct Tokens(Vec<TokenTree>, usize);

impl Tokens {
    fn peek(&self) -> Option<&TokenTree> {
        self.0.get(self.1)
    }

    fn take_biased(&mut self) -> Result<bool, Diagnostic> {
        let [word, end, ..] = &self.0[..] else {
            return Ok(false);
        };
        if !is_word(word, "biased") {
            return Ok(false);
        }
        if is_punct(end, ',') {
            return Err(Diagnostic::over(
                &self.0[..2],
                word.span(),
                "expected `biased;`",
            ));
        }
        let biased = is_punct(end, ';');
        if biased {
            self.1 = 2;
        }
        Ok(biased)
    }

    /// What stands before the next `=>`, which is taken, too.
    fn until_arrow(&mut self) -> Result<Vec<TokenTree>, Diagnostic> {
        let start = self.1;
        let Some(length) = find_arrow(&self.0[start..]) else {
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
        if let Some(TokenTree::Group(block)) = self.peek().cloned() {
            let after = self.0.get(start + 1);
            let ends = after.is_none_or(|next| is_punct(next, ',') || !continues(next));
            if is_block(&block) && ends {
                let comma = after.is_some_and(|next| is_punct(next, ','));
                self.1 += 1 + usize::from(comma);
                return Ok(TokenTree::Group(block).into());
            }
        }
        let rest = &self.0[start..];
        let length = expression_length(rest);
        let body = &rest[..length];
        if body.is_empty() {
            return Err(Diagnostic::at(
                arm,
                "this arm has no body; expected one after `=>`",
            ));
        }
        if let Some(at) = body.iter().position(|token| is_punct(token, ';')) {
            let message = "expected a comma after the body of an arm, or braces around it";
            return Err(Diagnostic::at(body[at].span(), message));
        }
        if let Some(arrow) = find_arrow(body) {
            let message = "a comma is missing between the body of an arm and the next arm";
            return Err(Diagnostic::over(&body[..arrow], arm, message));
        }
        self.1 = (start + length + 1).min(self.0.len());
        Ok(body.iter().cloned().collect())
    }
}

/// Where the first `=>` is.
fn find_arrow(tokens: &[TokenTree]) -> Option<usize> {
    tokens.windows(2).position(|pair| {
        matches!(&pair[0], TokenTree::Punct(first) if first.as_char() == '=' && first.spacing() == Spacing::Joint)
            && is_punct(&pair[1], '>')
    })
}

/// How many tokens there are up to the next comma, but for those between the angles of `::<A, B>`.
fn expression_length(tokens: &[TokenTree]) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        let follows = |character| at > 0 && is_punct(&tokens[at - 1], character);
        if is_punct(token, '<') && (depth > 0 || follows(':')) {
            depth += 1;
        } else if is_punct(token, '>') && !follows('-') && !follows('=') {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && is_punct(token, ',') {
            return at;
        }
    }
    tokens.len()
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
    is_punct(token, '.') || is_punct(token, '?')
}

/// Whether there is the `=` between pattern and operation: not that of `..=`.
fn is_assignment(tokens: &[TokenTree], at: usize) -> bool {
    let is_joint = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.spacing() == Spacing::Joint);
    is_punct(&tokens[at], '=') && !is_joint(&tokens[at]) && (at == 0 || !is_joint(&tokens[at - 1]))
}
