//! The language in other languages: each with a text as it stands in a paper, what finds it, and what does not.

use unicode_normalization::UnicodeNormalization as _;

use super::compile::Index;
use super::explain::Verdict;
use super::scan::{Document, Folded};
use super::syntax::Query;

fn finds(query: &str, text: &str) -> bool {
    let query = Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error:?}"));
    !Index::new(&[query]).scan(&Folded::new(&Document { content: text, ..Document::default() }), &[]).is_empty()
}

fn check(text: &str, found: &[&str], not_found: &[&str]) {
    let decomposed: String = text.nfd().collect();
    for (query, want) in found.iter().map(|query| (query, true)).chain(not_found.iter().map(|query| (query, false))) {
        assert_eq!(finds(query, text), want, "{query} in {text}");
        assert_eq!(finds(query, &decomposed), want, "{query} in {text}, decomposed");
    }
}

#[test]
fn russian() {
    check(
        "Президент Зеленский встретился с Ёлкиным у за\u{301}мка в Москве, сообщил ТАСС.",
        &[
            "зеленск*",
            "ЗЕЛЕНСКИЙ",
            "елкиным",
            "ёлкиным",
            "замка",
            "\"в москве\"",
            "президент NEAR/2 встретился",
            "=ТАСС",
        ],
        &["зеленскии", "москва", "=тасс", "\"москве в\""],
    );
}

#[test]
fn ukrainian() {
    check(
        "Президент Зеленський прибув до Києва; об’єднані сили, її ґанок.",
        &["зеленськ*", "києв*", "КИЄВА", "об'єднані", "її", "ґанок"],
        &["києві", "кіева", "іі", "ганок", "зеленск*"],
    );
}

#[test]
fn greek() {
    check(
        "Ο Πρωθυπουργός μίλησε στην Αθήνα για τους ΠΟΛΊΤΕΣ.",
        &["αθηνα", "ΑΘΉΝΑ", "πολίτες", "πολιτεσ", "πρωθυπουργ*", "\"στην αθηνα\""],
        &["αθηνων", "=αθήνα"],
    );
}

#[test]
fn turkish() {
    check(
        "İstanbul’da IŞIK söndü, ılık bir gün DİYARBAKIR’da.",
        &["istanbul", "ISTANBUL", "İSTANBUL", "ışık", "isik", "ILIK", "diyarbakır", "\"istanbul'da\""],
        &["istanbulda", "=istanbul"],
    );
}

#[test]
fn german() {
    check(
        "Die Straße nach Köln ist gesperrt, sagt Frau Müller-Lüdenscheidt.",
        &["strasse", "STRASSE", "koln", "Köln", "müller-lüdenscheidt", "ludensch*", "=Straße"],
        &["mueller", "=Strasse", "=köln", "nachköln"],
    );
}

#[test]
fn vietnamese() {
    check(
        "Thủ tướng đến thăm Đà Nẵng hôm thứ Hai.",
        &["\"da nang\"", "\"Đà Nẵng\"", "thu tuong", "ĐẾN", "thứ"],
        &["danang", "=\"Da Nang\""],
    );
}

#[test]
fn arabic() {
    check(
        "الرَّئِيسُ يلتقي محـــمد في القاهرة.",
        &["الرئيس", "محمد", "القاهر*", "\"في القاهرة\""],
        &["رئيس", "القاهره", "\"القاهرة في\""],
    );
}

#[test]
fn hebrew() {
    check("רֹאשׁ הממשלה נאם בירושלים.", &["ראש", "רֹאשׁ", "בירושל*", "\"ראש הממשלה\""], &["ירושלים", "ראשי"]);
}

#[test]
fn hindi() {
    check(
        "प्रधानमंत्री नरेंद्र मोदी ने हिन्दी में भाषण दिया।",
        &["हिन्दी", "मोदी", "\"नरेंद्र मोदी\"", "प्रधान*", "दिया"],
        &["हिनदी", "हिन्द", "मोद"],
    );
}

#[test]
fn thai() {
    check(
        "นายกรัฐมนตรีเดินทางไปกรุงเทพมหานคร",
        &["กรุงเทพ", "นายกรัฐมนตรี", "\"เดินทางไป\"", "รัฐมนตรี*"],
        &["กรุงไทย", "เทพกรุง"],
    );
}

#[test]
fn chinese() {
    check(
        "习近平主席在上海会见了外国客人，用Python写报告。",
        &["上海", "主席", "习近平*", "python", "主席 NEAR/3 上海", "\"上海会见\""],
        &["海上", "會見", "客人在", "pyth"],
    );
}

#[test]
fn japanese() {
    check(
        "東京でカメラを買う学生が、ﾃｽﾄを受けた。",
        &["東京", "カメラ", "テスト", "が", "\"学生が\""],
        &["京東", "かめら", "か", "ガ"],
    );
}

#[test]
fn korean() {
    check(
        "대통령이 서울에서 연설했다.",
        &["서울", "대통령", "서울에서", "\"대통령이 서울\"", "연설*"],
        &["울서", "서운", "대통령서울"],
    );
}

#[test]
fn one_prefix_finds_a_name_in_both_transliterations_of_an_article() {
    let document = Document {
        title: "Zelenskyy thanks allies for air defence",
        content: "KYIV (Agency) — President Volodymyr Zelensky said on Tuesday …\nZelenskiy’s office declined to comment.",
        ..Document::default()
    };
    let folded = Folded::new(&document);
    let Verdict::Met(passages) = Query::parse("zelensk*").unwrap().explain(&folded, &[], None) else { panic!() };
    let shown: Vec<(&str, &str)> = passages.iter().map(|p| (&*p.field, p.text.as_str())).collect();
    assert_eq!(shown, [("title", "Zelenskyy"), ("content", "Zelensky"), ("content", "Zelenskiy")]);
    let cyrillic = Document { content: "Зеленський (Зеленский)", ..Document::default() };
    let index = Index::new(&[Query::parse("зеленськ* зеленск*").unwrap()]);
    assert_eq!(index.scan(&Folded::new(&cyrillic), &[]).len(), 1);
}
