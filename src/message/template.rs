//! Templates of bodies: Jinja, in which whatever is printed becomes JSON, bounded in work and in size.

use std::io::{self, Write};

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde::Serialize;

use super::{Call, Digest, samples};
use crate::sanitize::{shorten, units};

/// Steps of one rendering, by the engine's count.
const FUEL: u64 = 200_000;
/// Of a template.
pub const MAX_SOURCE_BYTES: u64 = 256 * 1024;
/// Of what a template makes.
const MAX_BODY_BYTES: usize = 1 << 20;
const NAME: &str = "body";
/// Templates that can be named without a file. Telegram's is not among them: it has to be told its chat.
const SHIPPED: [(&str, &str); 3] = [
    ("teams", include_str!("../../config/templates/teams.json.j2")),
    ("matrix", include_str!("../../config/templates/matrix.json.j2")),
    ("cloudevents", include_str!("../../config/templates/cloudevents.json.j2")),
];

/// The source of a template that comes with the program.
#[must_use]
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, source)| *source)
}

/// A template that was checked.
#[derive(Clone)]
pub struct Template {
    name: String,
    environment: Environment<'static>,
}

/// Why a template cannot be used.
#[derive(thiserror::Error, Clone, PartialEq, Eq, Debug)]
#[error("the template {name} failed{}: {message}", line.map(|line| format!(" in line {line}")).unwrap_or_default())]
pub struct Mistake {
    /// The template's name.
    pub name: String,
    /// Where.
    pub line: Option<usize>,
    /// What, a part of a sentence.
    pub message: String,
}

/// What a template sees: the standard body, and beside it the call in a few words.
#[derive(Serialize)]
struct Context<'a> {
    id: &'a str,
    webhook: &'a str,
    #[serde(flatten)]
    digest: Digest,
    #[serde(flatten)]
    call: serde_json::Value,
}

impl Template {
    /// Reads a template and tries it on calls of every kind.
    ///
    /// # Errors
    /// What is wrong, and in which line.
    pub fn new(name: &str, source: &str) -> Result<Self, Mistake> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Json);
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_fuel(Some(FUEL));
        environment.add_filter("shorten", |text: String, most: usize| shorten(&text, most, units));
        environment.add_filter("shorten_bytes", |text: String, most: usize| shorten(&text, most, json_bytes));
        environment.add_filter("html", |text: String| html(&text));
        environment.add_filter("markdown", |text: String| markdown(&text));
        let mut template = Self { name: name.to_owned(), environment };
        let added = template.environment.add_template_owned(NAME, source.to_owned());
        added.map_err(|error| template.mistake(&error))?;
        for call in samples() {
            let kind = serde_json::to_value(&call).ok().and_then(|call| Some(call.get("type")?.as_str()?.to_owned()));
            let tried = template.render(&call, "msg_a", "desk");
            tried.map_err(|wrong| Mistake {
                message: format!("{} (when it is called about {})", wrong.message, kind.unwrap_or_default()),
                ..wrong
            })?;
        }
        Ok(template)
    }

    /// The body that it makes of a call.
    ///
    /// # Errors
    /// It uses what is not there, does not end, or makes no JSON.
    pub fn render(&self, call: &Call, id: &str, webhook: &str) -> Result<Vec<u8>, Mistake> {
        let plain = |message: String| Mistake { name: self.name.clone(), line: None, message };
        let whole = serde_json::to_value(call).map_err(|error| plain(error.to_string()))?;
        let context = Context { id, webhook, digest: Digest::of(call), call: whole };
        let template = self.environment.get_template(NAME).map_err(|error| self.mistake(&error))?;
        let mut body = Bounded(Vec::new());
        template.render_captured_to(Value::from(Serde(&context)), &mut body).map_err(|error| self.mistake(&error))?;
        let made: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(&body.0);
        made.map_err(|error| {
            let (line, message) = (Some(error.line()), format!("what it makes is no JSON there: {error}"));
            Mistake { name: self.name.clone(), line, message }
        })?;
        Ok(body.0)
    }

    fn mistake(&self, error: &Error) -> Mistake {
        let said = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        let message = match error.kind() {
            ErrorKind::OutOfFuel => "it does not end: it used up all the steps that it may make".to_owned(),
            ErrorKind::WriteFailure => format!("it makes more than {MAX_BODY_BYTES} bytes"),
            ErrorKind::UndefinedError => {
                format!("{said}: it uses what is not there in every call. {{% if … %}} or | default(\"\") help")
            }
            _ => said,
        };
        Mistake { name: self.name.clone(), line: error.line(), message }
    }
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Template({})", self.name)
    }
}

/// What a character takes in the JSON that the engine writes.
fn json_bytes(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\t' | '\r' => 2,
        '<' | '>' | '&' | '\'' => 6,
        c if c.is_control() => 6,
        c => c.len_utf8(),
    }
}

/// Text as it stands in HTML.
fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Text as it stands in Markdown: what would be markup has a backslash before it.
fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '<' | '#' | '[' | ']' | '(' | ')' | '!' | '@') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_BODY_BYTES {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
