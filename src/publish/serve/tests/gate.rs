//! Who is let in.

use super::*;
use crate::publish::gate::Gate;

const BASIC: &str = "Basic bWU6cmVhZGluZy10b2tlbg=="; // me:reading-token

fn read(house: &House) {
    let published = house.live.get().published;
    let gate = Gate { read: Some(TokenHash::of("reading-token")), ..published.gate.clone() };
    house.live.set(Published { gate, ..(*published).clone() });
}

#[tokio::test]
async fn behind_a_read_token_there_is_nothing_without_it_but_that_the_daemon_lives() {
    let house = House::new().await;
    house.load(1, 4).await;
    read(&house);
    for path in ["/", "/all.atom", "/peace-talks", "/feeds.opml", "/status", "/api/v1/items", "/static/style.css", "/x"]
    {
        for headers in [&[][..], &[(ACCEPT, "text/html")], &[(AUTHORIZATION, "Basic bWU6d3Jvbmc=")]] {
            house.state.0.wrong.forget();
            let answer = house.get(path, headers).await;
            assert_eq!(answer.status, 401, "{path}");
            assert!(answer.header(WWW_AUTHENTICATE).unwrap().starts_with("Basic realm="), "{path}");
            assert!(!answer.text().contains("peace") && !answer.text().contains("Story"), "{path}: {}", answer.text());
        }
        let wanted = if path == "/x" { 404 } else { 200 };
        for shown in [BASIC, "Bearer reading-token", "Bearer s3cret"] {
            assert_eq!(house.get(path, &[(AUTHORIZATION, shown)]).await.status, wanted, "{path} {shown}");
        }
    }
    assert_eq!(house.get("/healthz", &[]).await.status, 200);
    // It reads, and changes nothing.
    let reload = |shown| {
        let headers = [(AUTHORIZATION, shown)];
        let router = routes::whole(&house.state);
        let house = &house;
        async move { house.ask(router, Method::POST, "/api/v1/reload", &headers).await.status }
    };
    assert_eq!(reload(BASIC).await, 401);
    assert_eq!(reload("Bearer reading-token").await, 401);
    assert_eq!(reload("Bearer s3cret").await, 422, "the operator's own answer");
    let control = house.ask(routes::control(&house.state), Method::GET, "/api/v1/feeds", &[]).await;
    assert_eq!(control.status, 200, "the control socket is a door of its own");
}

#[tokio::test]
async fn a_name_that_leads_here_from_outside_gets_nothing() {
    let house = House::new().await;
    house.load(1, 2).await;
    let ask = async |host: &str, router: Router| {
        let request = Request::builder().uri("/all.json").header(HOST, host).body(Body::empty()).unwrap();
        TowerToHyperService::new(router).call(request).await.unwrap().status().as_u16()
    };
    for (host, status) in [("news.example", 200), ("127.0.0.1:80", 200), ("evil.example", 421), ("nas", 421)] {
        assert_eq!(ask(host, routes::whole(&house.state)).await, status, "{host}");
        assert_eq!(ask(host, routes::public(&house.state)).await, status, "{host}");
    }
    assert_eq!(ask("whatever.example", routes::control(&house.state)).await, 404, "no feeds on the control socket");
}

#[tokio::test]
async fn who_guesses_tokens_is_not_listened_to_for_a_minute() {
    let house = House::new().await;
    let post = async |token: &str| {
        let router = routes::whole(&house.state);
        house.ask(router, Method::POST, "/api/v1/reload", &[(AUTHORIZATION, token)]).await
    };
    for _ in 0..10 {
        assert_eq!(post("Bearer wrong").await.status, 401);
    }
    let answer = post("Bearer s3cret").await;
    assert_eq!(answer.status, 429, "a right guess must not show");
    assert!(answer.header(RETRY_AFTER).unwrap().parse::<u64>().unwrap() <= 60);
    assert_eq!(house.get("/all.atom", &[]).await.status, 200, "who shows none reads on");
    house.state.0.wrong.forget();
    assert_eq!(post("Bearer s3cret").await.status, 422);
}
