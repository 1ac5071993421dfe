//! What was typed: the file, the files that it includes, and each of their tables.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Mistake, Mistakes};
use super::include::{self, Included};
use super::keys::{INCLUDABLE, Table};
use super::pieces::{Cut, cut};
use super::section::{Gathered, Section};
use super::settings::{Origin, Settings};
use super::source::{Source, whole_file};
use super::{Environment, feed, identity, server, stream, webhook};
use crate::domain::name::Name;
use crate::identity::canonical::Rules;

/// Feeds that are parsed at a time where a file has many.
const FEEDS_AT_A_TIME: usize = 500;

/// One file, parsed.
type Document<'a> = (&'a Source, Spanned<DeTable<'a>>);

/// Texts that stand for those of files, by their paths as they are read.
pub(super) type Instead = HashMap<PathBuf, String>;

pub(super) fn load(path: &Path, environment: &Environment, instead: &Instead) -> Result<Settings, Mistakes> {
    load_in_pieces(path, environment, instead, FEEDS_AT_A_TIME)
}

/// Reads long files in pieces of so many feeds. If anything is wrong all is read whole, for the places of mistakes are
/// places in files.
pub(super) fn load_in_pieces(
    path: &Path,
    environment: &Environment,
    instead: &Instead,
    most: usize,
) -> Result<Settings, Mistakes> {
    attempt(path, environment, instead, most).or_else(|_| attempt(path, environment, instead, usize::MAX))
}

fn attempt(path: &Path, environment: &Environment, instead: &Instead, most: usize) -> Result<Settings, Mistakes> {
    let root = read(path, instead).map_err(|mistake| Mistakes { mistakes: vec![*mistake] })?;
    let gathered = Gathered::default();
    let root = cut(root, most);
    let (included, sources) = include::read(&root.rest, environment, &gathered, instead);
    let files: Vec<Cut> = std::iter::once(root).chain(sources.into_iter().map(|source| cut(source, most))).collect();
    let documents: Vec<Document<'_>> = files.iter().map(|file| (&file.rest, parse(&file.rest, &gathered))).collect();
    let settings =
        Reading { files: &files, documents: &documents, environment, gathered: &gathered }.settings(path, included);
    let mut mistakes = gathered.into_inner();
    match settings {
        Some(settings) if mistakes.is_empty() => Ok(settings),
        _ => {
            order(&mut mistakes, &files);
            Err(Mistakes { mistakes })
        }
    }
}

pub(super) fn read(path: &Path, instead: &Instead) -> Result<Source, Box<Mistake>> {
    instead.get(path).map_or_else(|| Source::read(path), |text| Source::of(path, text.clone()))
}

/// In the order of files and lines; what is found twice by two ways is said once.
fn order(mistakes: &mut Vec<Mistake>, files: &[Cut]) {
    let place = |mistake: &Mistake| files.iter().position(|file| file.rest.path == mistake.file);
    mistakes.sort_by_key(|mistake| (place(mistake), mistake.line, mistake.column));
    mistakes.dedup();
    if mistakes.is_empty() {
        let path = files.first().map(|file| file.rest.path.clone()).unwrap_or_default();
        mistakes.push(whole_file(&path, "The configuration cannot be read.".to_owned()));
    }
}

fn parse<'a>(source: &'a Source, gathered: &Gathered) -> Spanned<DeTable<'a>> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    for error in errors {
        let at = error.span().unwrap_or(0..0);
        let message = error.message().trim().trim_end_matches('.').replace('\n', "; ");
        gathered.add(source.mistake(at, format!("This is no TOML: {message}."), None, &[]));
    }
    table
}

/// `[alerts]`: the webhooks that the operator is told by, each once.
fn alerts(section: &Section<'_>, known: &HashMap<Name, ()>) -> Vec<Name> {
    let mut alerts = Vec::new();
    for (name, at) in section.names("notify").unwrap_or_default() {
        stream::check_webhook(section, &name, &at, known);
        if !alerts.contains(&name) {
            alerts.push(name);
        }
    }
    alerts
}

/// Everything that was parsed, on its way to settings.
struct Reading<'a> {
    /// With pieces that are still to be parsed.
    files: &'a [Cut],
    /// All else of each file.
    documents: &'a [Document<'a>],
    environment: &'a Environment,
    gathered: &'a Gathered,
}

impl<'a> Reading<'a> {
    fn settings(&self, path: &Path, included: Included) -> Option<Settings> {
        self.check_tops();
        let (server_section, poll_section) = (self.one("server", Table::Server), self.one("poll", Table::Poll));
        let storage = server::storage(self.one("storage", Table::Storage).as_ref(), path, self.environment);
        let log = self.one("log", Table::Log);
        let identity = self.one("identity", Table::Identity);
        let rules = identity.as_ref().map_or_else(Rules::default, identity::read);
        let resolve = identity.as_ref().map(server::short_hosts).unwrap_or_default();
        let title = server::title(server_section.as_ref());

        let shipped = webhook::Defaults::shipped();
        let hooks =
            self.one("webhooks", Table::Webhooks).map_or_else(|| shipped.clone(), |section| shipped.refined(&section));
        let webhooks = self.webhooks(&hooks);

        let shipped = feed::Defaults::shipped(storage.keep)?;
        let defaults = poll_section.as_ref().map_or_else(|| shipped.clone(), |section| shipped.refined(section));
        let feeds = self.feeds(&defaults);

        let mut warnings = Vec::new();
        // Names that were written, also of webhooks that are wrong otherwise: one mistake is enough for each.
        let known = self.names("webhook");
        let drafts = self.all("stream", Table::Stream);
        let drafts =
            drafts.into_iter().filter_map(|(_, section)| stream::read(section, &title, &mut warnings)).collect();
        let streams = stream::finish(drafts, &title, &known);
        let alerts = self.one("alerts", Table::Alerts).map(|section| alerts(&section, &known)).unwrap_or_default();
        Some(Settings {
            path: path.to_owned(),
            included,
            server: server::server(server_section.as_ref())?,
            storage,
            poll: server::poll(poll_section.as_ref(), Arc::clone(&defaults.access.reach)),
            rules,
            resolve,
            feeds,
            streams,
            webhooks,
            alerts,
            log: server::log(log.as_ref()),
            warnings,
        })
    }

    /// Unknown keys at the top, and tables that an included file cannot have.
    fn check_tops(&self) {
        for (n, (source, table)) in self.documents.iter().enumerate() {
            let span = table.span();
            let top = Section::new(source, self.environment, self.gathered, Table::Top, table.get_ref(), &span);
            if n == 0 {
                continue;
            }
            for key in table.get_ref().keys().filter(|key| !INCLUDABLE.contains(&key.get_ref().as_ref())) {
                let message = format!("An included file cannot have `{}`.", key.get_ref());
                let hint =
                    "only [[feed]], [[subscriptions]], [[stream]] and [[webhook]]; the rest stands in the main file";
                top.mistake(key.span(), message, Some(hint.to_owned()));
            }
        }
    }

    /// A table that stands once, in the main file.
    fn one(&self, key: &str, table: Table) -> Option<Section<'a>> {
        let (source, document) = self.documents.first()?;
        let value = document.get_ref().get(key)?;
        match value.get_ref() {
            DeValue::Table(map) => {
                Some(Section::new(source, self.environment, self.gathered, table, map, &value.span()))
            }
            _ => {
                self.gathered.add(source.mistake(
                    value.span(),
                    format!("`{key}` has to be a table, [{key}]."),
                    None,
                    &[],
                ));
                None
            }
        }
    }

    /// The tables of a list, of all files, each with the number of its file.
    fn all(&self, key: &str, table: Table) -> Vec<(usize, Section<'a>)> {
        let documents = self.documents.iter().enumerate();
        documents
            .flat_map(|(n, document)| self.tables(document, key, table).into_iter().map(move |section| (n, section)))
            .collect()
    }

    /// The tables of a list.
    fn tables<'b>(&self, (source, document): &'b Document<'b>, key: &str, table: Table) -> Vec<Section<'b>>
    where
        'a: 'b,
    {
        let mut sections = Vec::new();
        let Some(value) = document.get_ref().get(key) else { return sections };
        let wrong = |at| {
            let message = format!("`{key}` stands in double brackets, for there can be several: [[{key}]].");
            self.gathered.add(source.mistake(at, message, None, &[]));
        };
        let DeValue::Array(items) = value.get_ref() else {
            wrong(value.span());
            return sections;
        };
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(map) => {
                    let section = Section::new(source, self.environment, self.gathered, table, map, &item.span());
                    sections.push(section);
                }
                _ => wrong(item.span()),
            }
        }
        sections
    }

    fn names(&self, key: &str) -> HashMap<Name, ()> {
        let lists = self.documents.iter().filter_map(|(_, document)| document.get_ref().get(key)?.get_ref().as_array());
        let name = |item: &Spanned<DeValue<'_>>| Name::parse(item.get_ref().get("name")?.get_ref().as_str()?);
        lists.flat_map(|list| list.iter().filter_map(name)).map(|name| (name, ())).collect()
    }

    fn webhooks(&self, defaults: &webhook::Defaults) -> Vec<std::sync::Arc<super::settings::WebhookSettings>> {
        let mut webhooks: Vec<std::sync::Arc<super::settings::WebhookSettings>> = Vec::new();
        for (_, section) in self.all("webhook", Table::Webhook) {
            let Some(settings) = webhook::read(&section, defaults) else { continue };
            if webhooks.iter().any(|other| other.name == settings.name) {
                let at = section.value("name").map_or_else(|| section.at(), |value| value.at);
                section.mistake(at, format!("There is another webhook named `{}`.", settings.name), None);
            }
            webhooks.push(std::sync::Arc::new(settings));
        }
        webhooks
    }

    fn feeds(&self, defaults: &feed::Defaults) -> Vec<super::settings::FeedSettings> {
        let mut drafts = feed::Drafts::default();
        for (n, (document, file)) in self.documents.iter().zip(self.files).enumerate() {
            let defaults = &defaults.of(Origin::Table(document.0.path.as_path().into()));
            for section in self.tables(document, "feed", Table::Feed) {
                let _ = feed::read(&section, defaults, n, &mut drafts);
            }
            if let Some(other) = document.1.get_ref().get("feed").filter(|_| !file.is_whole()) {
                // Outside of the pieces there is more of them: all is read whole.
                self.gathered.add(file.rest.mistake(other.span(), "There are feeds apart.".to_owned(), None, &[]));
            }
            for piece in file.feeds() {
                self.piece(&piece, defaults, n, &mut drafts);
            }
        }
        for (_, section) in self.all("subscriptions", Table::Subscriptions) {
            let _ = feed::subscriptions(&section, defaults, &mut drafts);
        }
        feed::finish(drafts, |file, at, message| {
            if let Some((source, _)) = self.documents.get(file) {
                self.gathered.add(source.mistake(at, message, None, &[]));
            }
        })
    }

    /// Reads a piece of a file, number `n`; what was parsed goes again.
    fn piece(&self, piece: &Source, defaults: &feed::Defaults, n: usize, drafts: &mut feed::Drafts) {
        let document = (piece, parse(piece, self.gathered));
        for section in self.tables(&document, "feed", Table::Feed) {
            let _ = feed::read(&section, defaults, n, drafts);
        }
    }
}
