//! The grammar, by recursive descent: what is typed becomes a tree, or an error with its place.
//!
//! ```text
//! query := and ( "OR" and )*
//! and   := not ( ["AND"] not )*
//! not   := ( "NOT" | "-" ) not | near
//! near  := prim ( "NEAR/"N prim )*
//! prim  := [field ":"] ( "(" query ")" | phrase | regex | ["="] word ["*"] )
//! ```

use std::ops::Range;

use super::syntax::{Field, MAX_DEPTH, MAX_LENGTH, MAX_NEAR, Near, Node, NodeKind, Notes, Parsed, Span, SyntaxError};

/// Reads a whole query.
pub(super) fn read(text: &str) -> Result<Parsed, SyntaxError> {
    read_whole(text).map_err(|mut error| {
        // What is missing at the end is missing behind the last character.
        error.at.end = text.ceil_char_boundary(error.at.end);
        error.at.start = text.floor_char_boundary(error.at.start.min(error.at.end));
        error
    })
}

fn read_whole(text: &str) -> Result<Parsed, SyntaxError> {
    if text.len() > MAX_LENGTH {
        let message = format!("The query has {} bytes; at most {MAX_LENGTH} are read.", text.len());
        return Err(error(message, text.floor_char_boundary(MAX_LENGTH)..text.len(), "Split it into several streams."));
    }
    let mut reader =
        Reader { text, at: 0, depth: 0, atoms: 0, mixed: false, waiting: None, warnings: typography(text) };
    reader.skip_space();
    let clause = if reader.rest().is_empty() {
        Clause { node: node(0..text.len(), NodeKind::Everything), shown: String::new(), joined: false }
    } else {
        reader.or(None)?
    };
    if !reader.rest().is_empty() {
        let at = reader.at..reader.at + 1;
        return Err(error("This bracket closes nothing.", at, "Leave it out, or open one before it."));
    }
    Ok(Parsed {
        source: text.into(),
        root: clause.node,
        atoms: reader.atoms,
        notes: (reader.mixed || !reader.warnings.is_empty())
            .then(|| Box::new(Notes { reading: reader.mixed.then_some(clause.shown), warnings: reader.warnings })),
    })
}

/// Makes an error.
pub(super) fn error(message: impl Into<String>, at: Range<usize>, hint: impl Into<String>) -> SyntaxError {
    SyntaxError { message: message.into(), at, hint: Some(hint.into()) }
}

fn node(at: Range<usize>, kind: NodeKind) -> Node {
    Node { at: Span::new(&at), kind }
}

fn typography(text: &str) -> Vec<String> {
    if !text.contains(['“', '”', '„', '«', '»']) {
        return Vec::new();
    }
    vec!["Typographic quotes mean nothing in a query; a phrase stands in \"straight quotes\".".to_owned()]
}

/// A part that was read.
struct Clause {
    node: Node,
    /// As it reads with all its brackets.
    shown: String,
    /// Whether it is several terms joined by AND, without brackets around them.
    joined: bool,
}

pub(super) struct Reader<'a> {
    text: &'a str,
    pub(super) at: usize,
    depth: u32,
    pub(super) atoms: u32,
    mixed: bool,
    /// The operator that was read last and still lacks what stands on its right.
    waiting: Option<Range<usize>>,
    pub(super) warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Whether an operator in capitals stands here.
    fn sees(&self, operator: &str) -> bool {
        self.rest().strip_prefix(operator).is_some_and(|after| after.chars().next().is_none_or(ends_word))
    }

    /// Takes an operator that was seen.
    fn operator(&mut self, length: usize) {
        self.waiting = Some(self.at..self.at + length);
        self.at += length;
        self.skip_space();
    }

    fn or(&mut self, field: Option<Field>) -> Result<Clause, SyntaxError> {
        let start = self.at;
        let mut clauses = vec![self.and(field)?];
        while self.sees("OR") {
            self.operator(2);
            clauses.push(self.and(field)?);
        }
        let end = self.at;
        if clauses.len() > 1 {
            for clause in clauses.iter_mut().filter(|clause| clause.joined) {
                self.mixed = true;
                clause.shown = format!("({})", clause.shown);
            }
        }
        Ok(join(clauses, " OR ", start..end, NodeKind::Or))
    }

    fn and(&mut self, field: Option<Field>) -> Result<Clause, SyntaxError> {
        self.skip_space();
        let start = self.at;
        let mut end = start;
        let mut clauses = Vec::new();
        loop {
            self.skip_space();
            if self.sees("AND") && !clauses.is_empty() && self.waiting.is_none() {
                self.operator(3);
            }
            if self.rest().is_empty() || self.peek() == Some(')') || self.sees("OR") || self.sees("AND") {
                if clauses.is_empty() || self.waiting.is_some() {
                    return Err(self.nothing_here());
                }
                break;
            }
            clauses.push(self.not(field)?);
            end = self.at;
        }
        let joined = clauses.len() > 1;
        Ok(Clause { joined, ..join(clauses, " AND ", start..end, NodeKind::And) })
    }

    fn nothing_here(&self) -> SyntaxError {
        if let Some(at) = self.waiting.clone() {
            let operator = self.text.get(at.clone()).unwrap_or_default();
            let message = format!("`{operator}` has nothing on its right.");
            let hint = if operator == "-" {
                "Write the hyphen directly before a term, or leave it out.".to_owned()
            } else {
                format!("Write a term after it; if the word itself is meant, write \"{operator}\".")
            };
            return error(message, at, hint);
        }
        for operator in ["OR", "AND"] {
            if self.sees(operator) {
                let hint = format!("Write a term before it; if the word itself is meant, write \"{operator}\".");
                let at = self.at..self.at + operator.len();
                return error(format!("`{operator}` has nothing on its left."), at, hint);
            }
        }
        if self.depth == 0 {
            return error("This bracket closes nothing.", self.at..self.at + 1, "Leave it out, or open one before it.");
        }
        error("These brackets hold nothing.", self.at.saturating_sub(1)..self.at + 1, "Leave them out.")
    }

    fn not(&mut self, field: Option<Field>) -> Result<Clause, SyntaxError> {
        let start = self.at;
        let mut negated = 0_u32;
        loop {
            if self.sees("NOT") {
                self.operator(3);
            } else if self.peek() == Some('-') {
                self.waiting = Some(self.at..self.at + 1);
                self.at += 1;
                if self.peek().is_none_or(ends_word_after_hyphen) {
                    return Err(self.nothing_here());
                }
            } else {
                break;
            }
            negated += 1;
        }
        if negated > 0 && (self.rest().is_empty() || self.peek() == Some(')') || self.sees("OR") || self.sees("AND")) {
            return Err(self.nothing_here());
        }
        let mut clause = self.near(field)?;
        if negated % 2 == 1 {
            let inner = std::mem::replace(&mut clause.node, node(start..self.at, NodeKind::Everything));
            clause.node.kind = NodeKind::Not(Box::new(inner));
            clause.shown = format!("NOT {}", clause.shown);
        }
        Ok(clause)
    }

    fn near(&mut self, field: Option<Field>) -> Result<Clause, SyntaxError> {
        let start = self.at;
        let first = self.prim(field)?;
        let mut end = self.at;
        let mut shown = first.shown;
        let mut rest = Vec::new();
        loop {
            self.skip_space();
            if !self.rest().starts_with("NEAR/") {
                break;
            }
            let (words, length) = self.near_words()?;
            let operator = self.rest().get(..length).unwrap_or_default();
            shown = format!("{shown} {operator} ");
            self.operator(length);
            if self.rest().is_empty() || matches!(self.peek(), Some(')' | '-')) || self.sees("NOT") {
                return Err(self.nothing_here());
            }
            let next = self.prim(field)?;
            end = self.at;
            shown.push_str(&next.shown);
            rest.push((words, next.node));
        }
        if rest.is_empty() {
            return Ok(Clause { node: first.node, shown, joined: false });
        }
        let near = Near { first: first.node, rest: rest.into() };
        for operand in near.operands() {
            near_operand(operand)?;
        }
        Ok(Clause { node: node(start..end, NodeKind::Near(Box::new(near))), shown, joined: false })
    }

    /// The N of a `NEAR/N` that stands here, and its length.
    fn near_words(&self) -> Result<(u32, usize), SyntaxError> {
        let token = self.rest().split(ends_word).next().unwrap_or_default();
        let words = token.strip_prefix("NEAR/").and_then(|n| n.parse().ok());
        match words {
            Some(words) if (1..=MAX_NEAR).contains(&words) => Ok((words, token.len())),
            _ => Err(error(
                format!("`{token}` needs a number of words from 1 to {MAX_NEAR}."),
                self.at..self.at + token.len(),
                "Write it as in `a NEAR/5 b`.",
            )),
        }
    }

    fn prim(&mut self, outer: Option<Field>) -> Result<Clause, SyntaxError> {
        let start = self.at;
        self.refuse_operator()?;
        let mut field = outer;
        while let Some((inner, length)) = self.field()? {
            if field.is_some() {
                let at = self.at..self.at + length;
                let name = self.text.get(at.clone()).unwrap_or_default();
                let message = format!("`{name}` stands within another field.");
                return Err(error(message, at, "Close the outer field's brackets first, or quote the word."));
            }
            field = Some(inner);
            self.at += length;
        }
        self.waiting = None;
        let name = self.text.get(start..self.at).unwrap_or_default();
        if self.peek() == Some('(') {
            let mut clause = self.group(field)?;
            clause.shown = format!("{name}({})", clause.shown);
            clause.joined = false;
            return Ok(clause);
        }
        let kind = self.term(field.unwrap_or(Field::Any), start)?;
        let at = start + name.len()..self.at;
        let shown = self.text.get(start..self.at).unwrap_or_default().to_owned();
        Ok(Clause { node: node(at, kind), shown, joined: false })
    }

    fn group(&mut self, field: Option<Field>) -> Result<Clause, SyntaxError> {
        let open = self.at;
        if self.depth == MAX_DEPTH {
            let message = format!("Brackets are nested deeper than {MAX_DEPTH}.");
            return Err(error(message, open..open + 1, "Leave some out."));
        }
        self.depth += 1;
        self.at += 1;
        self.skip_space();
        if self.rest().is_empty() {
            return Err(unclosed_bracket(open));
        }
        let clause = self.or(field)?;
        if self.peek() != Some(')') {
            return Err(unclosed_bracket(open));
        }
        self.at += 1;
        self.depth -= 1;
        Ok(clause)
    }

    /// An operator where a term should be.
    fn refuse_operator(&self) -> Result<(), SyntaxError> {
        let token = self.rest().split(ends_word).next().unwrap_or_default();
        if matches!(token, "AND" | "OR" | "NOT") || token.starts_with("NEAR/") {
            if self.waiting.is_some() {
                return Err(self.nothing_here());
            }
            let hint = format!("Write a term before it; if the word itself is meant, write \"{token}\".");
            let at = self.at..self.at + token.len();
            return Err(error(format!("`{token}` has nothing on its left."), at, hint));
        }
        if token == "NEAR" {
            let at = self.at..self.at + token.len();
            return Err(error(
                "`NEAR` needs a number.",
                at,
                "Write `NEAR/5`, or \"NEAR\" if the word itself is meant.",
            ));
        }
        Ok(())
    }
}

/// Joins clauses; one alone is itself.
fn join(mut clauses: Vec<Clause>, with: &str, at: Range<usize>, kind: fn(Box<[Node]>) -> NodeKind) -> Clause {
    if clauses.len() == 1
        && let Some(only) = clauses.pop()
    {
        return only;
    }
    let shown: Vec<&str> = clauses.iter().map(|clause| clause.shown.as_str()).collect();
    let shown = shown.join(with);
    let nodes = clauses.into_iter().map(|clause| clause.node).collect();
    Clause { node: node(at, kind(nodes)), shown, joined: false }
}

/// Whether a character ends a word that is not quoted.
pub(super) fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '"')
}

fn ends_word_after_hyphen(c: char) -> bool {
    c.is_whitespace() || c == ')'
}

fn unclosed_bracket(open: usize) -> SyntaxError {
    error("This bracket is not closed.", open..open + 1, "Write a `)` after what belongs together.")
}

/// NEAR takes words, prefixes, phrases, or OR-groups of these.
fn near_operand(operand: &Node) -> Result<(), SyntaxError> {
    let fits = match &operand.kind {
        NodeKind::Text(atom) => atom.field != Field::Tag,
        NodeKind::Or(nodes) => return nodes.iter().try_for_each(near_operand),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let hint = "NEAR takes words, prefixes, phrases, and `(one OR another)`.";
    Err(error("This cannot stand beside NEAR.", operand.at.range(), hint))
}
