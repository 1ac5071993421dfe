//! What people open.

use super::*;

#[tokio::test]
async fn each_stream_has_a_page_and_a_file_to_follow_it_and_a_private_one_only_for_who_knows_its_token() {
    let house = House::new().await;
    let mut published = house.live.get().published.as_ref().clone();
    published.streams[1].token = Some(TokenHash::of("a-token-of-more-than-16"));
    house.live.set(published);
    let page = house.get("/all/subscribe", &[]).await;
    let opml = house.get("/all/subscribe.opml", &[]).await;
    for ending in ["atom", "rss", "json"] {
        assert_eq!(page.text().matches(&format!("https://news.example/feeds/all.{ending}\"")).count(), 2, "{ending}");
    }
    assert!(opml.header(CONTENT_TYPE).unwrap().starts_with("text/x-opml"));
    assert!(opml.text().contains("xmlUrl=\"https://news.example/feeds/all.atom\""), "{}", opml.text());
    for path in
        ["/peace-talks/subscribe", "/peace-talks/subscribe?token=wrong", "/none/subscribe", "/none/subscribe.opml"]
    {
        assert_eq!(house.get(path, &[]).await.status, 404, "{path}");
    }
    let page = house.get("/peace-talks/subscribe?token=a-token-of-more-than-16", &[]).await.text();
    assert!(page.contains("peace-talks.rss?token=a-token-of-more-than-16"), "{page}");
    assert!(page.contains("whoever knows one can read it"));
    let opml = house.get("/peace-talks/subscribe.opml?token=a-token-of-more-than-16", &[]).await.text();
    assert!(opml.contains("peace-talks.atom?token=a-token-of-more-than-16"), "{opml}");
}

#[tokio::test]
async fn pages_are_small_have_landmarks_and_need_one_sheet() {
    let house = House::new().await;
    house.load(1, 100).await;
    for path in ["/", "/peace-talks", "/feeds", "/status", "/search?q=story", "/item/1", "/all/subscribe", "/nothing"] {
        let answer = house.get(path, &[(ACCEPT, "text/html"), (ACCEPT_ENCODING, "identity")]).await;
        let page = answer.text();
        assert!(page.len() < 50_000, "{path}: {}", page.len());
        for once in [
            "<h1",
            "<main",
            "</main>",
            "<nav aria-label=\"Site\"",
            "<header class=\"site\"",
            "<footer",
            "id=\"main\"",
            "<html lang=\"en\">",
            "rel=\"stylesheet\"",
            "name=\"viewport\"",
            "href=\"#main\"",
        ] {
            assert_eq!(page.matches(once).count(), 1, "{path}: {once}");
        }
        let (inputs, labels) =
            (page.matches("<input").count() + page.matches("<select").count(), page.matches("aria-label=").count());
        assert!(labels > inputs, "{path}: everything to fill in is labelled");
        assert!(!page.contains("<img"), "{path}");
    }
    for path in ["/static/icon.svg", "/favicon.ico"] {
        let icon = house.get(path, &[]).await;
        assert_eq!((icon.status, icon.header(CONTENT_TYPE)), (200, Some("image/svg+xml")), "{path}");
    }
}
