//! Numbers for Prometheus. Other rooms call a method when something was done; `publish::serve` gives out the
//! text. Every label has a closed set of values, so that nothing from outside can make them grow: feeds,
//! streams and webhooks are never labels.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::domain::feed::Health;

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Label = [(&'static str, &'static str); 1];
type Labels2 = [(&'static str, &'static str); 2];

/// How a poll ended, for counting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PollOutcome {
    /// A document was read and stored.
    Loaded,
    /// 304.
    NotModified,
    /// The same bytes again.
    Unchanged,
    /// It failed.
    Failed,
    /// It failed while our own network was down.
    Offline,
    /// 410.
    Gone,
    /// It was not asked: its server said not before some time.
    Held,
}

/// What a poll brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PollCounts {
    /// Items stored.
    pub new: u32,
    /// Items revised.
    pub changed: u32,
    /// Sightings of known items.
    pub sighted: u32,
}

/// How an attempt at a delivery ended, for counting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeliveryResult {
    /// 2xx.
    Succeeded,
    /// It is tried again later.
    Retried,
    /// It was given up.
    Failed,
    /// 410: the webhook was disabled.
    Disabled,
    /// It failed and counts for nothing: the webhook is slowed or paused.
    PutBack,
}

/// What the store says of itself when the numbers are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoreNumbers {
    /// Items stored.
    pub items: u64,
    /// Deliveries that are owed.
    pub owed: u64,
    /// How long the oldest of them is owed.
    pub oldest_owed: Duration,
    /// Deliveries that were given up.
    pub given_up: u64,
    /// Webhooks that are configured: active, slowed, paused, disabled.
    pub webhooks: [u64; 4],
    /// Size of the database, in bytes.
    pub size_bytes: u64,
    /// How long the feed that waits longest is overdue.
    pub poll_lag: Duration,
    /// Writes are refused: a full disk, for example.
    pub hindered: bool,
}

/// All numbers.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    polls: Family<Label, Counter>,
    poll_seconds: Histogram,
    poll_behind: Histogram,
    poll_bytes: Counter,
    items: Family<Label, Counter>,
    deliveries: Family<Label, Counter>,
    attempt_seconds: Histogram,
    delivered_after: Histogram,
    given_up: Gauge<u64, AtomicU64>,
    webhooks: Family<Label, Gauge<u64, AtomicU64>>,
    requests: Family<Labels2, Counter>,
    reload_ok: Gauge,
    queries_everywhere: Gauge<u64, AtomicU64>,
    log_lost: Counter,
    feeds: Family<Label, Gauge>,
    stored: Gauge<u64, AtomicU64>,
    owed: Gauge<u64, AtomicU64>,
    oldest_owed: Gauge<f64, AtomicU64>,
    size: Gauge<u64, AtomicU64>,
    lag: Gauge<f64, AtomicU64>,
    hindered: Gauge<u64, AtomicU64>,
}

impl Metrics {
    /// All zero. `version` is the program's.
    #[must_use]
    pub fn new(version: &'static str) -> Self {
        let mut registry = Registry::with_prefix("feedmill");
        registry.register("build", "The program", Info::new([("version", version)]));
        let mut metrics = Self {
            registry,
            polls: Family::default(),
            poll_seconds: Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]),
            poll_behind: Histogram::new([1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86_400.0]),
            poll_bytes: Counter::default(),
            items: Family::default(),
            deliveries: Family::default(),
            attempt_seconds: Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0]),
            delivered_after: Histogram::new([0.02, 0.1, 0.5, 1.0, 5.0, 60.0, 600.0, 3600.0, 86_400.0]),
            given_up: Gauge::default(),
            webhooks: Family::default(),
            requests: Family::default(),
            reload_ok: Gauge::default(),
            queries_everywhere: Gauge::default(),
            log_lost: Counter::default(),
            feeds: Family::default(),
            stored: Gauge::default(),
            owed: Gauge::default(),
            oldest_owed: Gauge::default(),
            size: Gauge::default(),
            lag: Gauge::default(),
            hindered: Gauge::default(),
        };
        metrics.reload_ok.set(1);
        metrics.begin_at_zero();
        metrics.register_events();
        metrics.register_states();
        metrics
    }

    /// A counter that appears with its first event has no increase then, and an alert would miss it.
    fn begin_at_zero(&self) {
        for outcome in ["loaded", "not_modified", "unchanged", "failed", "offline", "gone", "held"] {
            let _ = self.polls.get_or_create(&[("outcome", outcome)]);
        }
        for kind in ["new", "changed", "sighted"] {
            let _ = self.items.get_or_create(&[("kind", kind)]);
        }
        for result in ["succeeded", "retried", "failed", "disabled"] {
            let _ = self.deliveries.get_or_create(&[("result", result)]);
        }
    }

    fn register_events(&mut self) {
        let r = &mut self.registry;
        r.register("polls", "Polls that ended, by outcome", self.polls.clone());
        r.register_with_unit(
            "poll_duration",
            "Time of a poll, commit included",
            Unit::Seconds,
            self.poll_seconds.clone(),
        );
        let help = "How long after its due time a poll began; those by hand before it are not counted";
        r.register_with_unit("poll_behind", help, Unit::Seconds, self.poll_behind.clone());
        let help = "Documents that polls brought, decoded";
        r.register_with_unit("poll_body", help, Unit::Bytes, self.poll_bytes.clone());
        r.register("items", "Entries stored, by what they were", self.items.clone());
        r.register("delivery_attempts", "Attempts at webhook deliveries, by result", self.deliveries.clone());
        let help = "Time of an attempt at a webhook delivery";
        r.register_with_unit("delivery_attempt_duration", help, Unit::Seconds, self.attempt_seconds.clone());
        let help = "From a delivery being owed to its being received";
        r.register_with_unit("delivery_latency", help, Unit::Seconds, self.delivered_after.clone());
        r.register(
            "http_requests",
            "HTTP requests answered, by kind of route and class of status",
            self.requests.clone(),
        );
    }

    fn register_states(&mut self) {
        let r = &mut self.registry;
        r.register(
            "last_reload_ok",
            "Whether the last reload of the configuration was accepted",
            self.reload_ok.clone(),
        );
        let help = "Queries that are tried on every item, for no word of their regular expressions is known";
        let lost = "Log lines that were lost: nobody read them in time, or they could not be written";
        r.register("log_lines_lost", lost, self.log_lost.clone());
        r.register("queries_everywhere", help, self.queries_everywhere.clone());
        r.register("feeds", "Feeds that are followed, by state", self.feeds.clone());
        r.register("items_stored", "Items in the database", self.stored.clone());
        r.register("deliveries_owed", "Webhook deliveries that are owed", self.owed.clone());
        r.register("deliveries_failed", "Webhook deliveries that were given up and are kept", self.given_up.clone());
        r.register("webhooks", "Webhooks that are configured, by state", self.webhooks.clone());
        let help = "How long the oldest delivery that is owed is waiting";
        r.register_with_unit("deliveries_oldest_owed", help, Unit::Seconds, self.oldest_owed.clone());
        r.register_with_unit("database_size", "Size of the database on disk", Unit::Bytes, self.size.clone());
        r.register(
            "store_hindered",
            "Whether writes are refused: the disk is full, for example",
            self.hindered.clone(),
        );
        r.register_with_unit("poll_lag", "How long the most overdue feed is overdue", Unit::Seconds, self.lag.clone());
    }

    /// A poll ended.
    pub fn poll(&self, outcome: PollOutcome, counts: PollCounts, took: Duration) {
        let word = match outcome {
            PollOutcome::Loaded => "loaded",
            PollOutcome::NotModified => "not_modified",
            PollOutcome::Unchanged => "unchanged",
            PollOutcome::Failed => "failed",
            PollOutcome::Offline => "offline",
            PollOutcome::Gone => "gone",
            PollOutcome::Held => "held",
        };
        self.polls.get_or_create(&[("outcome", word)]).inc();
        self.poll_seconds.observe(took.as_secs_f64());
        for (kind, count) in [("new", counts.new), ("changed", counts.changed), ("sighted", counts.sighted)] {
            if count > 0 {
                self.items.get_or_create(&[("kind", kind)]).inc_by(u64::from(count));
            }
        }
    }

    /// A poll brought a document of so many bytes (0: none), so long after it was due (`None`: before).
    pub fn fetched(&self, body_bytes: u64, behind: Option<Duration>) {
        self.poll_bytes.inc_by(body_bytes);
        if let Some(behind) = behind {
            self.poll_behind.observe(behind.as_secs_f64());
        }
    }

    /// An attempt at a delivery ended.
    pub fn attempt(&self, result: DeliveryResult, took: Duration) {
        let word = match result {
            DeliveryResult::Succeeded => "succeeded",
            DeliveryResult::Retried => "retried",
            DeliveryResult::Failed => "failed",
            DeliveryResult::Disabled => "disabled",
            DeliveryResult::PutBack => "put_back",
        };
        self.deliveries.get_or_create(&[("result", word)]).inc();
        self.attempt_seconds.observe(took.as_secs_f64());
    }

    /// A delivery was received, so long after it was owed.
    pub fn delivered(&self, after: Duration) {
        self.delivered_after.observe(after.as_secs_f64());
    }

    /// A request was answered. `route` is a word of a closed set, never a path.
    pub fn request(&self, route: &'static str, status: u16) {
        let class = match status {
            304 => "304",
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            _ => "5xx",
        };
        self.requests.get_or_create(&[("route", route), ("status", class)]).inc();
    }

    /// A reload was accepted or refused.
    pub fn reload(&self, accepted: bool) {
        self.reload_ok.set(i64::from(accepted));
    }

    /// So many log lines were lost since the start.
    pub fn log_lost(&self, lines: u64) {
        self.log_lost.inc_by(lines.saturating_sub(self.log_lost.get()));
    }

    /// So many queries have a regular expression that is tried on every item.
    pub fn queries_everywhere(&self, queries: usize) {
        self.queries_everywhere.set(u64::try_from(queries).unwrap_or(u64::MAX));
    }

    /// The feeds as they stand: how many in each state.
    pub fn feeds(&self, states: impl IntoIterator<Item = (Health, u64)>) {
        let all = [Health::Ok, Health::Failing, Health::Broken, Health::Gone, Health::Paused];
        let mut counts: BTreeMap<&'static str, i64> = all.into_iter().map(|state| (state.as_str(), 0)).collect();
        for (state, count) in states {
            *counts.entry(state.as_str()).or_default() += i64::try_from(count).unwrap_or(i64::MAX);
        }
        for (state, count) in counts {
            self.feeds.get_or_create(&[("state", state)]).set(count);
        }
    }

    /// The store as it stands.
    pub fn store(&self, numbers: &StoreNumbers) {
        self.stored.set(numbers.items);
        self.owed.set(numbers.owed);
        self.oldest_owed.set(numbers.oldest_owed.as_secs_f64());
        self.given_up.set(numbers.given_up);
        for (state, count) in ["active", "slowed", "paused", "disabled"].into_iter().zip(numbers.webhooks) {
            self.webhooks.get_or_create(&[("state", state)]).set(count);
        }
        self.size.set(numbers.size_bytes);
        self.lag.set(numbers.poll_lag.as_secs_f64());
        self.hindered.set(u64::from(numbers.hindered));
    }

    /// All of it in the text format of `OpenMetrics`, as [`CONTENT_TYPE`].
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail; if a metric could not be written, what there is still helps.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_counted_under_its_labels() {
        let metrics = Metrics::new("1.2.3");
        let counts = PollCounts { new: 3, changed: 1, sighted: 0 };
        metrics.poll(PollOutcome::Loaded, counts, Duration::from_millis(70));
        metrics.poll(PollOutcome::NotModified, PollCounts::default(), Duration::from_millis(20));
        metrics.poll(PollOutcome::Unchanged, PollCounts::default(), Duration::from_millis(20));
        metrics.fetched(1234, Some(Duration::from_secs(3)));
        metrics.fetched(0, None);
        metrics.attempt(DeliveryResult::Retried, Duration::from_secs(2));
        metrics.request("feed", 304);
        metrics.request("feed", 200);
        metrics.reload(false);
        metrics.feeds([(Health::Ok, 2), (Health::Broken, 1)]);
        metrics.delivered(Duration::from_millis(700));
        metrics.store(&StoreNumbers {
            items: 7,
            oldest_owed: Duration::from_millis(1500),
            given_up: 5,
            webhooks: [1, 2, 0, 0],
            ..StoreNumbers::default()
        });
        let text = metrics.text();
        for line in [
            "feedmill_build_info{version=\"1.2.3\"} 1",
            "feedmill_polls_total{outcome=\"loaded\"} 1",
            "feedmill_polls_total{outcome=\"not_modified\"} 1",
            "feedmill_polls_total{outcome=\"unchanged\"} 1",
            "feedmill_poll_duration_seconds_count 3",
            "feedmill_poll_body_bytes_total 1234",
            "feedmill_poll_behind_seconds_bucket{le=\"1.0\"} 0",
            "feedmill_poll_behind_seconds_bucket{le=\"5.0\"} 1",
            "feedmill_poll_behind_seconds_count 1",
            "feedmill_items_total{kind=\"new\"} 3",
            "feedmill_items_total{kind=\"changed\"} 1",
            "feedmill_delivery_attempts_total{result=\"retried\"} 1",
            "feedmill_delivery_attempt_duration_seconds_bucket{le=\"2.5\"} 1",
            "feedmill_http_requests_total{route=\"feed\",status=\"304\"} 1",
            "feedmill_http_requests_total{route=\"feed\",status=\"2xx\"} 1",
            "feedmill_last_reload_ok 0",
            "feedmill_feeds{state=\"ok\"} 2",
            "feedmill_feeds{state=\"broken\"} 1",
            "feedmill_feeds{state=\"gone\"} 0",
            "feedmill_items_stored 7",
            "feedmill_webhooks{state=\"slowed\"} 2",
            "feedmill_deliveries_failed 5",
            "feedmill_delivery_latency_seconds_bucket{le=\"1.0\"} 1",
            "feedmill_deliveries_oldest_owed_seconds 1.5",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
        let zero = "feedmill_items_total{kind=\"sighted\"} 0";
        assert!(text.lines().any(|l| l == zero), "what has not happened yet is there, too");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn a_feed_that_recovers_leaves_its_old_state() {
        let metrics = Metrics::new("1");
        metrics.feeds([(Health::Broken, 1)]);
        metrics.feeds([(Health::Ok, 1)]);
        let text = metrics.text();
        assert!(text.contains("feedmill_feeds{state=\"broken\"} 0"), "{text}");
        assert!(text.contains("feedmill_feeds{state=\"ok\"} 1"), "{text}");
    }
}
