//! What those hear who listen, when there is nothing to hear.

use futures_util::StreamExt as _;

use super::*;
use crate::publish::serve::events::HEARTBEAT;

#[tokio::test]
async fn who_listens_hears_a_heartbeat_when_nothing_comes_in() {
    let house = House::new().await;
    house.load(1, 4).await;
    // From here on time passes by itself whenever nothing is to be done.
    tokio::time::pause();
    let request = Request::builder().uri("/events").header(HOST, "news.example").body(Body::empty()).unwrap();
    let answer = TowerToHyperService::new(routes::whole(&house.state)).call(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut heard = answer.into_body().into_data_stream();
    let hello = heard.next().await.unwrap().unwrap();
    assert!(hello.starts_with(b"retry: 10000\n"), "{hello:?}");
    for _ in 0..3 {
        let since = tokio::time::Instant::now();
        let beat = heard.next().await.unwrap().unwrap();
        // A comment (HTML Living Standard 9.2.6): no event, but proxies see that the line is alive.
        assert_eq!(&beat[..], b":\n\n");
        assert!(since.elapsed() >= HEARTBEAT && since.elapsed() < HEARTBEAT * 2, "{:?}", since.elapsed());
    }
    // What comes in is heard all the same, and the daemon's end ends it.
    tokio::time::resume();
    house.load(5, 5).await;
    let news = heard.next().await.unwrap().unwrap();
    assert!(news.windows(10).any(|part| part == b"event: new"), "{news:?}");
    house.state.parts().stop.cancel();
    while let Some(rest) = heard.next().await {
        assert!(!rest.unwrap().is_empty());
    }
}
