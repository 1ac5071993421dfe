//! The description of the API against the API: each route is described, each description answers, and each answer has
//! the described shape and nothing beside it.

use std::collections::BTreeSet;

use super::*;

fn document() -> Value {
    serde_json::from_str(include_str!("../openapi.json")).unwrap()
}

/// What is wrong with a value, by the part of JSON Schema that the document uses.
fn wrong(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let named = root.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("{name} is not there"));
        return wrong(root, named, value, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let tries: Vec<_> = any.iter().map(|one| wrong(root, one, value, at)).collect();
        return if tries.iter().any(Vec::is_empty) { Vec::new() } else { tries.concat() };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let wanted = schema["type"].as_str().unwrap();
    if wanted != kind && !(wanted == "number" && kind == "integer") {
        return vec![format!("{at} is {kind} and not {wanted}")];
    }
    let mut found = Vec::new();
    if let Some(words) = schema["enum"].as_array().filter(|words| !words.contains(value)) {
        found.push(format!("{at} is {value} and none of {words:?}"));
    }
    if schema["format"] == "date-time" && Timestamp::parse_rfc3339(value.as_str().unwrap()).is_none() {
        found.push(format!("{at} is no time: {value}"));
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(wrong(root, &schema["items"], item, &format!("{at}[{n}]")));
    }
    if let Some(object) = value.as_object().filter(|_| schema.get("properties").is_some()) {
        let known = schema["properties"].as_object().unwrap();
        let missing = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        found.extend(missing.filter(|key| !object.contains_key(*key)).map(|key| format!("{at} lacks {key}")));
        for (key, value) in object {
            match known.get(key) {
                Some(schema) => found.extend(wrong(root, schema, value, &format!("{at}.{key}"))),
                None => found.push(format!("{at} has {key}, which is not described")),
            }
        }
    }
    found
}

#[test]
fn every_route_of_the_api_is_described_with_its_method_and_no_other() {
    let source = include_str!("../routes.rs");
    let routes: BTreeSet<(String, String)> = source
        .split(".route(\"/api/")
        .skip(1)
        .map(|rest| {
            let (path, rest) = rest.split_once('"').unwrap();
            let method = rest.trim_start_matches([',', ' ', '\n']).split('(').next().unwrap();
            (format!("/api/{path}"), method.to_owned())
        })
        .collect();
    let document = document();
    let described = document["paths"].as_object().unwrap().iter();
    let described = described.flat_map(|(path, methods)| {
        methods.as_object().unwrap().keys().map(move |method| (path.clone(), method.clone()))
    });
    assert_eq!(routes, described.collect());
}

#[test]
fn every_parameter_in_a_path_is_described_and_every_reference_leads_somewhere() {
    let document = document();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let named = path.split('{').skip(1).map(|part| part.split('}').next().unwrap()).collect::<BTreeSet<_>>();
        for method in methods.as_object().unwrap().values() {
            let parameters = method["parameters"].as_array().unwrap().iter();
            let of_path = parameters.filter(|one| one["in"] == "path").map(|one| one["name"].as_str().unwrap());
            assert_eq!(named, of_path.collect(), "{path}");
        }
    }
    let text = document.to_string();
    for name in text.split("\"$ref\":\"#").skip(1) {
        let name = name.split('"').next().unwrap();
        assert!(document.pointer(name).is_some(), "{name}");
    }
    for schema in document["components"]["schemas"].as_object().unwrap().values() {
        for required in schema["required"].as_array().unwrap() {
            assert!(schema["properties"].get(required.as_str().unwrap()).is_some(), "{required}");
        }
    }
}

#[tokio::test]
async fn every_answer_has_the_shape_that_is_described() {
    let house = House::new().await;
    house.load(1, 4).await;
    let document = document();
    let delivery =
        house.get("/api/v1/deliveries", &[]).await.json()["deliveries"][0]["id"].as_str().unwrap().to_owned();
    let delivery = format!("/api/v1/deliveries/{delivery}");
    let mut answered = BTreeSet::new();
    let one = |described: &'static str, path: &str| (described, path.to_owned());
    for (described, path) in [
        one("/api/v1/feeds", "/api/v1/feeds"),
        one("/api/v1/items", "/api/v1/items?limit=2"),
        one("/api/v1/items", "/api/v1/items?q=story&order=score&since=3000d&stream=all"),
        one("/api/v1/items/{item}", "/api/v1/items/2"),
        one("/api/v1/explain", "/api/v1/explain?url=https://world.example/2"),
        one("/api/v1/merges", "/api/v1/merges"),
        one("/api/v1/matches", "/api/v1/matches?q=story"),
        one("/api/v1/matches", "/api/v1/matches?q=story&item=2"),
        one("/api/v1/matches", "/api/v1/matches?q=nothing&item=2"),
        one("/api/v1/streams", "/api/v1/streams"),
        one("/api/v1/fill", "/api/v1/fill"),
        one("/api/v1/webhooks", "/api/v1/webhooks"),
        one("/api/v1/deliveries", "/api/v1/deliveries?state=pending"),
        one("/api/v1/deliveries/{id}", &delivery),
        one("/api/v1/openapi.json", "/api/v1/openapi.json"),
    ] {
        let answer = house.get(&path, &[]).await;
        assert_eq!((answer.status, answer.header(CONTENT_TYPE)), (200, Some("application/json")), "{path}");
        let schema = &document["paths"][described]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        assert_eq!(wrong(&document, schema, &answer.json(), described), Vec::<String>::new(), "{path}");
        answered.insert(described);
    }
    let gets = document["paths"].as_object().unwrap().iter().filter(|(_, methods)| methods.get("get").is_some());
    assert_eq!(answered, gets.map(|(path, _)| path.as_str()).collect(), "each of them was asked");
    let token = [(AUTHORIZATION, "Bearer s3cret")];
    let mut written = BTreeSet::new();
    for (described, path, body, status) in [
        ("/api/v1/poll", "/api/v1/poll", "", 202),
        ("/api/v1/feeds/{name}/poll", "/api/v1/feeds/world/poll", "", 202),
        ("/api/v1/feeds/{name}/poll", "/api/v1/feeds/none/poll", "", 404),
        ("/api/v1/feeds/{name}/pause", "/api/v1/feeds/world/pause", "", 202),
        ("/api/v1/feeds/{name}/resume", "/api/v1/feeds/world/resume", "", 202),
        ("/api/v1/items/{item}/unmerge", "/api/v1/items/2/unmerge", "", 202),
        ("/api/v1/webhooks/{name}/test", "/api/v1/webhooks/none/test", "", 404),
        ("/api/v1/webhooks/{name}/pause", "/api/v1/webhooks/desk/pause", "", 202),
        ("/api/v1/webhooks/{name}/resume", "/api/v1/webhooks/desk/resume", "", 202),
        ("/api/v1/webhooks/{name}/drop", "/api/v1/webhooks/desk/drop", "", 202),
        ("/api/v1/webhooks/{name}/replay", "/api/v1/webhooks/desk/replay", r#"{"since":"3d"}"#, 202),
        ("/api/v1/webhooks/{name}/replay", "/api/v1/webhooks/desk/replay", "{}", 400),
        ("/api/v1/reload", "/api/v1/reload", "", 422),
        ("/api/v1/log", "/api/v1/log", r#"{"level":"debug"}"#, 202),
    ] {
        written.insert(described);
        for (headers, status) in [(&token[..], status), (&[], 401)] {
            let whole = routes::whole(&house.state);
            let answer = house.send(whole, Method::POST, path, headers, Body::from(body)).await;
            assert_eq!(answer.status, status, "{path}");
            let schema = match status {
                202 => {
                    &document["paths"][described]["post"]["responses"]["202"]["content"]["application/json"]["schema"]
                }
                _ => &document["components"]["schemas"]["Problem"],
            };
            assert_eq!(wrong(&document, schema, &answer.json(), path), Vec::<String>::new(), "{path}");
        }
    }
    let posts = document["paths"].as_object().unwrap().iter().filter(|(_, methods)| methods.get("post").is_some());
    assert_eq!(written, posts.map(|(path, _)| path.as_str()).collect(), "and each of these");
}

#[tokio::test]
async fn every_refusal_is_a_problem_document() {
    let house = House::new().await;
    house.load(1, 4).await;
    let document = document();
    let problem = &document["components"]["schemas"]["Problem"];
    for path in [
        "/api/v1/items?limit=0",
        "/api/v1/items?limit=x",
        "/api/v1/items?q=(",
        "/api/v1/items?after=x",
        "/api/v1/items?stream=none",
        "/api/v1/items?since=yesterday",
        "/api/v1/items/0",
        "/api/v1/items/x",
        "/api/v1/explain",
        "/api/v1/explain?url=https://world.example/none",
        "/api/v1/matches",
        "/api/v1/deliveries?state=x",
        "/api/v1/deliveries/none",
        "/api/v1/none",
        "/api/v1/poll",
    ] {
        let answer = house.get(path, &[(ACCEPT, "text/html")]).await;
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
        assert_eq!(answer.header(CONTENT_TYPE), Some("application/problem+json"), "{path}");
        assert_eq!(wrong(&document, problem, &answer.json(), path), Vec::<String>::new(), "{path}");
        assert_eq!(answer.json()["status"], answer.status, "{path}");
    }
}

#[test]
fn what_is_not_described_is_seen() {
    let document = document();
    let schema = &document["components"]["schemas"]["Author"];
    let wrong = |value: Value| wrong(&document, schema, &value, "author");
    assert!(wrong(serde_json::json!({"name": "x"})).is_empty());
    for bad in [r#"{}"#, r#"{"name": 1}"#, r#"{"name": "x", "avatar": "y"}"#, r#"[]"#] {
        assert_eq!(wrong(serde_json::from_str(bad).unwrap()).len(), 1, "{bad}");
    }
}
