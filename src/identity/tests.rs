//! Pairs of URLs, invented on the shapes that sites use: one page under two addresses, and two pages that look like one.

use std::collections::HashSet;

use super::canonical::Rules;

fn key(url: &str) -> String {
    Rules::default().key(url).unwrap_or_else(|| panic!("{url} has no key"))
}

/// One page.
const SAME: &[(&str, &str)] = &[
    // Names that track everywhere.
    ("https://blog.example/p/7?mtm_campaign=a&mtm_kwd=b", "https://blog.example/p/7"),
    ("https://blog.example/p/7?hsa_net=adwords&hsa_ver=3&x=1", "https://blog.example/p/7?x=1"),
    ("https://blog.example/p/7?__hstc=1.2.3&__hssc=4&_hsenc=p2ANq", "https://blog.example/p/7"),
    ("https://blog.example/p/7?at_medium=RSS&at_campaign=KARANGA", "https://blog.example/p/7"),
    ("https://blog.example/p/7?cm_mmca1=000&cm_mmc=OSocial", "https://blog.example/p/7"),
    ("https://blog.example/p/7?elqTrackId=ab12&elqaid=7", "https://blog.example/p/7"),
    ("https://blog.example/p/7?gad_source=1&gad_campaignid=22&gbraid=0AAA", "https://blog.example/p/7"),
    ("https://blog.example/p/7?ir_campaignid=1&irgwc=1&irclickid=xYz", "https://blog.example/p/7"),
    ("https://blog.example/p/7?ysclid=lq1&erid=2Vt", "https://blog.example/p/7"),
    ("https://blog.example/p/7?WT.mc_id=x&WT.tsrc=Email", "https://blog.example/p/7"),
    ("https://blog.example/p/7?mkt_tok=NDI&trk_msg=1", "https://blog.example/p/7"),
    ("https://blog.example/p/7?dpg_source=a&tduid=b&awc=1_2_3", "https://blog.example/p/7"),
    ("https://blog.example/p/7?utm-source=x&utmsource=y", "https://blog.example/p/7"),
    ("https://blog.example/p/7?__cft__[0]=AZX&__tn__=%2CO", "https://blog.example/p/7"),
    ("https://blog.example/p/7?__cf_chl_tk=abc-123", "https://blog.example/p/7"),
    // Names bound to a host.
    (
        "https://www.amazon.co.uk/dp/B000000001?pd_rd_w=a&pf_rd_p=b&qid=17&sr=8-1&th=1",
        "https://amazon.co.uk/dp/B000000001",
    ),
    (
        "https://www.amazon.de/Ein-Ding/dp/B000000001/ref=sr_1_2?keywords=ding",
        "https://www.amazon.de/Ein-Ding/dp/B000000001",
    ),
    ("https://www.amazon.com.br/dp/B000000001?linkCode=ogi&tag=x-20", "https://amazon.com.br/dp/B000000001"),
    ("https://www.ebay.fr/itm/123456?mkevt=1&mkcid=16&_trksid=p1", "https://www.ebay.fr/itm/123456"),
    (
        "https://pt.aliexpress.com/item/1005.html?spm=a2g0o&algo_pvid=x&pdp_npi=4",
        "https://pt.aliexpress.com/item/1005.html",
    ),
    ("https://item.taobao.com/item.htm?id=55&spm=a21&ali_refid=b&abbucket=3", "https://item.taobao.com/item.htm?id=55"),
    ("https://www.bilibili.com/video/BV1xx?spm_id_from=333&vd_source=1", "https://bilibili.com/video/BV1xx"),
    ("https://open.spotify.com/episode/1a2b?si=9f&nd=1", "https://open.spotify.com/episode/1a2b"),
    ("https://x.com/a/status/17?s=20&t=aBc", "https://twitter.com/a/status/17"),
    ("https://www.instagram.com/p/Cabc/?igsh=MzR&img_index=2", "https://www.instagram.com/p/Cabc/?img_index=2"),
    ("https://www.tiktok.com/@a/video/71?is_from_webapp=1&sender_device=pc", "https://www.tiktok.com/@a/video/71"),
    ("https://www.linkedin.com/pulse/a-b-c?trk=public_post&lipi=urn", "https://www.linkedin.com/pulse/a-b-c"),
    ("https://www.reddit.com/r/a/comments/1ab/t/?share_id=Q1&rdt=5", "https://www.reddit.com/r/a/comments/1ab/t/"),
    (
        "https://www.nytimes.com/2024/05/01/world/a.html?smid=tw-share&partner=rss&emc=rss",
        "https://nytimes.com/2024/05/01/world/a.html",
    ),
    ("https://www.wsj.com/world/a-b-c-1a2b?mod=rss_world", "https://www.wsj.com/world/a-b-c-1a2b"),
    ("https://www.theguardian.com/world/2024/a?CMP=share_btn_tw", "https://theguardian.com/world/2024/a"),
    (
        "https://www.bloomberg.com/news/articles/a?srnd=premium&leadSource=x",
        "https://www.bloomberg.com/news/articles/a",
    ),
    (
        "https://www.dailymail.co.uk/news/article-1/a.html?ito=1490&ns_mchannel=rss",
        "https://www.dailymail.co.uk/news/article-1/a.html",
    ),
    ("https://www.cnbc.com/2024/a.html?__source=iosappshare&par=x", "https://cnbc.com/2024/a.html"),
    ("https://www.washingtonpost.com/a/b/?itid=hp&wpisrc=nl", "https://www.washingtonpost.com/a/b/"),
    ("https://www.forbes.com/sites/a/2024/b/?sh=12ab&ss=tech", "https://www.forbes.com/sites/a/2024/b/"),
    ("https://www.economist.com/a/2024/b?fsrc=rss", "https://www.economist.com/a/2024/b"),
    ("https://www.wired.com/story/a/?mbid=social&bxid=5&esrc=x", "https://wired.com/story/a"),
    ("https://www.asahi.com/articles/ASR1.html?iref=rss&ref=rss", "https://www.asahi.com/articles/ASR1.html"),
    ("https://www.nikkei.com/article/DGX/?n_cid=SNSTW001", "https://www.nikkei.com/article/DGX/"),
    ("https://dzen.ru/a/ZX?from=feed&clid=100&persistent_id=3", "https://dzen.ru/a/ZX"),
    ("https://lenta.ru/news/2024/05/01/a/?es=1", "https://lenta.ru/news/2024/05/01/a/"),
    ("https://www.rbc.ru/society/1/2/abc?from=newsfeed", "https://rbc.ru/society/1/2/abc"),
    ("https://www.idnes.cz/zpravy/a.A24?zdroj=top", "https://www.idnes.cz/zpravy/a.A24"),
    ("https://store.steampowered.com/app/10/?snr=1_5", "https://store.steampowered.com/app/10/"),
    ("https://www.imdb.com/title/tt01/?ref_=nv_sr", "https://m.imdb.com/title/tt01/"),
    ("https://www.etsy.com/listing/5/a?click_key=1&ref=hp", "https://www.etsy.com/listing/5/a"),
    (
        "https://medium.com/@a/some-title-1a2b3c?source=user_profile---3&sk=ff",
        "https://medium.com/@a/some-title-1a2b3c",
    ),
    ("https://en.wikipedia.org/wiki/A?wprov=sfti1", "https://en.m.wikipedia.org/wiki/A"),
    ("https://github.com/a/b/issues/3?notification_referrer_id=NT", "https://github.com/a/b/issues/3"),
    ("https://www.bbc.co.uk/news/world-1?ocid=socialflow&at_bbc_team=e", "https://www.bbc.co.uk/news/world-1"),
    (
        "https://mp.weixin.qq.com/s?__biz=M&mid=2&idx=1&sn=f&chksm=c&scene=21&key=1",
        "https://mp.weixin.qq.com/s?__biz=M&mid=2&idx=1&sn=f",
    ),
    ("https://news.yahoo.co.jp/articles/abc?source=rss&dv=pc", "https://news.yahoo.co.jp/articles/abc"),
    ("https://www.google.com/search?q=a&sxsrf=1&ei=2&ved=3&oq=a", "https://google.com/search?q=a"),
    ("https://www.booking.com/hotel/a.html?aid=1&label=x&sid=4", "https://www.booking.com/hotel/a.html"),
    (
        "https://www.sciencedirect.com/science/article/pii/S1?via%3Dihub=&dgcid=rss_sd_all",
        "https://www.sciencedirect.com/science/article/pii/S1?via%3Dihub=",
    ),
    // Redirectors.
    ("https://www.google.de/url?sa=t&url=https%3A%2F%2Fe.example%2Fa%3Fb%3D1&usg=x", "https://e.example/a?b=1"),
    ("https://l.facebook.com/l.php?u=https%3A%2F%2Fe.example%2Fa%3Ffbclid%3DI&h=AT", "https://e.example/a"),
    ("https://l.instagram.com/?u=https%3A%2F%2Fe.example%2Fa&e=AT", "http://www.e.example/a/"),
    ("https://out.reddit.com/t3_1?url=https%3A%2F%2Fe.example%2Fa&token=T", "https://e.example/a"),
    ("https://t.umblr.com/redirect?z=https%3A%2F%2Fe.example%2Fa&t=M", "https://e.example/a"),
    ("https://vk.com/away.php?to=https%3A%2F%2Fe.example%2Fa&cc_key=", "https://e.example/a"),
    ("https://duckduckgo.com/l/?uddg=https%3A%2F%2Fe.example%2Fa&rut=1", "https://e.example/a"),
    ("https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fe.example%2Fa&data=05", "https://e.example/a"),
    ("https://steamcommunity.com/linkfilter/?url=https://e.example/a", "https://e.example/a"),
    ("https://www.youtube.com/redirect?event=v&q=https%3A%2F%2Fe.example%2Fa&v=1", "https://e.example/a"),
    ("https://href.li/?https://e.example/a?b=1&c=2", "https://e.example/a?b=1&c=2"),
    ("https://www.deviantart.com/users/outgoing?https://e.example/a", "https://e.example/a"),
    ("https://link.zhihu.com/?target=https%3A//e.example/a", "https://e.example/a"),
    ("https://go.redirectingat.com/?id=1X&url=https%3A%2F%2Fe.example%2Fa&sref=r", "https://e.example/a"),
    ("https://click.linksynergy.com/deeplink?id=a&murl=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("https://www.awin1.com/cread.php?awinmid=1&ued=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("https://outgoing.prod.mozaws.net/v1/aa/https%3A//e.example/a", "https://e.example/a"),
    ("https://abc.r.eu-west-1.awstrack.me/L0/https:%2F%2Fe.example%2Fa/1/01-02/x=", "https://e.example/a"),
    (
        "https://r.search.yahoo.com/_ylt=A/RV=2/RE=1/RO=10/RU=https%3a%2f%2fe.example%2fa/RK=2/RS=z",
        "https://e.example/a",
    ),
    ("https://urldefense.com/v3/__https://e.example/a?b=1__;!!Tok!xyz$", "https://e.example/a?b=1"),
    ("https://disq.us/url?url=https%3A%2F%2Fe.example%2Fa%3Atoken_1&cuid=3", "https://e.example/a"),
    ("https://slack-redir.net/link?url=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    (
        "https://l.facebook.com/l.php?u=https%3A%2F%2Fwww.google.com%2Furl%3Fq%3Dhttps%253A%252F%252Fe.example%252Fa",
        "https://e.example/a",
    ),
    ("https://www.google.com/url?q=https://e.example/a#part", "https://e.example/a#part"),
    // Twins.
    ("https://m.facebook.com/a/posts/1", "https://www.facebook.com/a/posts/1"),
    ("https://mobile.nytimes.com/2016/a.html", "https://www.nytimes.com/2016/a.html"),
    ("https://old.reddit.com/r/a/comments/1ab/t/", "https://www.reddit.com/r/a/comments/1ab/t"),
    ("https://np.reddit.com/r/a/comments/1ab/", "https://reddit.com/r/a/comments/1ab/"),
    ("https://mobile.twitter.com/a/status/1", "https://x.com/a/status/1"),
    ("https://amp.economist.com/a/2024/b", "https://www.economist.com/a/2024/b"),
    ("https://amp.sacbee.com/news/article1.html", "https://www.sacbee.com/news/article1.html"),
    ("https://de.m.wikipedia.org/wiki/B", "https://de.wikipedia.org/wiki/B"),
    ("https://m.habr.com/ru/articles/5/", "https://habr.com/ru/articles/5/"),
    ("https://m.ebay.co.uk/itm/5", "https://www.ebay.co.uk/itm/5"),
    // YouTube.
    ("https://youtu.be/abcdEFGH_-1?si=x", "https://www.youtube.com/watch?v=abcdEFGH_-1"),
    ("https://www.youtube.com/shorts/abcdEFGH_-1?feature=share", "https://m.youtube.com/watch?v=abcdEFGH_-1"),
    ("https://www.youtube-nocookie.com/embed/abcdEFGH_-1", "https://youtu.be/abcdEFGH_-1"),
    ("https://www.youtube.com/live/abcdEFGH_-1?t=30", "https://www.youtube.com/watch?v=abcdEFGH_-1"),
    ("https://www.youtube.com/watch?v=abcdEFGH_-1&list=PL1", "https://youtu.be/abcdEFGH_-1?list=PL1"),
    (
        "https://news.google.com/rss/articles/CBMiAb?oc=5",
        "https://news.google.com/articles/CBMiAb?hl=de&gl=DE&ceid=DE:de",
    ),
    // Sessions.
    ("https://e.example/a;jsessionid=0123456789ABCDEF.node1?x=1", "https://e.example/a?x=1"),
    ("https://e.example/a.php?PHPSESSID=0123456789abcdef0123456789abcdef", "https://e.example/a.php"),
    ("https://e.example/viewtopic.php?t=5&sid=0123456789abcdef0123456789abcdef", "https://e.example/viewtopic.php?t=5"),
    ("https://e.example/showthread.php?s=0123456789abcdef0123456789abcdef&t=5", "https://e.example/showthread.php?t=5"),
    ("https://e.example/a.asp?ASPSESSIONIDQQRRSSTT=ABCDEFGHIJKLMNOPQRSTUVWX", "https://e.example/a.asp"),
    ("https://e.example/a.cfm?id=3&CFID=12&CFTOKEN=345", "https://e.example/a.cfm?id=3"),
    ("https://e.example/(S(0123456789abcdefghijklmn))/a.aspx", "https://e.example/a.aspx"),
    // Feed markers and referring hosts.
    ("https://e.example/a?ref=rss", "https://e.example/a"),
    ("https://e.example/a?x=2&from=feed", "https://e.example/a?x=2"),
    ("https://e.example/a?source=RSS", "https://e.example/a"),
    ("https://e.example/news/four-words-and-more?rss=1", "https://e.example/news/four-words-and-more"),
    ("https://e.example/articles/-/4711?ref=www.daily.example.com", "https://e.example/articles/-/4711"),
    ("https://e.example/a#ref=rss", "https://e.example/a"),
    ("https://pub.example/a-b-c-1a2b?source=rss----0a1b2c3d---4", "https://pub.example/a-b-c-1a2b"),
    ("https://e.example/a?ref=some-blog.example.com", "https://e.example/a"),
    ("https://e.example/a/?ref=www.letters.news", "https://e.example/a"),
    ("https://e.example/a?ref=daily.ghost.io&x=1", "https://e.example/a?x=1"),
    // Fragments.
    ("https://e.example/a#comments", "https://e.example/a"),
    ("https://e.example/a#Respond", "https://e.example/a"),
    ("https://e.example/a#more-41", "https://e.example/a"),
    ("https://e.example/a#_=_", "https://e.example/a"),
    ("https://e.example/a#.VbCdEf12_gh.twitter", "https://e.example/a"),
    ("https://e.example/a?replytocom=77#respond", "https://e.example/a"),
    // Form.
    ("HTTP://Www.E.Example.:80//a//index.html?", "https://e.example/a/"),
    ("https://e.example/a?b=1&amp;c=2&", "https://e.example/a?c=2&b=1"),
    ("https://e.example/2024/05/a-long-title/amp/", "https://e.example/2024/05/a-long-title"),
];

/// Two pages.
const DIFFERENT: &[(&str, &str)] = &[
    // The name tracks elsewhere.
    ("https://e.example/a?s=1", "https://e.example/a?s=2"),
    ("https://e.example/a?t=1", "https://e.example/a"),
    ("https://e.example/a?si=1", "https://e.example/a?si=2"),
    ("https://e.example/a?mod=1", "https://e.example/a?mod=2"),
    ("https://e.example/a?from=2023", "https://e.example/a?from=2024"),
    ("https://e.example/a?source=x", "https://e.example/a?source=y"),
    ("https://e.example/a?spm=1", "https://e.example/a"),
    ("https://e.example/a?mc=1", "https://e.example/a"),
    ("https://e.example/a?utm=33N", "https://e.example/a?utm=34N"),
    ("https://e.example/a?campaign_id=1", "https://e.example/a?campaign_id=2"),
    ("https://e.example/a?cid=1", "https://e.example/a?cid=2"),
    ("https://e.example/a?ref=1", "https://e.example/a?ref=2"),
    ("https://e.example/a?smid=1", "https://e.example/a?smid=2"),
    ("https://e.example/a?keywords=x", "https://e.example/a?keywords=y"),
    ("https://notamazon.example/dp/B1?th=1", "https://notamazon.example/dp/B1?th=2"),
    ("https://amazon.evil.example/dp/B1?qid=1", "https://amazon.evil.example/dp/B1?qid=2"),
    ("https://gtwitter.com/a?s=1", "https://gtwitter.com/a?s=2"),
    ("https://www.amazon.com/s?k=a", "https://www.amazon.com/s?k=b"),
    ("https://www.amazon.com/s?keywords=a", "https://www.amazon.com/s?keywords=b"),
    ("https://www.google.com/search?q=a", "https://www.google.com/search?q=b"),
    ("https://docs.google.com/document?source=1", "https://docs.google.com/document?source=2"),
    ("https://item.taobao.com/item.htm?id=55", "https://item.taobao.com/item.htm?id=56"),
    ("https://www.imdb.com/title/tt01/?season=1", "https://www.imdb.com/title/tt01/?season=2"),
    ("https://mp.weixin.qq.com/s?__biz=M&mid=2&idx=1", "https://mp.weixin.qq.com/s?__biz=M&mid=2&idx=2"),
    ("https://news.ycombinator.com/item?id=1", "https://news.ycombinator.com/item?id=2"),
    // No redirectors, or none that is known.
    ("https://www.facebook.com/sharer.php?u=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("https://twitter.com/intent/tweet?url=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("https://www.reddit.com/submit?url=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("https://web.archive.org/web/2024/https://e.example/a", "https://e.example/a"),
    ("https://translate.google.com/translate?u=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("https://validator.example/check?url=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("https://www.google.com/urlx?url=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("https://t.me/ivan?url=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    ("https://l.facebook.com:8443/l.php?u=https%3A%2F%2Fe.example%2Fa", "https://e.example/a"),
    (
        "https://steamcommunity.com/linkfilter/?url=https://e.example/a?b=1&c=2",
        "https://steamcommunity.com/linkfilter/?url=https://e.example/a?b=1&c=3",
    ),
    (
        "https://l.facebook.com/l.php?u=https%3A%2F%2Fe.example%2Fa",
        "https://l.facebook.com/l.php?u=https%3A%2F%2Fe.example%2Fb",
    ),
    ("https://www.google.com/url?q=%2Flocal", "https://www.google.com/url?q=%2Fother"),
    ("https://l.facebook.com/l.php?u=javascript%3Aalert(1)", "https://l.facebook.com/l.php?u=javascript%3Aalert(2)"),
    ("https://urldefense.com/v3/__https://e.example/*__;4pyT!!T!x$", "https://e.example/*"),
    ("https://t.co/a1", "https://t.co/a2"),
    ("https://youtube.com/redirect?q=a", "https://youtube.com/redirect?q=b"),
    // Hosts.
    ("https://m.e.example/a", "https://e.example/a"),
    ("https://mobile.de/a", "https://de/a"),
    ("https://m.me/a", "https://me/a"),
    ("https://m.media-amazon.com/images/a.jpg", "https://media-amazon.com/images/a.jpg"),
    ("https://amp.dev/a-b-c", "https://dev/a-b-c"),
    ("https://amp.e.example/a-b-c", "https://e.example/a-b-c"),
    ("https://www2.e.example/a", "https://e.example/a"),
    ("https://de.wikipedia.org/wiki/A", "https://en.wikipedia.org/wiki/A"),
    ("https://de.m.wikipedia.org/wiki/A", "https://en.m.wikipedia.org/wiki/A"),
    ("https://oldreddit.com/r/a", "https://reddit.com/r/a"),
    ("https://mastodon.example/@a/1", "https://x.com/@a/1"),
    ("https://en.wikipedia.org/wiki/A", "https://en.wiktionary.org/wiki/A"),
    // YouTube.
    ("https://youtu.be/abcdEFGH_-1", "https://youtu.be/abcdefgh_-1"),
    ("https://www.youtube.com/embed/videoseries?list=PL1", "https://www.youtube.com/watch?v=videoseries&list=PL2"),
    ("https://www.youtube.com/embed/live_stream?channel=UC1", "https://www.youtube.com/embed/live_stream?channel=UC2"),
    ("https://www.youtube.com/watch?v=abcdEFGH_-1&list=PL1", "https://www.youtube.com/watch?v=abcdEFGH_-1&list=PL2"),
    ("https://www.youtube.com/playlist?list=PL1", "https://www.youtube.com/playlist?list=PL2"),
    ("https://www.youtube.com/shorts/", "https://www.youtube.com/watch"),
    ("https://e.example/shorts/abcdEFGH_-1", "https://e.example/watch?v=abcdEFGH_-1"),
    ("https://news.google.com/rss/articles/CBMiAb?oc=5", "https://news.google.com/rss/articles/CBMiab?oc=5"),
    ("https://news.google.com/topics/A?hl=de", "https://news.google.com/topics/A?hl=en"),
    // What only looks like a session.
    ("https://e.example/a?sid=04/05/06/0712", "https://e.example/a?sid=04/05/06/0713"),
    ("https://e.example/a?sid=4711", "https://e.example/a?sid=4712"),
    ("https://e.example/a?sid=the-long-name-of-a-story-that-is-here", "https://e.example/a"),
    ("https://e.example/a?session=4", "https://e.example/a?session=5"),
    ("https://e.example/a?session_id=12", "https://e.example/a?session_id=13"),
    (
        "https://e.example/a?s=0123456789abcdef0123456789abcdef",
        "https://e.example/a?s=f123456789abcdef0123456789abcdef",
    ),
    ("https://e.example/a?cfid=1", "https://e.example/a?cfid=2"),
    ("https://e.example/(S(short))/a", "https://e.example/a"),
    ("https://e.example/a;v=1", "https://e.example/a;v=2"),
    // What only looks like a feed's marker or a host.
    ("https://e.example/a?feed=rss2", "https://e.example/a"),
    ("https://e.example/forum?rss=1", "https://e.example/forum"),
    ("https://e.example/news/local-sport?rss=yes", "https://e.example/news/local-sport"),
    ("https://e.example/a?format=rss", "https://e.example/a"),
    ("https://e.example/?tag=rss", "https://e.example/"),
    ("https://e.example/search?q=rss", "https://e.example/search"),
    ("https://e.example/a?source=rssowl", "https://e.example/a"),
    ("https://e.example/a?source=feed42", "https://e.example/a?source=feed43"),
    ("https://e.example/a?ref=main", "https://e.example/a"),
    ("https://e.example/a?ref=v1.2", "https://e.example/a?ref=v1.3"),
    ("https://e.example/a?ref=main.rs", "https://e.example/a"),
    ("https://e.example/a?ref=README.md", "https://e.example/a"),
    ("https://e.example/a?ref=ABC-1", "https://e.example/a?ref=ABC-2"),
    ("https://git.example/a/b/-/blob/main/c?ref=feature.io", "https://git.example/a/b/-/blob/main/c"),
    ("https://e.example/a?via=e.example", "https://e.example/a?via=f.example"),
    // Fragments.
    ("https://e.example/a#comment-1", "https://e.example/a#comment-2"),
    ("https://e.example/a#comment-1", "https://e.example/a"),
    ("https://e.example/log#v1.3.0", "https://e.example/log#v1.4.0"),
    ("https://e.example/#/a", "https://e.example/#/b"),
    ("https://e.example/#!a", "https://e.example/#!b"),
    ("https://e.example/a#more", "https://e.example/a#less"),
    ("https://e.example/log#.NET", "https://e.example/log"),
    ("https://e.example/a#p5", "https://e.example/a#p6"),
    // Paths.
    ("https://e.example/index.xml", "https://e.example/"),
    ("https://e.example/index.php/a", "https://e.example/a"),
    ("https://e.example/index.php?id=1", "https://e.example/?id=1"),
    ("https://e.example/guitars/amp", "https://e.example/guitars"),
    ("https://e.example/A", "https://e.example/a"),
    ("https://e.example/a", "https://e.example/a/b"),
    ("https://e.example/a%2Fb", "https://e.example/a/b"),
    ("https://e.example/a/ref=b", "https://e.example/a"),
    ("https://e.example:8080/a", "https://e.example/a"),
    ("https://u:p@e.example/a", "https://e.example/a"),
];

#[test]
fn one_page_under_two_addresses_has_one_key() {
    let apart: Vec<String> = SAME
        .iter()
        .filter(|(one, other)| key(one) != key(other))
        .map(|(one, other)| format!("{one} -> {}\n{other} -> {}", key(one), key(other)))
        .collect();
    assert!(apart.is_empty(), "{} of {} are apart:\n{}", apart.len(), SAME.len(), apart.join("\n"));
}

#[test]
fn two_pages_that_look_like_one_have_two_keys() {
    let merged: Vec<String> = DIFFERENT
        .iter()
        .filter(|(one, other)| key(one) == key(other))
        .map(|(one, other)| format!("{one} and {other} -> {}", key(one)))
        .collect();
    assert!(merged.is_empty(), "{} of {} are one:\n{}", merged.len(), DIFFERENT.len(), merged.join("\n"));
}

#[test]
fn a_key_is_its_own_key_and_explain_ends_there() {
    let rules = Rules::default();
    for url in SAME.iter().chain(DIFFERENT).flat_map(|(one, other)| [one, other]) {
        let once = key(url);
        assert_eq!(key(&once), once, "{url}");
        assert_eq!(rules.explain(url).map(|(key, _)| key), Some(once), "{url}");
    }
}

#[test]
fn no_pair_stands_twice() {
    let all = SAME.iter().chain(DIFFERENT);
    assert_eq!(all.clone().collect::<HashSet<_>>().len(), all.count());
    assert!(SAME.len() + DIFFERENT.len() >= 200);
}
