//! What an adversary would try against each rule: pairs that must stay apart, and, beside them, the pairs that the same
//! rule is there for. At the end, pairs drawn by chance that differ in one place which no table names.

use std::collections::HashSet;

use proptest::prelude::*;

use super::canonical::Rules;
use super::rules::RULES;

fn key(url: &str) -> String {
    Rules::default().key(url).unwrap_or_else(|| panic!("{url} has no key"))
}

/// Rule, one page, another page.
const APART: &[(&str, &str, &str)] = &[
    // By a standard.
    ("percent", "https://e.example/a%2Fb", "https://e.example/a/b"),
    ("percent", "https://e.example/a%252Fb", "https://e.example/a%2Fb"),
    ("percent", "https://e.example/a?q=a%26b=c", "https://e.example/a?q=a&b=c"),
    ("percent", "https://e.example/a?q=1%23c", "https://e.example/a?q=1#c"),
    ("percent", "https://e.example/a%3Fb=1", "https://e.example/a?b=1"),
    ("percent", "https://e.example/a?q=%2B", "https://e.example/a?q=+"),
    ("percent", "https://e.example/a%2541", "https://e.example/aA"),
    ("percent", "https://e.example/caf%C3%A9", "https://e.example/cafe%CC%81"),
    ("percent", "https://e.example/%E0%A4%95", "https://e.example/%E0%A4%96"),
    ("text-directive", "https://e.example/a#s1:~:text=x", "https://e.example/a#s2:~:text=x"),
    ("text-directive", "https://e.example/a#:~text=x", "https://e.example/a"),
    ("empty-fragment", "https://e.example/a#%20", "https://e.example/a"),
    // Redirectors.
    (
        "redirector",
        "https://google.com/url?q=https%3A%2F%2Fe.example%2Fa",
        "https://google.com/url?q=https%3A%2F%2Fe.example%2Fb",
    ),
    ("redirector", "https://google.com/search?q=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("redirector", "https://google.com/imgres?imgurl=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("redirector", "https://google.evil.example/url?q=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("redirector", "https://l.facebook.com.evil.example/l.php?u=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("redirector", "https://facebook.com/sharer/sharer.php?u=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("redirector", "https://facebook.com/plugins/post.php?href=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    (
        "redirector",
        "https://linkedin.com/sharing/share-offsite/?url=https%3A%2F%2Fe.example%2Fa",
        "https://e.example/a",
    ),
    ("redirector", "https://pinterest.com/pin/create/button/?url=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("redirector", "https://news.ycombinator.com/submitlink?u=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("redirector", "https://translate.google.com/translate?sl=de&tl=en&u=https://e.example/a", "https://e.example/a"),
    (
        "redirector",
        "https://e-example.translate.goog/a?_x_tr_sl=de&_x_tr_tl=en",
        "https://e-example.translate.goog/a?_x_tr_sl=de&_x_tr_tl=fr",
    ),
    ("redirector", "https://webcache.googleusercontent.com/search?q=cache:https://e.example/a", "https://e.example/a"),
    (
        "redirector",
        "https://web.archive.org/web/20240101/https://e.example/a",
        "https://web.archive.org/web/20240102/https://e.example/a",
    ),
    ("redirector", "https://archive.ph/newest/https://e.example/a", "https://e.example/a"),
    ("redirector", "https://r.jina.ai/https://e.example/a", "https://e.example/a"),
    ("redirector", "https://12ft.io/https://e.example/a", "https://e.example/a"),
    ("redirector", "https://corsproxy.io/?https://e.example/a", "https://e.example/a"),
    ("redirector", "https://validator.w3.org/nu/?doc=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("redirector", "https://href.li/?e.example/a", "https://href.li/?e.example/b"),
    ("redirector", "https://bit.ly/AbC", "https://bit.ly/abc"),
    ("redirector", "https://t.co/a?u=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("redirector", "https://feedproxy.google.com/~r/blog/~3/a/", "https://feedproxy.google.com/~r/blog/~3/b/"),
    (
        "redirector",
        "https://urldefense.proofpoint.com/v2/url?u=https-3A__e.example_a",
        "https://urldefense.proofpoint.com/v2/url?u=https-3A__e.example_b",
    ),
    ("redirector", "https://urldefense.proofpoint.com/v2/url?u=https-3A__e.example_a-2Db", "https://e.example/a/b"),
    (
        "redirector",
        "https://prf.hn/click/camref:1a/destination:https%3A%2F%2Fe.example%2Fa",
        "https://prf.hn/click/camref:1a/destination:https%3A%2F%2Fe.example%2Fb",
    ),
    ("redirector", "https://secure-web.cisco.com/1a/ftp%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("redirector", "https://medium.com/m/signin?redirect=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    (
        "redirector",
        "https://youtube.com/attribution_link?u=%2Fwatch%3Fv%3DabcdEFGH_-1",
        "https://youtube.com/attribution_link?u=%2Fwatch%3Fv%3DabcdEFGH_-2",
    ),
    (
        "redirector",
        "https://youtube.com/attribution_link?u=%2Fplaylist%3Flist%3DPL1",
        "https://youtube.com/attribution_link?u=%2Fplaylist%3Flist%3DPL2",
    ),
    // Host.
    ("https", "http://e.example:443/a", "https://e.example/a"),
    ("https", "http://e.example:8080/a", "https://e.example:8080/a"),
    ("https", "https://e.example:80/a", "https://e.example/a"),
    ("host-dot", "https://e.example../a", "https://e.example/a"),
    ("www", "https://www2.e.example/a", "https://www.e.example/a"),
    ("www", "https://ww.e.example/a", "https://e.example/a"),
    ("www", "https://www-e.example/a", "https://e.example/a"),
    ("www", "https://wwwe.example/a", "https://e.example/a"),
    ("www", "https://www.com/", "https://com/"),
    ("www", "https://web.e.example/a", "https://e.example/a"),
    ("www", "https://u@e.example/a", "https://e.example/a"),
    ("www", "https://u@e.example/a", "https://v@e.example/a"),
    ("www", "https://192.0.2.1/a", "https://192.0.2.2/a"),
    ("www", "https://[2001:db8::1]/a", "https://[2001:db8::2]/a"),
    ("www", "https://intranet/a", "https://intranet.e.example/a"),
    ("www", "https://e.example/a", "https://\u{435}.example/a"),
    ("www", "https://stra\u{df}e.example/a", "https://strasse.example/a"),
    ("www", "https://bu\u{308}cher.example/a", "https://bucher.example/a"),
    ("amp-cache", "https://google.com/amp/guide", "https://google.com/guide"),
    ("amp-cache", "https://evil.cdn.ampproject.org.example/c/s/e.example/a", "https://e.example/a"),
    (
        "amp-cache",
        "https://e-example.cdn.ampproject.org/c/s/e.example/a",
        "https://e-example.cdn.ampproject.org/c/s/e.example/b",
    ),
    ("amp-cache", "https://e-example.cdn.ampproject.org/i/s/e.example/a.png", "https://e.example/a.png"),
    ("amp-cache", "https://google.com/amp/s/e.example:8443/a", "https://e.example/a"),
    ("amp-host", "https://amp.e.example/some-long-title", "https://e.example/some-long-title"),
    (
        "amp-host",
        "https://amp.dev/documentation/guides-and-tutorials",
        "https://dev/documentation/guides-and-tutorials",
    ),
    ("mobile-host", "https://m.e.example/a", "https://e.example/a"),
    ("mobile-host", "https://mobile.e.example/a", "https://e.example/a"),
    ("mobile-host", "https://m.shop.amazon-news.example/a", "https://shop.amazon-news.example/a"),
    ("mobile-host", "https://mobile.de/a", "https://m.de/a"),
    ("mobile-host", "https://m.sports.naver.com/a", "https://sports.naver.com/a"),
    ("mobile-host", "https://m.evilreddit.com/a", "https://reddit.com/a"),
    ("same-host", "https://edition.cnn.com/", "https://cnn.com/"),
    ("same-host", "https://edition.cnn.com/europe", "https://cnn.com/europe"),
    ("same-host", "https://money.cnn.com/2019/01/01/a", "https://cnn.com/2019/01/01/a"),
    ("same-host", "https://bbc.co.uk/iplayer/a", "https://bbc.com/iplayer/a"),
    ("same-host", "https://pinterest.de/a/board", "https://pinterest.fr/a/board"),
    ("same-host", "https://de.wikipedia.org/wiki/A", "https://de.m.wiktionary.org/wiki/A"),
    ("same-host", "https://en.wikipedia.org/wiki/A", "https://simple.wikipedia.org/wiki/A"),
    ("same-host", "https://zh.wikipedia.org/zh-hans/A", "https://zh.wikipedia.org/zh-hant/A"),
    ("same-host", "https://nitter.example/a/status/1", "https://x.com/a/status/1"),
    ("same-host", "https://netflix.com/a", "https://netflixx.com/a"),
    ("same-host", "https://x.com/a/status/1", "https://x.com/a/status/1/photo/1"),
    ("same-host", "https://x.com/a/status/1", "https://x.com/a/status/1/likes"),
    ("same-host", "https://reddit.com/r/a/comments/1ab/t/", "https://reddit.com/r/a/comments/1ab/t/c1d2e3/"),
    ("same-host", "https://old.reddit.com/r/a/comments/1ab/t/?sort=new", "https://reddit.com/r/a/comments/1ab/t/"),
    ("same-host", "https://reddit.com/r/a/comments/1ab/t/?context=3", "https://reddit.com/r/a/comments/1ab/t/"),
    ("youtube", "https://youtube.com/watch?v=abcdEFGH_-1", "https://youtube.com/watch?v=abcdEFGH_-2"),
    ("youtube", "https://youtube.com/playlist?list=PLa", "https://youtube.com/playlist?list=PLb"),
    ("youtube", "https://youtube.com/watch?v=abcdEFGH_-1&list=PLa", "https://youtube.com/watch?v=abcdEFGH_-1"),
    ("youtube", "https://youtube.com/post/UgkxAbCdEfGh1", "https://youtube.com/post/UgkxAbCdEfGh2"),
    ("youtube", "https://youtube.com/clip/UgkxAbCdEfGh1", "https://youtube.com/clip/UgkxAbCdEfGh2"),
    ("youtube", "https://youtube.com/shorts/abcdEFGH_-1/x", "https://youtube.com/watch?v=abcdEFGH_-1"),
    ("youtube", "https://youtube.com/@ab/shorts", "https://youtube.com/@ab/videos"),
    (
        "youtube",
        "https://youtube.com/feeds/videos.xml?channel_id=UCa",
        "https://youtube.com/feeds/videos.xml?channel_id=UCb",
    ),
    ("youtube", "https://youtube.com/results?search_query=a", "https://youtube.com/results?search_query=b"),
    ("google-news", "https://news.google.com/articles/CBMiA", "https://news.google.com/articles/CBMia"),
    ("google-news", "https://news.google.com/rss/search?q=a&hl=de", "https://news.google.com/rss/search?q=a&hl=en"),
    ("google-news", "https://news.google.com/home?hl=de", "https://news.google.com/home?hl=en"),
    ("blog-address", "https://a.blogspot.de/2024/05/b.html", "https://c.blogspot.de/2024/05/b.html"),
    ("blog-address", "https://a.blogspot.com/2024/05/b.html", "https://a.blogspot.com/2024/06/b.html"),
    ("blog-address", "https://a.blogspot.evil.example/2024/05/b.html", "https://a.blogspot.com/2024/05/b.html"),
    ("blog-address", "https://e.example/2024/05/b.html?m=2", "https://e.example/2024/05/b.html"),
    ("blog-address", "https://e.example/list?m=1", "https://e.example/list?m=0"),
    (
        "blog-address",
        "https://a.blogspot.com/2024/05/b.html?showComment=1",
        "https://a.blogspot.com/2024/05/b.html?showComment=2",
    ),
    ("blog-address", "https://open.substack.com/pub/a/p/b", "https://open.substack.com/pub/c/p/b"),
    ("blog-address", "https://open.substack.com/pub/a/note/b", "https://a.substack.com/p/b"),
    (
        "blog-address",
        "https://substack.com/app-link/post?publication_id=1&post_id=2",
        "https://substack.com/app-link/post?publication_id=1&post_id=3",
    ),
    ("blog-address", "https://substack.com/@a/note/c-1", "https://substack.com/@a/note/c-2"),
    ("blog-address", "https://medium.com/@a/b-1a2b3c4d5e6f", "https://medium.com/@a/b-1a2b3c4d5e6a"),
    ("blog-address", "https://medium.com/p/1a2b3c4d5e6f", "https://medium.com/p/1a2b3c4d5e6a"),
    // Parameters.
    ("amp-entity", "https://e.example/a?b=1&amp=2", "https://e.example/a?b=1"),
    ("amp-entity", "https://e.example/a?b=1&ampere=2", "https://e.example/a?b=1&ere=2"),
    ("amp-entity", "https://e.example/a?b=1#038;c=2", "https://e.example/a?b=1&c=2"),
    ("query-space", "https://e.example/a%20b", "https://e.example/a+b"),
    ("query-space", "https://e.example/a?q=a+b", "https://e.example/a?q=ab"),
    ("tracking", "https://e.example/a?utm=33T", "https://e.example/a?utm=32T"),
    ("tracking", "https://e.example/a?utmost=1", "https://e.example/a?utmost=2"),
    ("tracking", "https://e.example/a?autm_source=1", "https://e.example/a?autm_source=2"),
    ("tracking", "https://e.example/a?q=utm_source", "https://e.example/a?q="),
    ("tracking", "https://e.example/a/utm_source=x", "https://e.example/a"),
    ("tracking", "https://e.example/a?x=utm_source=1", "https://e.example/a?x="),
    ("tracking", "https://e.example/a;utm_source=x", "https://e.example/a"),
    ("tracking", "https://e.example/a?id=1;utm_source=x", "https://e.example/a?id=2;utm_source=x"),
    ("tracking", "https://e.example/a?campaign=1", "https://e.example/a?campaign=2"),
    ("tracking", "https://e.example/a?campaign_id=1", "https://e.example/a?campaign_id=2"),
    ("tracking", "https://e.example/a?source=github", "https://e.example/a?source=gitlab"),
    ("tracking", "https://e.example/a?medium=oil", "https://e.example/a?medium=ink"),
    ("tracking", "https://e.example/a?keyword=1", "https://e.example/a?keyword=2"),
    ("tracking", "https://e.example/a?term=1", "https://e.example/a?term=2"),
    ("tracking", "https://e.example/a?content=1", "https://e.example/a?content=2"),
    ("tracking", "https://e.example/?p=1", "https://e.example/?p=2"),
    ("tracking", "https://e.example/?p=1", "https://e.example/?page_id=1"),
    ("tracking", "https://e.example/?page_id=1", "https://e.example/?page_id=2"),
    ("tracking", "https://e.example/?cat=1", "https://e.example/?tag=1"),
    ("tracking", "https://e.example/?mbid=1", "https://e.example/?mbid=2"),
    ("tracking", "https://e.example/?cid=1&eid=2", "https://e.example/?cid=1&eid=3"),
    ("tracking", "https://e.example/?aff=1", "https://e.example/?aff=2"),
    ("tracking", "https://e.example/?affiliate_id=1", "https://e.example/?affiliate_id=2"),
    ("tracking", "https://e.example/?sub1=1", "https://e.example/?sub1=2"),
    ("tracking", "https://e.example/?bctid=1", "https://e.example/?bctid=2"),
    ("tracking", "https://e.example/?itm_id=1", "https://e.example/?itm_id=2"),
    ("tracking", "https://e.example/?pk=1", "https://e.example/?pk=2"),
    ("tracking", "https://e.example/?pk_id=1", "https://e.example/?pk_id=2"),
    ("tracking", "https://e.example/?ga=1", "https://e.example/?ga=2"),
    ("tracking", "https://e.example/?ga_county=1", "https://e.example/?ga_county=2"),
    ("tracking", "https://e.example/?hc_location=1", "https://e.example/?hc_location=2"),
    ("tracking", "https://e.example/?share_item_id=1", "https://e.example/?share_item_id=2"),
    ("tracking", "https://e.example/?a8=Nf3", "https://e.example/?a8=Nf6"),
    ("tracking", "https://e.example/?btag=1", "https://e.example/?btag=2"),
    ("tracking", "https://app.adj.st/?adj_t=a1b2", "https://app.adj.st/?adj_t=a1b3"),
    ("tracking", "https://univis.example/form?__s=2", "https://univis.example/form?__s=3"),
    ("host-tracking", "https://e.example/a?s=20", "https://e.example/a?s=21"),
    ("host-tracking", "https://e.example/a?t=90", "https://e.example/a?t=91"),
    ("host-tracking", "https://e.example/a?si=1", "https://e.example/a?si=2"),
    ("host-tracking", "https://e.example/a?feature=1", "https://e.example/a?feature=2"),
    ("host-tracking", "https://e.example/a?from=2024-01-01", "https://e.example/a?from=2024-01-02"),
    ("host-tracking", "https://e.example/a?src=image.png", "https://e.example/a?src=image2.png"),
    ("host-tracking", "https://e.example/a?th=1", "https://e.example/a?th=2"),
    ("host-tracking", "https://amazon.com/s?k=a&i=stripbooks", "https://amazon.com/s?k=a&i=music"),
    ("host-tracking", "https://amazon.com/dp/B000000001", "https://amazon.com/dp/B000000002"),
    ("host-tracking", "https://amazon.com/gp/browse.html?node=1", "https://amazon.com/gp/browse.html?node=2"),
    (
        "host-tracking",
        "https://amazon.com/product-reviews/B000000001?pageNumber=1",
        "https://amazon.com/product-reviews/B000000001?pageNumber=2",
    ),
    ("host-tracking", "https://ebay.com/sch/i.html?_nkw=a", "https://ebay.com/sch/i.html?_nkw=b"),
    ("host-tracking", "https://ebay.com/itm/1?var=2", "https://ebay.com/itm/1?var=3"),
    ("host-tracking", "https://music.apple.com/us/album/a/1?i=2", "https://music.apple.com/us/album/a/1?i=3"),
    (
        "host-tracking",
        "https://facebook.com/permalink.php?story_fbid=1&id=2",
        "https://facebook.com/permalink.php?story_fbid=3&id=2",
    ),
    ("host-tracking", "https://facebook.com/photo.php?fbid=1", "https://facebook.com/photo.php?fbid=2"),
    ("host-tracking", "https://facebook.com/watch/?v=1", "https://facebook.com/watch/?v=2"),
    ("host-tracking", "https://facebook.com/a/posts/1?comment_id=2", "https://facebook.com/a/posts/1?comment_id=3"),
    ("host-tracking", "https://vk.com/feed?w=wall-1_2", "https://vk.com/feed?w=wall-1_3"),
    ("host-tracking", "https://linkedin.com/jobs/view?currentJobId=1", "https://linkedin.com/jobs/view?currentJobId=2"),
    ("host-tracking", "https://twitter.com/search?q=a", "https://twitter.com/search?q=b"),
    ("host-tracking", "https://twitter.com/search?q=a&f=live", "https://twitter.com/search?q=a&f=user"),
    ("host-tracking", "https://google.com/search?q=a&tbm=isch", "https://google.com/search?q=a&tbm=vid"),
    ("host-tracking", "https://google.com/maps?cid=1", "https://google.com/maps?cid=2"),
    ("host-tracking", "https://docs.google.com/a?source=1", "https://docs.google.com/a?source=2"),
    ("host-tracking", "https://bing.com/search?q=a&first=1", "https://bing.com/search?q=a&first=11"),
    ("host-tracking", "https://baidu.com/s?wd=a&pn=0", "https://baidu.com/s?wd=a&pn=10"),
    ("host-tracking", "https://tieba.baidu.com/p/1?pn=1", "https://tieba.baidu.com/p/1?pn=2"),
    ("host-tracking", "https://bilibili.com/video/BV1?p=1", "https://bilibili.com/video/BV1?p=2"),
    ("host-tracking", "https://bilibili.com/bangumi?type=1", "https://bilibili.com/bangumi?type=2"),
    ("host-tracking", "https://space.bilibili.com/a?mid=1", "https://space.bilibili.com/a?mid=2"),
    ("host-tracking", "https://nicovideo.jp/watch/sm1?from=60", "https://nicovideo.jp/watch/sm1?from=90"),
    ("host-tracking", "https://item.jd.com/1.html?sku=1", "https://item.jd.com/1.html?sku=2"),
    (
        "host-tracking",
        "https://detail.tmall.com/item.htm?id=1&skuId=2",
        "https://detail.tmall.com/item.htm?id=1&skuId=3",
    ),
    ("host-tracking", "https://nytimes.com/search?query=a", "https://nytimes.com/search?query=b"),
    ("host-tracking", "https://nytimes.com/section/a?name=1", "https://nytimes.com/section/a?name=2"),
    ("host-tracking", "https://abcnews.go.com/story?id=1", "https://abcnews.go.com/story?id=2"),
    ("host-tracking", "https://finance.yahoo.com/quote?p=A", "https://finance.yahoo.com/quote?p=B"),
    ("host-tracking", "https://news.ycombinator.com/item?id=1", "https://news.ycombinator.com/item?id=2"),
    ("host-tracking", "https://github.com/a/b/issues?q=1", "https://github.com/a/b/issues?q=2"),
    ("host-tracking", "https://github.com/a/b?tab=readme", "https://github.com/a/b?tab=license"),
    ("host-tracking", "https://learn.microsoft.com/a?view=net-8.0", "https://learn.microsoft.com/a?view=net-9.0"),
    ("host-tracking", "https://indeed.com/viewjob?jk=1", "https://indeed.com/viewjob?jk=2"),
    (
        "host-tracking",
        "https://play.google.com/store/apps/details?id=a.b",
        "https://play.google.com/store/apps/details?id=a.c",
    ),
    ("host-tracking", "https://store.steampowered.com/search?term=a", "https://store.steampowered.com/search?term=b"),
    (
        "host-tracking",
        "https://steamcommunity.com/sharedfiles/filedetails/?id=1",
        "https://steamcommunity.com/sharedfiles/filedetails/?id=2",
    ),
    ("host-tracking", "https://temu.com/goods.html?goods_id=1", "https://temu.com/goods.html?goods_id=2"),
    ("host-tracking", "https://kakaku.com/search?query=1", "https://kakaku.com/search?query=2"),
    ("host-tracking", "https://heise.de/forum?thread=1", "https://heise.de/forum?thread=2"),
    ("session", "https://e.example/a?sid=2024-05-17-linux-kernel-6", "https://e.example/a"),
    ("session", "https://e.example/a?sid=Linux_kernel_6_12_released_today", "https://e.example/a"),
    ("session", "https://e.example/a?sid=article-2024-05-top10picks", "https://e.example/a"),
    ("session", "https://e.example/a?sid=12345678901234567890123456", "https://e.example/a"),
    ("session", "https://e.example/a?sid=thisisaverylongstoryname2", "https://e.example/a"),
    (
        "session",
        "https://e.example/talk?sessionid=keynote-2024-opening",
        "https://e.example/talk?sessionid=keynote-2024-closing",
    ),
    (
        "session",
        "https://e.example/talk?session_id=Track2_Session14",
        "https://e.example/talk?session_id=Track2_Session15",
    ),
    ("session", "https://e.example/talk?sessionId=S61234", "https://e.example/talk?sessionId=S61235"),
    ("session", "https://e.example/a?s=0123456789abcdef0123456789abcdef", "https://e.example/a"),
    ("session", "https://e.example/a?cftoken=1", "https://e.example/a?cftoken=2"),
    ("session-path", "https://e.example/a;v=1.2", "https://e.example/a;v=1.3"),
    ("session-path", "https://e.example/a;lat=1;lon=2", "https://e.example/a;lat=1;lon=3"),
    ("session-path", "https://e.example/(X(0123456789abcdefghijklm))/a", "https://e.example/a"),
    ("session-path", "https://en.wikipedia.org/wiki/A_(B)", "https://en.wikipedia.org/wiki/A_(C)"),
    ("feed-mark", "https://e.example/?feed=rss2", "https://e.example/"),
    ("feed-mark", "https://e.example/list?type=rss", "https://e.example/list"),
    ("feed-mark", "https://e.example/list?output=rss", "https://e.example/list?output=atom"),
    ("feed-mark", "https://e.example/list?format=rss", "https://e.example/list"),
    ("feed-mark", "https://e.example/list?rss=1", "https://e.example/list"),
    ("feed-mark", "https://e.example/list?source=rss-reader", "https://e.example/list?source=rss-bridge"),
    ("feed-mark", "https://e.example/2024/a-b-c-d?topic=rss-reader", "https://e.example/2024/a-b-c-d"),
    ("feed-mark", "https://e.example/list?category=rss", "https://e.example/list"),
    ("feed-mark", "https://e.example/list?campaign=feed", "https://e.example/list?campaign=fees"),
    ("feed-mark", "https://e.example/list?cid=feed", "https://e.example/list"),
    ("feed-mark", "https://e.example/list?from=feeder", "https://e.example/list"),
    ("ref-host", "https://e.example/a?ref=main", "https://e.example/a?ref=dev"),
    ("ref-host", "https://e.example/a?ref=v1.2.io", "https://e.example/a?ref=v1.3.io2"),
    ("ref-host", "https://e.example/a?ref=refs/heads/main", "https://e.example/a"),
    ("ref-host", "https://e.example/a?ref=README.md", "https://e.example/a"),
    ("ref-host", "https://e.example/a?ref=AB-12.IT", "https://e.example/a"),
    ("ref-host", "https://e.example/a?ref=1234.5", "https://e.example/a"),
    (
        "ref-host",
        "https://api.github.com/repos/a/b/contents/c?ref=release.io",
        "https://api.github.com/repos/a/b/contents/c",
    ),
    ("ref-host", "https://gitlab.e.example/a/b?ref=release.io", "https://gitlab.e.example/a/b"),
    ("ref-host", "https://git.e.example/a/b/src/branch/c?ref=x.dev", "https://git.e.example/a/b/src/branch/c"),
    ("ref-host", "https://e.example/a?site=b.com", "https://e.example/a?site=c.com"),
    ("ref-host", "https://e.example/whois?domain=b.com", "https://e.example/whois?domain=c.com"),
    ("ref-host", "https://e.example/a?referrer=b.com", "https://e.example/a"),
    ("reply", "https://e.example/a?replytocom=x", "https://e.example/a"),
    ("reply", "https://e.example/a?comment=1", "https://e.example/a"),
    ("second-question", "https://e.example/a?q=what?id=1", "https://e.example/a?q=what"),
    ("second-question", "https://e.example/a?id=1?page=2", "https://e.example/a?id=1"),
    ("second-question", "https://e.example/a?id=1?utm_source=x", "https://e.example/a?id=2?utm_source=x"),
    ("amp-parameter", "https://e.example/guitars?amp=1", "https://e.example/guitars"),
    ("amp-parameter", "https://e.example/2024/a?amp=2", "https://e.example/2024/a"),
    ("amp-parameter", "https://e.example/shop/a-b-c?type=amp", "https://e.example/shop/a-b-c"),
    ("empty-parameter", "https://e.example/a?b", "https://e.example/a"),
    ("empty-parameter", "https://e.example/a?b=", "https://e.example/a?b"),
    ("empty-parameter", "https://e.example/a?=", "https://e.example/a"),
    ("sort", "https://e.example/a?x=1&x=2", "https://e.example/a?x=2&x=1"),
    ("sort", "https://e.example/a?x=1&y=2", "https://e.example/a?x=2&y=1"),
    ("sort", "https://e.example/a?A=1", "https://e.example/a?a=1"),
    ("sort", "https://e.example/a?x[]=1&x[]=2", "https://e.example/a?x[]=2&x[]=1"),
    // Fragments.
    ("tracking-fragment", "https://e.example/a#utm_source=x&id=1", "https://e.example/a#utm_source=x&id=2"),
    ("tracking-fragment", "https://e.example/#/a?utm_source=x", "https://e.example/#/b?utm_source=x"),
    ("tracking-fragment", "https://e.example/a#fbclid", "https://e.example/a"),
    ("feed-mark-fragment", "https://e.example/a#type=rss", "https://e.example/a"),
    ("ui-fragment", "https://e.example/log#.NETFramework48", "https://e.example/log"),
    ("ui-fragment", "https://e.example/log#.NETCore3_1", "https://e.example/log"),
    ("ui-fragment", "https://e.example/log#.AbcdefGhijK", "https://e.example/log"),
    ("ui-fragment", "https://e.example/a#comment-5", "https://e.example/a#comment-6"),
    ("ui-fragment", "https://e.example/a#c5", "https://e.example/a"),
    ("ui-fragment", "https://e.example/a#more-information", "https://e.example/a"),
    ("ui-fragment", "https://e.example/log#2024-05-17", "https://e.example/log#2024-05-18"),
    ("ui-fragment", "https://e.example/#!/a", "https://e.example/#!/b"),
    ("ui-fragment", "https://e.example/#!/a", "https://e.example/"),
    ("ui-fragment", "https://e.example/#/a", "https://e.example/"),
    ("ui-fragment", "https://groups.example/#!topic/a/b", "https://groups.example/#!topic/a/c"),
    ("ui-fragment", "https://e.example/a#sthash.txt", "https://e.example/a"),
    ("ui-fragment", "https://e.example/a#gsc.tab=0&gsc.q=x", "https://e.example/a"),
    // Paths.
    (
        "duplicate-slash",
        "https://web.archive.org/web/2024/http://e.example//a",
        "https://web.archive.org/web/2024/http://e.example/a",
    ),
    ("duplicate-slash", "https://e.example/a/b", "https://e.example/ab"),
    ("index-file", "https://e.example/index.xml", "https://e.example/"),
    ("index-file", "https://e.example/index.rss", "https://e.example/"),
    ("index-file", "https://e.example/index.php/a", "https://e.example/a"),
    ("index-file", "https://e.example/index.php?title=A", "https://e.example/?title=A"),
    ("index-file", "https://e.example/index.html.en", "https://e.example/"),
    ("index-file", "https://e.example/index2.html", "https://e.example/"),
    ("index-file", "https://e.example/home.html", "https://e.example/"),
    ("index-file", "https://e.example/default.aspx", "https://e.example/"),
    ("amp-path", "https://e.example/guitars/amp", "https://e.example/guitars"),
    ("amp-path", "https://e.example/shop/fender-65/amp", "https://e.example/shop/fender-65"),
    ("amp-path", "https://e.example/80s/amp", "https://e.example/80s"),
    ("amp-path", "https://e.example/amp/some-long-title", "https://e.example/some-long-title"),
    ("amp-path", "https://e.example/amp/2024/some-long-title", "https://e.example/2024/some-long-title"),
    ("amp-path", "https://e.example/a-b-c/lamp", "https://e.example/a-b-c/l"),
    ("amp-path", "https://e.example/2024/amp/a", "https://e.example/2024/a"),
    ("amp-path", "https://bbc.com/amp/guitars", "https://bbc.com/guitars"),
    ("path-ref", "https://e.example/a/ref=b", "https://e.example/a"),
    ("path-ref", "https://amazon.evil.example/dp/B1/ref=b", "https://amazon.evil.example/dp/B1"),
    ("trailing-slash", "https://e.example/a/", "https://e.example/a/b/"),
    ("trailing-slash", "https://e.example/a.html/", "https://e.example/a/"),
    ("trailing-slash", "https://e.example/slug/2/", "https://e.example/slug/"),
    ("trailing-slash", "https://e.example/page/2", "https://e.example/page/3"),
];

/// Rule, and two addresses of one page.
const ONE: &[(&str, &str, &str)] = &[
    (
        "redirector",
        "https://urldefense.proofpoint.com/v2/url?u=https-3A__e.example_a-3Fb-3D1&d=Dw",
        "https://e.example/a?b=1",
    ),
    ("redirector", "https://urldefense.proofpoint.com/v1/url?u=https%3A//e.example/a&k=x", "https://e.example/a"),
    ("redirector", "https://protect.checkpoint.com/v2/___https://e.example/a?b=1___.YzJl", "https://e.example/a?b=1"),
    ("redirector", "https://us.rd.yahoo.com/dailynews/rss/top/*http://e.example/a", "https://e.example/a"),
    (
        "redirector",
        "http://www.bing.com/news/apiclick.aspx?ref=FexRss&aid=&url=https%3a%2f%2fe.example%2fa&c=1",
        "https://e.example/a",
    ),
    (
        "redirector",
        "https://medium.com/m/global-identity-2?redirectUrl=https%3A%2F%2Fpub.example%2Fa-1a2b",
        "https://pub.example/a-1a2b",
    ),
    ("redirector", "https://prf.hn/click/camref:1a/destination:https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    (
        "redirector",
        "https://deref-gmx.net/mail/client/x/dereferrer/?redirectUrl=https%3A%2F%2Fe.example%2Fa",
        "https://e.example/a",
    ),
    ("redirector", "https://secure-web.cisco.com/1AbC/https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    (
        "redirector",
        "https://trc.taboola.com/x/log/3/click?pi=1&redir=https%3A%2F%2Fe.example%2Fa",
        "https://e.example/a",
    ),
    (
        "redirector",
        "https://consent.youtube.com/m?continue=https%3A%2F%2Fyoutube.com%2Fwatch%3Fv%3DabcdEFGH_-1&gl=DE",
        "https://youtu.be/abcdEFGH_-1",
    ),
    (
        "youtube",
        "https://www.youtube.com/attribution_link?a=x&u=%2Fwatch%3Fv%3DabcdEFGH_-1%26feature%3Dshare",
        "https://youtu.be/abcdEFGH_-1",
    ),
    ("blog-address", "http://a.blogspot.co.uk/2024/05/b.html?m=1", "https://a.blogspot.com/2024/05/b.html"),
    ("blog-address", "https://blog.example/2024/05/b.html?m=1", "https://blog.example/2024/05/b.html"),
    ("blog-address", "https://blog.example/2024/05/b.html?spref=tw", "https://blog.example/2024/05/b.html"),
    (
        "blog-address",
        "https://open.substack.com/pub/letter/p/a-title?r=1a&utm_campaign=post",
        "https://letter.substack.com/p/a-title",
    ),
    (
        "same-host",
        "https://edition.cnn.com/2024/05/17/europe/a/index.html",
        "https://www.cnn.com/2024/05/17/europe/a/index.html",
    ),
    ("same-host", "https://www.bbc.co.uk/news/uk-1234567", "https://www.bbc.com/news/uk-1234567"),
    ("same-host", "https://www.guardian.co.uk/world/2012/may/17/a", "https://www.theguardian.com/world/2012/may/17/a"),
    ("same-host", "https://dx.doi.org/10.1000/182", "https://doi.org/10.1000/182"),
    ("same-host", "https://www.pinterest.de/pin/123456/", "https://pinterest.com/pin/123456"),
    ("mobile-host", "https://m.lequipe.fr/Football/Actualites/a/1", "https://www.lequipe.fr/Football/Actualites/a/1"),
    ("amp-host", "https://amp.indiatoday.in/world/story/a-b-c-1", "https://www.indiatoday.in/world/story/a-b-c-1"),
    (
        "amp-path",
        "https://www.mirror.co.uk/news/some-long-title-12345678.amp",
        "https://www.mirror.co.uk/news/some-long-title-12345678",
    ),
    ("amp-path", "https://www.bbc.co.uk/news/amp/uk-1234567", "https://www.bbc.com/news/uk-1234567"),
    (
        "amp-path",
        "https://timesofindia.indiatimes.com/a/b-c-d/amp_articleshow/12345.cms",
        "https://timesofindia.indiatimes.com/a/b-c-d/articleshow/12345.cms",
    ),
    (
        "amp-path",
        "https://www.theverge.com/platform/amp/2024/5/17/1/a-b-c",
        "https://www.theverge.com/2024/5/17/1/a-b-c",
    ),
    (
        "amp-parameter",
        "https://e.example/world/story/2024-05-17/a?_amp=true",
        "https://e.example/world/story/2024-05-17/a",
    ),
    ("session", "https://e.example/a?sessionid=0123456789abcdef0123456789abcdef", "https://e.example/a"),
    ("session", "https://e.example/a?sid=4f1c2b3a-1a2b-4c3d-8e9f-0123456789ab", "https://e.example/a"),
    ("session", "https://e.example/a?ASP.NET_SessionId=abc123def456ghi789jkl012", "https://e.example/a"),
    ("session", "https://e.example/a?__s=mq3ksrpu4jt2dyhbc5zg", "https://e.example/a"),
    ("feed-mark", "https://e.example/news/a-b-c-d-12345?cmp=rss_top", "https://e.example/news/a-b-c-d-12345"),
    ("feed-mark", "https://e.example/a?ncid=rss", "https://e.example/a"),
    ("feed-mark", "https://e.example/news/12345?fromrss=1", "https://e.example/news/12345"),
    ("ref-host", "https://github.com/a/b?ref=letters.example.dev", "https://github.com/a/b"),
    ("tracking", "https://e.example/a?WT.rss_f=top&wt.mc_id=1", "https://e.example/a"),
    ("tracking", "https://e.example/a?mr:trackingCode=1&mr%3Adevice=c", "https://e.example/a"),
    ("tracking", "https://e.example/a?_ri_=X0&_ei_=E1", "https://e.example/a"),
    ("tracking", "https://e.example/a?triedRedirect=true", "https://e.example/a"),
    ("tracking", "https://e.example/a?iterableEmailCampaignId=1&iterableTemplateId=2", "https://e.example/a"),
    ("ui-fragment", "https://e.example/a#sthash.AbCd12Ef.dpuf", "https://e.example/a"),
    ("ui-fragment", "https://e.example/a#tk.rss_all", "https://e.example/a"),
    ("ui-fragment", "https://e.example/a#kommentare", "https://e.example/a"),
    ("ui-fragment", "https://e.example/a#.VbCdEf12_gh", "https://e.example/a"),
];

#[test]
fn no_rule_makes_two_pages_one() {
    let rules = Rules::default();
    let merged: Vec<String> = APART
        .iter()
        .filter(|(_, one, other)| rules.key(one) == rules.key(other))
        .map(|(rule, one, other)| format!("{rule}: {one} and {other} -> {}", key(one)))
        .collect();
    assert!(merged.is_empty(), "{} of {} are one:\n{}", merged.len(), APART.len(), merged.join("\n"));
}

#[test]
fn each_rule_does_what_it_is_there_for() {
    let apart: Vec<String> = ONE
        .iter()
        .filter(|(_, one, other)| key(one) != key(other))
        .map(|(rule, one, other)| format!("{rule}: {one} -> {}\n    {other} -> {}", key(one), key(other)))
        .collect();
    assert!(apart.is_empty(), "{} of {} are apart:\n{}", apart.len(), ONE.len(), apart.join("\n"));
}

#[test]
fn each_key_here_is_its_own_key() {
    let rules = Rules::default();
    for url in APART.iter().chain(ONE).flat_map(|(_, one, other)| [one, other]) {
        let once = key(url);
        assert_eq!(key(&once), once, "{url}");
        assert_eq!(rules.explain(url).map(|(key, _)| key), Some(once), "{url}");
    }
}

#[test]
fn each_rule_is_attacked_and_no_pair_stands_twice() {
    let attacked: HashSet<&str> = APART.iter().map(|(rule, _, _)| *rule).collect();
    // One is an operator's file's, one a feed's own switches'.
    let known = RULES.iter().map(|rule| rule.name).filter(|name| !matches!(*name, "clearurls" | "feed-drop"));
    assert_eq!(known.filter(|name| !attacked.contains(name)).collect::<Vec<_>>(), Vec::<&str>::new());
    assert_eq!(APART.iter().chain(ONE).collect::<HashSet<_>>().len(), APART.len() + ONE.len());
    assert!(
        RULES.iter().all(|rule| !rule.name.is_empty())
            && APART.iter().all(|(rule, ..)| RULES.iter().any(|known| known.name == *rule))
    );
}

/// Names that mean something on some site, and that no rule takes on every host.
const CONTENT: &[&str] = &[
    "id", "q", "v", "p", "page", "page_id", "cat", "tag", "t", "s", "sid", "cid", "eid", "aid", "pid", "tid", "mid",
    "nid", "uid", "lid", "gid", "source", "src", "from", "ref", "via", "type", "lang", "view", "sort", "order",
    "start", "offset", "date", "year", "month", "section", "category", "topic", "article", "story", "item", "key",
    "name", "title", "slug", "code", "token", "hash", "c", "d", "e", "f", "g", "h", "i", "k", "l", "m", "n", "o", "r",
    "u", "w", "x", "y", "z", "campaign", "medium", "content", "term", "keyword", "keywords", "partner", "site",
    "channel", "feature", "mode", "version", "format", "output", "feed", "edition", "region", "language", "session",
    "variant", "sku", "product", "rank", "position", "index", "action", "module", "block", "mod", "iid", "hid", "utm",
    "mc", "spm", "ncid", "mbid",
];

/// Hosts that the tables do not know.
fn unknown_host() -> impl Strategy<Value = String> {
    "(www\\.|m\\.|amp\\.|news\\.)?[a-z]{3,9}zq(-[a-z]{2,5})?\\.(com|org|de|co\\.uk|example|io)"
}

fn path() -> impl Strategy<Value = String> {
    "(/[a-z0-9]{1,6}(-[a-z]{1,5}){0,3}){0,3}/?(\\.html|\\.php|/amp|/index\\.html)?"
}

fn other(value: &str) -> String {
    format!("{value}7")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The value of any name that means something keeps two pages apart; but for what is a feed's mark, a host's name, or drawn
    /// by chance.
    #[test]
    fn a_value_that_differs_keeps_two_pages_apart(
        host in unknown_host(),
        path in path(),
        name in prop::sample::select(CONTENT.to_vec()),
        value in "[a-z0-9]{1,8}|[0-9]{4}-[0-9]{2}-[0-9]{2}|[a-z]{2,6}(-[a-z]{2,6}){1,5}|[A-Z]{2,3}-[0-9]{2,5}",
        more in "(&[a-z]{1,2}=[0-9]{1,3}){0,2}",
        tracking in "(&utm_source=[a-z]{1,4}|&fbclid=[A-Z]{3})?",
    ) {
        prop_assume!(!value.starts_with("rss") && value != "feed");
        let one = format!("https://{host}{path}?{name}={value}{more}{tracking}");
        let two = format!("http://{host}{path}?{name}={}{more}", other(&value));
        prop_assert_ne!(key(&one), key(&two));
    }

    /// A segment more, a letter of another case, another host, port or user: another page.
    #[test]
    fn a_place_that_differs_keeps_two_pages_apart(
        host in unknown_host(),
        path in "(/[a-z0-9]{1,6}(-[a-z]{1,5}){0,3}){1,3}",
        query in "(\\?[a-z]{1,2}=[0-9]{1,3})?",
    ) {
        let one = key(&format!("https://{host}{path}{query}"));
        for changed in [
            format!("https://{host}{path}x{query}"),
            format!("https://{host}{path}/x{query}"),
            format!("https://{host}{path}%2F{query}"),
            format!("https://x{host}{path}{query}"),
            format!("https://{host}x{path}{query}"),
            format!("https://{host}:8443{path}{query}"),
            format!("https://x@{host}{path}{query}"),
            format!("https://{host}{path}X{query}"),
            format!("https://{host}{path}{query}#x1"),
            format!("https://{host}{path};x=1{query}"),
            format!("https://{host}/x{path}{query}"),
        ] {
            prop_assert_ne!(&key(&changed), &one, "{}", changed);
        }
    }

    /// What stands behind a redirector is a page of its own.
    #[test]
    fn two_targets_keep_two_redirections_apart(
        redirector in prop::sample::select(vec![
            "https://www.google.com/url?sa=t&url=", "https://l.facebook.com/l.php?h=1&u=", "https://out.reddit.com/t3_1?url=",
            "https://www.bing.com/news/apiclick.aspx?ref=FexRss&url=", "https://secure-web.cisco.com/1a/",
            "https://prf.hn/click/camref:1/destination:", "https://go.skimresources.com/?id=1&url=", "https://href.li/?",
            "https://medium.com/m/global-identity-2?redirectUrl=", "https://trc.taboola.com/a/click?redir=",
            "https://clicktime.symantec.com/a?u=", "https://goto.walmart.com/c/1/2/3?u=", "https://consent.google.com/ml?continue=",
        ]),
        host in unknown_host(),
        path in path(),
        name in "[a-z]{1,3}",
    ) {
        let encode = |url: &str| percent_encoding::utf8_percent_encode(url, percent_encoding::NON_ALPHANUMERIC).to_string();
        let one = format!("{redirector}{}", encode(&format!("https://{host}{path}?zz{name}=1")));
        let two = format!("{redirector}{}", encode(&format!("https://{host}{path}?zz{name}=2")));
        prop_assert_ne!(key(&one), key(&two));
        prop_assert_eq!(key(&key(&one)), key(&one));
    }
}
