//! `feedmill match`: a query tried on what is stored before it goes live.

use std::time::Duration;

use clap::Args;

use super::client::problem;
use super::reach::{Place, Source};
use super::{Failure, out};
use crate::domain::stream::TermHit;
use crate::domain::time::{Clock as _, SystemClock, Timestamp};
use crate::publish::items::read_since;
use crate::publish::matches::{self, DayShape, FailedShape, MatchList, Params, Tried, TriedShape};
use crate::publish::serve::problem::Problem;

/// The longest bar, in characters.
const BAR: u64 = 40;
/// Days that have a line each, with or without matches; where there are more, only those that had any.
const DAYS: u64 = 62;

#[derive(Args, Debug)]
pub(super) struct Options {
    /// Print the body of the API route
    #[arg(long)]
    json: bool,
    /// Only on items since then: an age such as 30d or 12h, or a time such as 2026-11-24T08:00:00Z
    #[arg(long, value_name = "SINCE", default_value = "30d")]
    since: String,
    /// Show at most so many of the newest items, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = matches::SAMPLES, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Try it on this story alone and say why it is met or not: its address, published id or number
    #[arg(long, value_name = "URL")]
    item: Option<String>,
    /// The query, in the language of streams
    #[arg(value_name = "QUERY", required = true)]
    query: Vec<String>,
}

/// Whether one story is met, or the problem that says why it is not kept.
enum Told {
    Story(Box<TriedShape>),
    Unkept(Problem),
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let query = options.query.join(" ");
    if let Some(item) = &options.item {
        return match place.block_on(one(&query, item, place))? {
            Told::Story(told) if options.json => out::json(&told),
            Told::Story(told) => print_one(&told),
            Told::Unkept(problem) if options.json => {
                out::json(&problem)?;
                Err(Failure::new(""))
            }
            Told::Unkept(problem) => Err(Failure::new(problem.detail)),
        };
    }
    let now = SystemClock.now();
    let since = read_since(&options.since, now).ok_or_else(|| {
        Failure::usage("--since is an age such as 30d, 12h or 90m, or a time such as 2026-11-24T08:00:00Z.")
    })?;
    let list: MatchList = place.block_on(async {
        match place.source().await? {
            Source::Daemon(daemon) => {
                let asked = url::form_urlencoded::Serializer::new(String::new())
                    .append_pair("q", &query)
                    .append_pair("since", &since.rfc3339())
                    .append_pair("limit", &options.limit.to_string())
                    .finish();
                daemon.get(&format!("/api/v1/matches?{asked}")).await
            }
            Source::Database(at) => {
                let params = Params { query: query.clone(), since: Some(since), samples: options.limit };
                Ok(matches::list(at.store.as_ref(), &at.published, &params, at.now).await.map_err(Failure::from)?)
            }
        }
    })?;
    if options.json { out::json(&list) } else { print(&list, since, now) }
}

async fn one(query: &str, item: &str, place: &Place) -> Result<Told, Failure> {
    match place.source().await? {
        Source::Daemon(daemon) => {
            let asked = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("q", query)
                .append_pair("item", item)
                .finish();
            let (status, body) = daemon.look(&format!("/api/v1/matches?{asked}")).await?;
            if status.is_success() {
                let read = serde_json::from_slice(&body).map(Told::Story);
                return read.map_err(|e| Failure::new(format!("the daemon's answer cannot be read: {e}.")));
            }
            match serde_json::from_slice::<Problem>(&body) {
                Ok(told) if told.unkept.is_some() => Ok(Told::Unkept(told)),
                _ => Err(problem(status, &body)),
            }
        }
        Source::Database(at) => {
            let tried = matches::of_item(at.store.as_ref(), &at.published, query, item, at.now).await;
            Ok(match tried.map_err(Failure::from)? {
                Tried::Story(told) => Told::Story(told),
                Tried::Unkept(unkept) => Told::Unkept(Problem::unkept(unkept)),
            })
        }
    }
}

fn print_one(told: &TriedShape) -> Result<(), Failure> {
    let title = told.item.title.as_deref().or(told.item.content_text.as_deref()).unwrap_or_default();
    out::line(&out::printable(&out::short(title, 160)))?;
    match &told.failed {
        Some(failed) => {
            out::line("is not met: the clause that is marked fails")?;
            underline(&told.query, failed).iter().try_for_each(|line| out::line(line))
        }
        None if told.matches.is_empty() => {
            out::line("is met: the query says only what must not be there, and it is not")
        }
        None => {
            out::line("is met:")?;
            let place = |passage| format!("  {}", out::printable(&where_met(passage)));
            told.matches.iter().try_for_each(|passage| out::line(&place(passage)))
        }
    }
}

fn where_met(passage: &TermHit) -> String {
    format!("{} in its {}: {}", passage.term, passage.field, out::marked(passage, 80))
}

/// The query with carets under the clause. Both lines hold the same characters.
fn underline(query: &str, failed: &FailedShape) -> [String; 2] {
    let [from, to] = failed.at;
    let count = |upto: usize| query.char_indices().take_while(|(byte, _)| *byte < upto).count();
    let (start, end) = (count(from), count(to));
    [
        format!("  {}", out::printable(query)),
        format!("  {}{}", " ".repeat(start), "^".repeat(end.saturating_sub(start).max(1))),
    ]
}

fn print(list: &MatchList, since: Timestamp, now: Timestamp) -> Result<(), Failure> {
    out::line(&format!("{} of {} stories since {} meet it", list.matched, list.scanned, out::time(Some(since))))?;
    if list.partial {
        out::line("only the latest was looked at: older ones are missing")?;
    }
    if list.matched == 0 {
        return Ok(());
    }
    out::line("")?;
    chart(&days(&list.per_day, since, now)).iter().try_for_each(|line| out::line(line))?;
    if !list.words.is_empty() {
        out::line("\nwords")?;
        for word in &list.words {
            let line = format!("{:>7}  {}  for {}", word.items, out::short(&word.text, 60), word.term);
            out::line(&out::printable(&line))?;
        }
    }
    out::line("")?;
    let rows = list.items.iter().map(|one| {
        let outside = one.matches.iter().find(|passage| passage.field != "title").or(one.matches.first());
        vec![
            out::time(Some(one.item.date_published)),
            one.item.feedmill.source.name.clone(),
            out::short(one.item.title.as_deref().or(one.item.content_text.as_deref()).unwrap_or_default(), 80),
            outside.map_or_else(String::new, |passage| out::marked(passage, 60)),
            one.item.url.clone().unwrap_or_default(),
        ]
    });
    out::table(&["published", "feed", "title", "met", "link"], rows.collect())
}

/// Every day of the span, those without matches too, if it is not too long.
fn days(found: &[DayShape], since: Timestamp, now: Timestamp) -> Vec<DayShape> {
    const DAY: Duration = Duration::from_secs(86_400);
    let span = now.since(since).as_secs() / DAY.as_secs();
    if span > DAYS {
        return found.to_vec();
    }
    let name = |at: Timestamp| at.to_chrono().format("%Y-%m-%d").to_string();
    let (last, mut at, mut all) = (name(now), since, Vec::new());
    loop {
        let day = name(at);
        let matched = found.iter().find(|found| found.day == day).map_or(0, |found| found.matched);
        let is_last = day >= last;
        all.push(DayShape { day, matched });
        if is_last {
            return all;
        }
        at = at.plus(DAY);
    }
}

/// A line a day, in eighths of a character.
fn chart(days: &[DayShape]) -> Vec<String> {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let most = days.iter().map(|day| day.matched).max().unwrap_or(0).max(1);
    let line = |day: &DayShape| {
        let eighths = (day.matched * BAR * 8).div_ceil(most);
        let full = usize::try_from(eighths / 8).unwrap_or(0);
        let rest = usize::try_from(eighths % 8).ok().and_then(|rest| EIGHTHS.get(rest)).unwrap_or(&"");
        format!("{}  {:>6}  {}{rest}", day.day, day.matched, "█".repeat(full)).trim_end().to_owned()
    };
    days.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: &str, matched: u64) -> DayShape {
        DayShape { day: day.to_owned(), matched }
    }

    #[test]
    fn the_largest_day_has_the_longest_bar_and_a_day_with_any_has_one() {
        let lines =
            chart(&[day("2026-11-01", 400), day("2026-11-02", 0), day("2026-11-03", 1), day("2026-11-04", 200)]);
        assert_eq!(lines[0], format!("2026-11-01     400  {}", "█".repeat(40)));
        assert_eq!(lines[1], "2026-11-02       0");
        assert_eq!(lines[2], "2026-11-03       1  ▏");
        assert_eq!(lines[3], format!("2026-11-04     200  {}", "█".repeat(20)));
    }

    #[test]
    fn days_without_matches_are_shown_too_unless_there_are_too_many() {
        let now = Timestamp::parse_rfc3339("2026-11-24T01:00:00Z").unwrap();
        let found = [day("2026-11-22", 3)];
        let since = now.minus(Duration::from_secs(3 * 86_400 - 7200));
        let all: Vec<(String, u64)> = days(&found, since, now).into_iter().map(|d| (d.day, d.matched)).collect();
        let want = [("2026-11-21", 0), ("2026-11-22", 3), ("2026-11-23", 0), ("2026-11-24", 0)];
        assert_eq!(all, want.map(|(day, n)| (day.to_owned(), n)));
        assert_eq!(days(&found, now.minus(Duration::from_secs(900 * 86_400)), now), found);
    }

    #[test]
    fn the_clause_that_fails_is_marked_by_characters() {
        let failed = FailedShape { clause: "-spört".to_owned(), at: [6, 13] };
        assert_eq!(underline("züri -spört", &failed), ["  züri -spört", "       ^^^^^^"]);
    }
}
