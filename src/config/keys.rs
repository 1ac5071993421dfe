//! The closed table of keys: what may be typed where, and what may not yet.

/// A table of the configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Table {
    /// The file itself, outside of any table.
    Top,
    /// `[server]`.
    Server,
    /// `[storage]`.
    Storage,
    /// `[poll]`.
    Poll,
    /// `[identity]`.
    Identity,
    /// `[[feed]]`.
    Feed,
    /// `[feed.identity]`.
    FeedIdentity,
    /// `[[subscriptions]]`.
    Subscriptions,
    /// `[[stream]]`.
    Stream,
    /// `[webhooks]`.
    Webhooks,
    /// `[[webhook]]`.
    Webhook,
    /// `[alerts]`.
    Alerts,
    /// `[log]`.
    Log,
}

impl Table {
    /// The table as it is written in the file.
    #[must_use]
    pub(super) fn written(self) -> &'static str {
        match self {
            Self::Top => "the top of the file",
            Self::Server => "[server]",
            Self::Storage => "[storage]",
            Self::Poll => "[poll]",
            Self::Identity => "[identity]",
            Self::Feed => "[[feed]]",
            Self::FeedIdentity => "[feed.identity]",
            Self::Subscriptions => "[[subscriptions]]",
            Self::Stream => "[[stream]]",
            Self::Webhooks => "[webhooks]",
            Self::Webhook => "[[webhook]]",
            Self::Alerts => "[alerts]",
            Self::Log => "[log]",
        }
    }

    /// The groups of keys that the table has.
    #[must_use]
    pub(super) fn groups(self) -> &'static [&'static [Key]] {
        KEYS.iter().find(|(table, _)| *table == self).map_or(&[], |(_, groups)| groups)
    }

    /// All its keys, in the order of the contract.
    pub(super) fn keys(self) -> impl Iterator<Item = &'static Key> {
        self.groups().iter().flat_map(|group| group.iter())
    }

    /// The key of this name, if the table has it.
    #[must_use]
    pub(super) fn key(self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }
}

/// Whether a key can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Status {
    /// It works.
    Now,
    /// It is meant for a later version.
    Later,
}

/// A key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Key {
    /// Its name.
    pub(super) name: &'static str,
    /// Whether it can be used.
    pub(super) status: Status,
}

const fn now(name: &'static str) -> Key {
    Key { name, status: Status::Now }
}

const fn later(name: &'static str) -> Key {
    Key { name, status: Status::Later }
}

/// What one feed has and a list of subscriptions may set for all of its feeds.
const FEED_DEFAULTS: &[Key] = &[
    now("tags"),
    now("enabled"),
    now("private"),
    now("schedule"),
    now("timezone"),
    now("spread"),
    now("min_interval"),
    now("ignore"),
    now("keep"),
    now("first_import"),
    now("username"),
    now("password"),
    now("bearer"),
    now("headers"),
    now("cookies"),
    now("proxy"),
    now("ca"),
    now("user_agent"),
    now("timeout"),
    now("max_body"),
    now("identity"),
    later("full_text"),
];

/// The closed table. A key that is not in it is refused, and it is where "did you mean" looks.
pub(super) const KEYS: &[(Table, &[&[Key]])] = &[
    (
        Table::Top,
        &[&[
            now("include"),
            now("server"),
            now("storage"),
            now("poll"),
            now("identity"),
            now("feed"),
            now("subscriptions"),
            now("stream"),
            now("webhooks"),
            now("webhook"),
            now("alerts"),
            now("log"),
        ]],
    ),
    (
        Table::Server,
        &[&[
            now("listen"),
            now("private_listen"),
            now("public_url"),
            now("title"),
            now("admin_token"),
            now("read_token"),
            now("hosts"),
            now("trusted_proxies"),
            now("max_connections"),
        ]],
    ),
    (Table::Storage, &[&[now("database"), now("keep"), now("max_size"), later("url")]]),
    (
        Table::Poll,
        &[&[
            now("schedule"),
            now("timezone"),
            now("spread"),
            now("min_interval"),
            now("concurrency"),
            now("per_host"),
            now("timeout"),
            now("backoff"),
            now("max_body"),
            now("memory"),
            now("contact"),
            now("allow_networks"),
            now("first_import"),
            now("proxy"),
            now("ca"),
            later("websub"),
        ]],
    ),
    (Table::Identity, &[&[now("rules"), now("off"), now("resolve"), later("near_duplicates")]]),
    (Table::Feed, &[&[now("url"), now("name"), now("title")], FEED_DEFAULTS]),
    (Table::FeedIdentity, &[&[now("id"), now("keep"), now("drop"), now("dedupe")]]),
    (Table::Subscriptions, &[&[now("opml")], FEED_DEFAULTS]),
    (
        Table::Stream,
        &[&[
            now("name"),
            now("title"),
            now("item_title"),
            now("match"),
            now("notify"),
            now("limit"),
            now("max_per_feed"),
            now("ids"),
            now("token"),
        ]],
    ),
    (Table::Webhooks, &[&[now("retry"), now("timeout"), now("concurrency"), now("pause_after")]]),
    (
        Table::Webhook,
        &[&[
            now("name"),
            now("url"),
            now("secret"),
            now("format"),
            now("template"),
            now("headers"),
            now("content"),
            now("events"),
            now("allow_networks"),
            now("proxy"),
            now("ca"),
            now("retry"),
            now("timeout"),
            now("concurrency"),
            now("ordering"),
            now("max_rate"),
            later("batch"),
            later("digest"),
        ]],
    ),
    (Table::Alerts, &[&[now("notify")]]),
    (Table::Log, &[&[now("level"), now("format")]]),
];

/// The tables that an included file may hold.
pub(super) const INCLUDABLE: &[&str] = &["feed", "subscriptions", "stream", "webhook"];

/// Keys whose value is never shown, wherever they stand.
pub(super) const SECRET_KEYS: &[&str] =
    &["secret", "admin_token", "read_token", "token", "password", "bearer", "cookies", "headers", "proxy"];

/// Longest word that a suggestion is looked for: edit distance costs the product of both lengths.
const MAX_WORD: usize = 40;

/// The candidate that was most likely meant, if one is near enough.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length > MAX_WORD {
        return None;
    }
    let folded = word.to_lowercase().replace(['-', ' '], "_");
    let allowed = match length {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    candidates
        .filter(|candidate| candidate.len() <= MAX_WORD)
        .map(|candidate| (strsim::osa_distance(&folded, &candidate.to_lowercase().replace('-', "_")), candidate))
        // A word that shares no letter at its place is no misspelling: `off` is not meant by `ids`.
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count().max(2) - 1)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The best hint for an unknown key: a misspelling, else the table where it belongs, else the closed list.
pub(super) fn hint_for(table: Table, name: &str) -> String {
    if let Some(key) = nearest(name, usable(table)) {
        return format!("did you mean `{key}`?");
    }
    let elsewhere = KEYS
        .iter()
        .filter(|(other, _)| *other != table && other.key(name).is_some_and(|key| key.status == Status::Now))
        .map(|(other, _)| format!("`{}`", other.written()))
        .collect::<Vec<_>>();
    if !elsewhere.is_empty() {
        return format!("`{name}` belongs to {}", elsewhere.join(" or "));
    }
    let known = usable(table).map(|key| format!("`{key}`")).collect::<Vec<_>>();
    if known.is_empty() {
        return "remove it".to_owned();
    }
    format!("known here: {}", known.join(", "))
}

fn usable(table: Table) -> impl Iterator<Item = &'static str> {
    table.keys().filter(|key| key.status == Status::Now).map(|key| key.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_table_has_a_key_twice_and_every_table_is_there() {
        for (table, _) in KEYS {
            let mut names = table.keys().map(|key| key.name).collect::<Vec<_>>();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{}", table.written());
        }
        assert_eq!(KEYS.len(), 13);
    }

    #[test]
    fn a_misspelling_is_recognised_and_a_stranger_is_not() {
        let cases = [
            (Table::Poll, "shedule", "did you mean `schedule`?"),
            (Table::Poll, "scheduel", "did you mean `schedule`?"),
            (Table::Poll, "min-interval", "did you mean `min_interval`?"),
            (Table::Feed, "URL", "did you mean `url`?"),
            (Table::Top, "feeds", "did you mean `feed`?"),
            (Table::Feed, "match", "`match` belongs to `[[stream]]`"),
            (Table::Log, "volume", "known here: `level`, `format`"),
            (Table::Alerts, "volume", "known here: `notify`"),
        ];
        for (table, name, hint) in cases {
            assert_eq!(hint_for(table, name), hint, "{name}");
        }
    }

    #[test]
    fn a_key_of_a_megabyte_costs_nothing() {
        assert_eq!(nearest(&"x".repeat(1 << 20), ["x"].into_iter()), None);
    }
}
