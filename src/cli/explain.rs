//! `feedmill explain`: the trace of one story, or why it is not kept.

use clap::Args;

use super::client::problem;
use super::reach::{Place, Source};
use super::{Failure, out};
use crate::domain::shape::{DeliveryShape, MatchShape};
use crate::domain::trace::{AskedShape, EventShape, KeyShape, RuleShape, StoryShape, UnkeptShape};
use crate::publish::serve::problem::Problem;
use crate::publish::trace::{self, Answer};

#[derive(Args, Debug)]
pub(super) struct Options {
    /// Print the body of the API route
    #[arg(long)]
    json: bool,
    /// The story's address, the id that it is published under, or its number
    #[arg(value_name = "URL")]
    url: String,
}

/// What the API answers: the story, or the problem that says why there is none.
enum Told {
    Story(Box<StoryShape>),
    Unkept(Problem),
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    match place.block_on(ask(&options.url, place))? {
        Told::Story(story) if options.json => out::json(&story),
        Told::Story(story) => print_story(&story),
        Told::Unkept(problem) => {
            match &problem.unkept {
                Some(unkept) if !options.json => print_unkept(unkept)?,
                _ => out::json(&problem)?,
            }
            // Everything was said already; the status says that there is no story.
            Err(Failure::new(""))
        }
    }
}

async fn ask(url: &str, place: &Place) -> Result<Told, Failure> {
    match place.source().await? {
        Source::Daemon(daemon) => {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("url", url).finish();
            let (status, body) = daemon.look(&format!("/api/v1/explain?{query}")).await?;
            let unreadable = |e: serde_json::Error| Failure::new(format!("the daemon's answer cannot be read: {e}."));
            if status.is_success() {
                return serde_json::from_slice(&body).map(Told::Story).map_err(unreadable);
            }
            match serde_json::from_slice::<Problem>(&body) {
                Ok(told) if told.unkept.is_some() => Ok(Told::Unkept(told)),
                _ => Err(problem(status, &body)),
            }
        }
        Source::Database(at) => Ok(match trace::explain(at.store.as_ref(), &at.published, url, at.now).await? {
            Answer::Story(told) => Told::Story(Box::new(told.shape())),
            Answer::Unkept(unkept) => Told::Unkept(Problem::unkept(unkept)),
        }),
    }
}

/// A line, fit for a terminal.
fn say(text: &str) -> Result<(), Failure> {
    out::line(&out::printable(text))
}

fn print_unkept(unkept: &UnkeptShape) -> Result<(), Failure> {
    print_asked(&unkept.asked)?;
    out::line("\nnot kept")?;
    unkept.reasons.iter().try_for_each(|reason| say(&format!("  {reason}")))
}

fn print_asked(asked: &AskedShape) -> Result<(), Failure> {
    say(&asked.url)?;
    if let Some(key) = &asked.key {
        say(&format!("  key    {key}"))?;
    }
    print_steps(&asked.steps)?;
    asked.found.iter().try_for_each(|found| say(&format!("  {found}")))
}

fn print_steps(steps: &[RuleShape]) -> Result<(), Failure> {
    steps.iter().try_for_each(|step| say(&format!("         {:<20} {}", step.rule, step.url)))
}

fn print_story(story: &StoryShape) -> Result<(), Failure> {
    let (item, trace) = (&story.item, &story.trace);
    if let Some(asked) = &trace.asked {
        print_asked(asked)?;
        out::line("")?;
    }
    let title = item.title.as_deref().or(item.content_text.as_deref()).unwrap_or_default();
    say(&out::short(title, 160))?;
    say(&format!("  item   {}, revision {}", item.feedmill.item, item.feedmill.revision))?;
    say(&format!("  id     {}", item.id))?;
    say(&format!("  link   {}", item.url.as_deref().unwrap_or("none")))?;
    say(&format!("  key    {}", trace.key))?;
    trace.note.iter().try_for_each(|note| say(&format!("         {note}")))?;
    out::line("\naddresses")?;
    trace.keys.iter().try_for_each(print_address)?;
    out::line("\ntrace")?;
    trace.events.iter().try_for_each(print_event)?;
    out::line("\nstreams")?;
    out::line("  all: every story is in it")?;
    trace.streams.iter().try_for_each(print_stream)?;
    out::line("\ncalls")?;
    if trace.deliveries.is_empty() {
        return out::line("  none");
    }
    trace.deliveries.iter().try_for_each(print_delivery)
}

fn print_address(address: &KeyShape) -> Result<(), Failure> {
    say(&format!("  {}: {}", address.feeds.join(", "), address.url))?;
    print_steps(&address.steps)?;
    address.note.iter().try_for_each(|note| say(&format!("         {note}")))
}

fn print_event(event: &EventShape) -> Result<(), Failure> {
    let error = event.error.as_deref().map(|error| format!(" ({error})")).unwrap_or_default();
    say(&format!("  {:<19}  {}{error}", out::time(event.at), event.text))
}

fn print_stream(found: &MatchShape) -> Result<(), Failure> {
    let why = match (&found.field, &found.term, &found.text) {
        (Some(field), Some(term), Some(met)) => format!(": {term} met \"{met}\" in its {field}"),
        _ => String::new(),
    };
    say(&format!("  {}{why}", found.stream))
}

fn print_delivery(delivery: &DeliveryShape) -> Result<(), Failure> {
    let attempts = match delivery.attempts {
        1 => "1 attempt".to_owned(),
        n => format!("{n} attempts"),
    };
    let next = delivery.next_attempt.map(|at| format!(", the next at {}", out::time(Some(at)))).unwrap_or_default();
    let (webhook, kind, state) = (&delivery.webhook, &delivery.kind, delivery.state.as_str());
    say(&format!("  {webhook}  {kind}  {state} after {attempts}{next}  {}", delivery.id))
}
