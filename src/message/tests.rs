//! The forms of calls: as they were, and within their limits whatever a publisher sends.

use std::path::Path;
use std::sync::Arc;

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::*;

const SHIPPED: [&str; 4] = ["teams", "matrix", "telegram", "cloudevents"];

fn shipped(name: &str) -> Format {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("config/templates/{name}.json.j2"));
    let source = std::fs::read_to_string(path).unwrap();
    Format::Template(Arc::new(Template::new(name, &source).unwrap_or_else(|wrong| panic!("{wrong}"))))
}

fn formats() -> Vec<(&'static str, Format)> {
    let mut all = vec![
        ("standard", Format::Standard),
        ("slack", Format::Slack),
        ("discord", Format::Discord),
        ("ntfy", Format::Ntfy { topic: "news".to_owned() }),
    ];
    all.extend(SHIPPED.map(|name| (name, shipped(name))));
    all
}

fn made(format: &Format, call: &Call) -> Value {
    let rendered = render(format, call, "msg_a", "desk").unwrap();
    assert_eq!(rendered.failed, None);
    serde_json::from_slice(&rendered.body).unwrap()
}

#[test]
fn the_forms_of_a_call_are_as_they_were() {
    for (name, format) in formats() {
        let all: Vec<Value> = samples().iter().map(|call| made(&format, call)).collect();
        assert_snapshot!(name, serde_json::to_string_pretty(&all).unwrap());
    }
}

#[test]
fn there_is_a_sample_of_every_kind() {
    let kinds: Vec<Value> = samples().iter().map(|call| serde_json::to_value(call).unwrap()["type"].clone()).collect();
    assert_eq!(kinds, ["item.new", "item.updated", "feed.broken", "feed.recovered", "webhook.paused", "test"]);
}

/// Calls with what a publisher should not send.
fn hostile() -> Vec<Call> {
    let emoji = "👨\u{200d}👩\u{200d}👧\u{200d}👦🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}";
    let texts = [
        "x".repeat(100_000),
        "word ".repeat(20_000),
        emoji.repeat(3_000),
        format!("z{}", "\u{301}".repeat(50_000)),
        "漢字かな".repeat(10_000),
        "\u{1}\u{1f}\u{7f}\u{85}\u{2028}".repeat(5_000),
        "\"\\\"'<>&".repeat(10_000),
        "<!channel> <!everyone> <@U123> <#C1|x> <https://evil.example|bank> & &lt;".to_owned(),
        "@everyone @here <@123> <@&1> **bold** __x__ ||spoiler|| [bank](https://evil.example) `code` ```".to_owned(),
        "*bold* _it_ ~no~ :smile: > quote".to_owned(),
        "\u{202e}evil\u{202c} \u{2066}iso\u{2069} \u{200f}שלום".to_owned(),
        "line\r\nline\n\n\nline\tX-Header: injected".to_owned(),
        "{{ 7 * 7 }} {% raw %} ${jndi:x} </script><script>alert(1)</script>".to_owned(),
        " \u{a0}\n ".to_owned(),
        String::new(),
    ];
    let urls =
        ["javascript:alert(1)", "https://x.example/a|b>c<d\"e'f g", "data:text/html,x", "https://", "", "nonsense"];
    let long = format!("https://x.example/{}", "a".repeat(100_000));
    let urls = urls.iter().map(|url| (*url).to_owned()).chain([long]).cycle();
    let Some(Call::Item(sample)) = samples().into_iter().next() else { panic!("no item") };
    let mut calls = Vec::new();
    for (text, url) in texts.into_iter().zip(urls) {
        for place in 0..3 {
            let mut call = sample.clone();
            let (item, data) = (&mut call.data.item, &text);
            item.url = Some(url.clone());
            item.image = Some(url.clone());
            item.title = if place == 0 { Some(data.clone()) } else { None };
            item.summary = if place == 1 { Some(data.clone()) } else { None };
            item.content_text = Some(data.clone());
            call.data.feed.title = Some(text.clone());
            call.data.feed.url = url.clone();
            calls.push(Call::Item(call));
        }
    }
    calls
}

fn length(value: &Value) -> usize {
    value.as_str().unwrap_or_default().encode_utf16().count()
}

/// What each side's documentation says of its limits, and what must never be in it.
fn check(name: &str, body: &Value) {
    let size = serde_json::to_vec(body).unwrap().len();
    let steering = |text: &str| text.chars().any(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
    match name {
        "slack" => {
            assert!(length(&body["text"]) <= 40_000 && length(&body["text"]) > 0);
            let blocks = body["blocks"].as_array().unwrap();
            assert!((1..=50).contains(&blocks.len()));
            for block in blocks.iter().filter(|block| block["type"] == "section") {
                assert!((1..=3000).contains(&length(&block["text"]["text"])), "{block}");
            }
            let title = blocks[0]["text"]["text"].as_str().unwrap();
            // One link at the most, and it is ours.
            assert!(title.matches('<').count() <= 1 && title.matches('>').count() <= 1, "{title}");
            assert!(!title.contains("<!") && !title.contains("<@") && !title.contains("<#"), "{title}");
            assert!(!body["text"].as_str().unwrap().contains(['<', '>']));
            let elements = blocks.last().unwrap()["elements"].as_array().unwrap();
            assert!(elements.len() <= 10 && elements.iter().all(|one| (1..=2000).contains(&length(&one["text"]))));
        }
        "discord" => {
            assert_eq!(body["allowed_mentions"], json!({"parse": []}));
            let embed = &body["embeds"][0];
            assert_eq!(body["embeds"].as_array().unwrap().len(), 1);
            assert!((1..=256).contains(&length(&embed["title"])) && length(&embed["description"]) <= 4096);
            assert!(length(&embed["author"]["name"]) <= 256 && length(&embed["footer"]["text"]) <= 2048);
            let all = [&embed["title"], &embed["description"], &embed["author"]["name"], &embed["footer"]["text"]];
            assert!(all.into_iter().map(length).sum::<usize>() <= 6000 && length(&embed["url"]) <= 2048);
            assert!(embed.get("url").is_none_or(|url| url.as_str().unwrap().starts_with("http")));
            let title = embed["title"].as_str().unwrap();
            assert!(!title.ends_with('\\') || title.ends_with("\\\\"), "an escape is never cut off: {title}");
        }
        "ntfy" => {
            let text = |key: &str| body[key].as_str().unwrap().len();
            assert!(text("message") + text("title") <= 4096 && text("title") > 0 && text("message") > 0, "{body}");
            assert_eq!(body["topic"], "news");
        }
        "teams" => {
            assert!(size <= 28 * 1024, "{size} bytes");
            let card = &body["attachments"][0]["content"];
            assert_eq!((&card["type"], &card["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
            let blocks = card["body"].as_array().unwrap();
            assert!(blocks.iter().all(|block| block["type"] == "TextBlock" && length(&block["text"]) > 0), "{card}");
        }
        "telegram" => {
            // Counted is what is there after tags and entities are read.
            let text = body["text"].as_str().unwrap();
            let bare = text.replace("<b>", "").replace("</b>", "").replace("<i>", "").replace("</i>", "");
            assert!(!bare.contains(['<', '>']), "{bare}");
            let read = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
            let read = read.iter().fold(bare, |text, (entity, c)| text.replace(entity, c));
            assert!((1..=4096).contains(&read.encode_utf16().count()), "{}", read.len());
        }
        "matrix" => {
            assert!(size <= 60 * 1024, "{size} bytes");
            assert_eq!((&body["msgtype"], &body["m.mentions"]), (&json!("m.text"), &json!({})));
            let html = body["formatted_body"].as_str().unwrap();
            assert!(!html.contains("<script") && !html.contains("href=\"javascript"), "{html}");
        }
        "cloudevents" => {
            for key in ["specversion", "id", "source", "type"] {
                assert!(body[key].is_string(), "{key}");
            }
            assert_eq!(body["specversion"], "1.0");
            assert!(body["data"].is_object());
        }
        _ => {}
    }
    if !matches!(name, "standard" | "cloudevents") {
        assert!(!steering(&body.to_string()), "{name}: {body}");
    }
}

#[test]
fn limits_are_kept_and_nothing_becomes_markup_whatever_a_publisher_sends() {
    for (name, format) in formats() {
        for call in hostile().iter().chain(&samples()) {
            let rendered = render(&format, call, "msg_a", "desk").unwrap();
            // A title of a hundred kilobytes in the whole data of an event is what its receiver asked for.
            assert_eq!(rendered.failed, None, "{name}");
            check(name, &serde_json::from_slice(&rendered.body).unwrap());
        }
    }
}

#[test]
fn mistakes_in_templates_are_found_with_their_line() {
    for (source, line, cause) in [
        ("{", Some(1), "no JSON there"),
        ("{\n{% if %}\n}", Some(2), ""),
        ("{\"a\": {{ nothing }}}", Some(1), "not there in every call"),
        ("{\"a\":\n {{ data.item.title }}}", Some(2), "not there in every call"),
        ("{\"a\": {{ headline | nofilter }}}", Some(1), "nofilter"),
        (
            "{\"a\": [{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}]}",
            None,
            "does not end",
        ),
        (
            "{\"a\": \"{% for i in range(5000) %}{% for j in range(9) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}\"}",
            None,
            "more than",
        ),
        ("{\"a\": \"{{ headline }}\"}", Some(1), "no JSON there"),
    ] {
        let wrong = Template::new("t", source).err().unwrap_or_else(|| panic!("{source}"));
        assert!(line.is_none() || wrong.line == line, "{source}: {wrong:?}");
        assert!(wrong.to_string().contains(cause), "{source}: {wrong}");
        assert!(wrong.to_string().contains("template t"), "{wrong}");
    }
}

#[test]
fn a_template_that_fails_on_a_call_leaves_the_standard_body_and_says_why() {
    let source = "{\"n\": {{ 1 // (headline | length - 2) }}}";
    let format = Format::Template(Arc::new(Template::new("n", source).unwrap()));
    let Some(Call::Item(mut call)) = samples().into_iter().next() else { panic!("no item") };
    call.data.item.title = Some("ab".to_owned());
    let call = Call::Item(call);
    let rendered = render(&format, &call, "msg_a", "desk").unwrap();
    assert!(rendered.failed.unwrap().starts_with("the template n failed in line 1"), "no reason");
    assert_eq!(serde_json::from_slice::<Value>(&rendered.body).unwrap(), serde_json::to_value(&call).unwrap());
}

#[test]
fn what_a_template_prints_is_json_and_its_filters_do_what_they_say() {
    let source = r#"{"a": {{ "<b>" ~ "x\"y" }}, "h": {{ "<&\">" | html }}, "m": {{ "*a*" | markdown }},
        "s": {{ "one two" | shorten(4) }}, "d": {{ data }}, "i": [{{ id }}, {{ webhook }}, {{ type }}]}"#;
    let format = Format::Template(Arc::new(Template::new("t", source).unwrap()));
    let made = made(&format, &samples()[5]);
    assert_eq!((&made["a"], &made["h"]), (&json!("<b>x\"y"), &json!("&lt;&amp;&quot;&gt;")));
    assert_eq!((&made["m"], &made["s"]), (&json!("\\*a\\*"), &json!("one…")));
    assert_eq!((&made["d"]["message"], &made["i"]), (&json!("A test call."), &json!(["msg_a", "desk", "test"])));
}
