//! From what the configuration means to what each room works with.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use url::{Host, Url};

use crate::config::Settings;
use crate::config::settings::{Access, Auth, ContentForm, FeedSettings, StreamSettings, Terms};
use crate::deliver::Target;
use crate::domain::feed::{ByFeed, FeedId, FeedState, NextPoll};
use crate::domain::name::ALL;
use crate::domain::stream::StreamId;
use crate::domain::time::Timestamp;
use crate::domain::trace::{Keyed, RuleShape};
use crate::domain::webhook::WebhookId;
use crate::identity::canonical::Rules;
use crate::poll::{FeedPlan, Ignore, Manner, Plan, Scheduled};
use crate::publish::gate::Gate;
use crate::publish::published::{
    Keys, MakeKey, Published, PublishedFeed, PublishedStream, PublishedWebhook, TokenHash,
};
use crate::query::common::Common;
use crate::query::compile::Index;
use crate::query::syntax::Query;
use crate::schedule::due::reschedule;
use crate::store::{FeedSpec, Keymaker, Registry, Route, Routes, StreamSpec, Subscriptions};

/// Streams but for `all`, which has no row.
fn named(settings: &Settings) -> impl Iterator<Item = &StreamSettings> {
    settings.streams.iter().filter(|stream| stream.name.as_str() != ALL)
}

/// Each stream with its row.
pub(super) fn streams<'a>(
    settings: &'a Settings,
    registry: &'a Registry,
) -> impl Iterator<Item = (&'a StreamSettings, StreamId, bool)> {
    named(settings).zip(&registry.streams).map(|(stream, (id, fill))| (stream, *id, *fill))
}

pub(super) fn subscriptions(settings: &Settings) -> Subscriptions {
    Subscriptions {
        feeds: settings
            .feeds
            .iter()
            .map(|feed| FeedSpec {
                name: feed.name.shared(),
                url: feed.url.clone(),
                title: feed.title.clone(),
                enabled: feed.terms.enabled,
                own_headers: feed.terms.private
                    || feed.access.auth.is_some()
                    || !feed.access.headers.is_empty()
                    || feed.access.cookies.is_some(),
                private: feed.terms.private,
            })
            .collect(),
        streams: named(settings)
            .map(|stream| StreamSpec { name: stream.name.to_string(), definition: definition(stream, settings) })
            .collect(),
        webhooks: settings.webhooks.iter().map(|webhook| webhook.name.to_string()).collect(),
    }
}

/// What a stream's membership depends on: its query, and where that looks at feeds, their names and tags.
fn definition(stream: &StreamSettings, settings: &Settings) -> String {
    let mut text = stream.query.source().to_owned();
    if stream.query.looks_at_feeds() {
        let mut digest = Sha256::new();
        for feed in &settings.feeds {
            digest.update(format!("{} {}\n", feed.name, feed.tags.join(" ")));
        }
        text.push_str(" # feeds ");
        for byte in digest.finalize().iter().take(16) {
            let _ = write!(text, "{byte:02x}");
        }
    }
    text
}

/// `common`: how common words are, for the queries of streams.
pub(super) fn plan(settings: &Settings, registry: &Registry, common: &Common) -> Plan {
    let rules = Arc::new(settings.rules.clone());
    let mut manners = Manners::default();
    let feeds = settings.feeds.iter().zip(&registry.feeds).map(|(feed, (id, _))| {
        let plan = FeedPlan {
            id: *id,
            name: feed.name.clone(),
            url: feed.url.clone(),
            tags: Arc::clone(&feed.tags),
            manner: manners.of(settings, &rules, feed),
        };
        (*id, Arc::new(plan))
    });
    let queries: Vec<Query> = named(settings).map(|stream| stream.query.clone()).collect();
    Plan {
        feeds: feeds.collect(),
        index: Index::with_frequencies(&queries, &|word| common.frequency(word)),
        streams: registry.streams.iter().map(|(id, _)| *id).collect(),
        routes: Arc::new(routes(settings, registry)),
        alerts: alerts(settings, registry),
        concurrency: settings.poll.concurrency,
        per_host: settings.poll.per_host,
        by_hand: false,
    }
}

/// One manner for all feeds that share terms and access.
#[derive(Default)]
struct Manners(foldhash::HashMap<(*const Terms, *const Access), Arc<Manner>>);

impl Manners {
    fn of(&mut self, settings: &Settings, rules: &Arc<Rules>, feed: &FeedSettings) -> Arc<Manner> {
        let shared = (Arc::as_ptr(&feed.terms), Arc::as_ptr(&feed.access));
        Arc::clone(self.0.entry(shared).or_insert_with(|| Arc::new(manner(settings, rules, feed))))
    }
}

fn manner(settings: &Settings, rules: &Arc<Rules>, feed: &FeedSettings) -> Manner {
    let terms = &feed.terms;
    Manner {
        schedule: terms.schedule.clone(),
        zone: terms.timezone,
        spread: terms.spread,
        min_interval: terms.min_interval,
        backoff: settings.poll.backoff,
        first_import_notifies: terms.first_import_notifies,
        timeout: terms.timeout,
        max_body_bytes: terms.max_body_bytes,
        user_agent: feed.access.user_agent.clone(),
        private_headers: private_headers(&feed.access),
        reach: Arc::clone(&feed.access.reach),
        rules: own_rules(settings, feed).map_or_else(|| Arc::clone(rules), Arc::new),
        id_policy: terms.id_policy,
        dedupe: terms.dedupe,
        ignore: terms.ignore.as_ref().map(|query| {
            let index = Index::new(std::slice::from_ref(query));
            Arc::new(Ignore { query: query.source().to_owned(), index })
        }),
    }
}

fn private_headers(access: &Access) -> Vec<(String, SecretString)> {
    use base64::Engine as _;
    let mut headers: Vec<(String, SecretString)> =
        access.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    match &access.auth {
        Some(Auth::Basic { username, password }) => {
            let pair = format!("{username}:{}", password.expose_secret());
            let coded = base64::engine::general_purpose::STANDARD.encode(pair);
            headers.push(("authorization".to_owned(), format!("Basic {coded}").into()));
        }
        Some(Auth::Bearer(token)) => {
            headers.push(("authorization".to_owned(), format!("Bearer {}", token.expose_secret()).into()));
        }
        None => {}
    }
    headers.extend(access.cookies.clone().map(|cookies| ("cookie".to_owned(), cookies)));
    headers
}

/// Who is told that a feed broke or recovered.
fn alerts(settings: &Settings, registry: &Registry) -> Arc<[WebhookId]> {
    let hooks = settings.webhooks.iter().zip(&registry.webhooks);
    hooks.filter(|(hook, _)| settings.alerts.contains(&hook.name)).map(|(_, id)| *id).collect()
}

fn routes(settings: &Settings, registry: &Registry) -> Routes {
    let webhooks: HashMap<&str, Route> = settings
        .webhooks
        .iter()
        .zip(&registry.webhooks)
        .map(|(hook, id)| {
            (hook.name.as_str(), Route { webhook: *id, new: hook.on_new, updated: hook.on_updated, private: false })
        })
        .collect();
    let called = |stream: &StreamSettings| -> Vec<Route> {
        let private = stream.show.token.is_some();
        let routes = stream.notify.iter().filter_map(|name| webhooks.get(name.as_str()).copied());
        routes.map(|route| Route { private, ..route }).collect()
    };
    let all = settings.streams.iter().find(|stream| stream.name.as_str() == ALL);
    let named = streams(settings, registry).map(|(stream, id, _)| (Some(id), called(stream)));
    // Most streams call nobody, and each story that enters one asks.
    named.chain(all.map(|all| (None, called(all)))).filter(|(_, routes)| !routes.is_empty()).collect()
}

/// The feeds that are polled, each with its due time.
pub(super) fn scheduled(
    settings: &Settings,
    registry: &Registry,
    due: impl Fn((FeedId, Option<Timestamp>)) -> Option<Timestamp>,
) -> Vec<Scheduled> {
    let feeds = settings.feeds.iter().zip(&registry.feeds).filter(|(feed, _)| feed.terms.enabled);
    feeds.map(|(_, row)| Scheduled { feed: row.0, due: due(*row) }).collect()
}

/// When a feed is due under its present schedule: what was stored was reckoned under an older one, perhaps. `None`: as
/// it is stored, for it was never asked, is gone, or has another address and is to be asked at once.
pub(super) fn due_anew(plan: &FeedPlan, state: &FeedState, now: Timestamp) -> Option<NextPoll> {
    let last = state.last_try?;
    state.due_at.filter(|due| *due > last)?;
    Some(reschedule(&plan.pace(), state, now))
}

pub(super) fn targets(settings: &Settings, registry: &Registry) -> Vec<Target> {
    let hooks = settings.webhooks.iter().zip(&registry.webhooks);
    let alerts = alerts(settings, registry);
    hooks
        .map(|(hook, id)| Target {
            id: *id,
            name: hook.name.to_string(),
            url: hook.url.clone(),
            secrets: hook.secrets.iter().map(|secret| secret.0.clone()).collect(),
            headers: hook.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            format: hook.format.clone(),
            html: hook.content == ContentForm::Html,
            allow_networks: hook.allow_networks.clone(),
            retry: hook.retry.clone(),
            timeout: hook.timeout,
            concurrency: hook.concurrency,
            strict: hook.strict,
            max_rate: hook.max_rate,
            reach: Arc::clone(&hook.reach),
            pause_after: hook.pause_after,
            alerts: Arc::clone(&alerts),
        })
        .collect()
}

pub(super) fn published(settings: &Settings, registry: &Registry, now: Timestamp) -> Published {
    let rows: HashMap<&str, StreamId> =
        streams(settings, registry).map(|(stream, id, _)| (stream.name.as_str(), id)).collect();
    Published {
        title: settings.server.title.clone(),
        public_url: settings.server.public_url.clone(),
        streams: settings
            .streams
            .iter()
            .map(|stream| PublishedStream {
                row: rows.get(stream.name.as_str()).copied(),
                name: stream.name.to_string(),
                title: stream.title.clone(),
                query: if stream.name.as_str() == ALL { String::new() } else { stream.query.source().to_owned() },
                limit: stream.limit,
                // What cannot stand in a stream was refused when the configuration was read.
                max_age: stream.query.stream_age().unwrap_or_default(),
                notify: stream.notify.iter().map(ToString::to_string).collect(),
                item_title: stream.show.item_title.clone(),
                max_per_feed: stream.show.max_per_feed,
                own_ids: stream.show.own_ids,
                token: stream.show.token.as_ref().map(|token| TokenHash::of(token.expose_secret())),
            })
            .collect(),
        feeds: settings
            .feeds
            .iter()
            .map(|feed| {
                let shown = PublishedFeed { tags: Arc::clone(&feed.tags), enabled: feed.terms.enabled };
                (feed.name.shared(), shown)
            })
            .collect(),
        webhooks: settings
            .webhooks
            .iter()
            .map(|hook| {
                let alerted = settings.alerts.contains(&hook.name);
                let called = alerted.then(|| settings.streams.iter().any(|stream| stream.notify.contains(&hook.name)));
                let items = called.unwrap_or(true);
                let events =
                    [("new", hook.on_new && items), ("updated", hook.on_updated && items), ("alerts", alerted)];
                let events = events.iter().filter(|(_, on)| *on).map(|(name, _)| (*name).to_owned()).collect();
                (hook.name.to_string(), PublishedWebhook { format: hook.format.as_str().to_owned(), events })
            })
            .collect(),
        merged: HashMap::new(),
        ttl_minutes: ttl_minutes(settings, now),
        admin: settings.server.admin_token.as_ref().map(|token| TokenHash::of(token.expose_secret())),
        gate: gate(settings),
        applied_at: written_at(settings).unwrap_or(now),
        keys: keys(settings),
    }
}

/// Who may ask.
fn gate(settings: &Settings) -> Gate {
    let server = &settings.server;
    let mut hosts = server.hosts.clone().unwrap_or_default();
    hosts.extend(server.public_url.host_str().map(str::to_owned));
    Gate {
        read: server.read_token.as_ref().map(|token| TokenHash::of(token.expose_secret())),
        hosts,
        local_names: server.hosts.is_none(),
        proxies: server.trusted_proxies.clone(),
    }
}

/// The rules of the key, as `publish` asks them.
/// How keys are made, for whoever explains them.
fn keys(settings: &Settings) -> Keys {
    let own =
        settings.feeds.iter().filter_map(|feed| Some((feed.name.to_string(), make_key(own_rules(settings, feed)?))));
    Keys::new(make_key(settings.rules.clone()), own.collect())
}

/// How stored keys are made anew.
pub(super) fn keymaker(settings: &Settings, registry: &Registry) -> Arc<Keymaker> {
    let feeds = settings.feeds.iter().zip(&registry.feeds);
    let own: ByFeed<Rules> = feeds.filter_map(|(feed, (id, _))| Some((*id, own_rules(settings, feed)?))).collect();
    let general = settings.rules.clone();
    Arc::new(move |feed, key: &str| own.get(&feed).unwrap_or(&general).key(key))
}

/// The rules of a feed that has switches of its own.
fn own_rules(settings: &Settings, feed: &FeedSettings) -> Option<Rules> {
    let (keep, drop) = (&feed.terms.keep_parameters, &feed.terms.drop_parameters);
    (!keep.is_empty() || !drop.is_empty()).then(|| settings.rules.for_feed(keep, drop))
}

fn make_key(rules: Rules) -> MakeKey {
    Arc::new(move |url| {
        let (key, steps) = rules.explain(url)?;
        let steps = steps.into_iter().map(|step| RuleShape { rule: step.rule.to_owned(), url: step.url }).collect();
        Some(Keyed { key, steps })
    })
}

/// Since when the configuration is as it is: a restart does not change it.
fn written_at(settings: &Settings) -> Option<Timestamp> {
    let at = std::fs::metadata(&settings.path).and_then(|file| file.modified()).ok()?;
    let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(Timestamp::from_ms)
}

/// The interval of the most frequent schedule, in minutes: RSS readers that ask more often learn nothing.
fn ttl_minutes(settings: &Settings, now: Timestamp) -> u32 {
    let gap = |feed: &FeedSettings| {
        let terms = &feed.terms;
        let schedule = terms.schedule.schedule()?;
        let first = schedule.next_after(now, terms.timezone)?;
        let second = schedule.next_after(first, terms.timezone)?;
        Some(second.since(first).max(terms.min_interval).as_secs() / 60)
    };
    // Feeds by the hundred share a handful of schedules.
    let mut seen = std::collections::HashSet::new();
    let gaps = settings.feeds.iter().filter(|feed| feed.terms.enabled && seen.insert(feed.terms.schedule.source()));
    let least = gaps.filter_map(gap).min().unwrap_or(60);
    u32::try_from(least.max(1)).unwrap_or(60)
}

/// Authority and date for `tag:` URIs (RFC 4151 2.1): a DNS name that was the operator's on that day. An
/// address or a bare host name is nobody's for good, so these get a name that can never be anybody's.
pub(super) fn tagging(settings: &Settings, now: Timestamp) -> String {
    let date = now.rfc3339();
    let date = date.split('T').next().unwrap_or_default();
    format!("{},{date}", authority(&settings.server.public_url))
}

fn authority(url: &Url) -> &str {
    match url.host() {
        Some(Host::Domain(name)) if name.contains('.') && !name.ends_with('.') => name,
        _ => "feedmill.invalid",
    }
}
