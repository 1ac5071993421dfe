//! The key of a link against the corpus of URL cases: never a false merge, every safe case found, and at least 95 % of
//! the likely ones. `FEEDMILL_CORPUS_SHOW=all` prints what was missed.
//!
//! The corpus is beside the project (`FEEDMILL_CORPUS`, else `../shared/corpus`); its README has the meaning of the fields.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use feedmill::identity::canonical::Rules;
use serde_json::Value;

#[test]
fn no_two_articles_share_a_key_and_every_safe_pair_does() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let file = std::env::var_os("FEEDMILL_CORPUS").map_or_else(beside, PathBuf::from).join("urls/cases.jsonl");
    let Ok(text) = fs::read_to_string(&file) else {
        println!("skipped: no corpus at {}", file.display());
        return;
    };
    let rules = Rules::default();
    let show = std::env::var("FEEDMILL_CORPUS_SHOW").unwrap_or_default();
    let (mut merged, mut missed, mut unstable) = (Vec::new(), Vec::new(), Vec::new());
    let mut likely: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut cases = 0;
    for line in text.lines().filter(|line| !line.is_empty()) {
        let case: Value = serde_json::from_str(line).unwrap();
        let urls: Vec<&str> = case["urls"].as_array().unwrap().iter().map(|url| url.as_str().unwrap()).collect();
        let keys: Vec<String> = urls.iter().map(|url| rules.key(url).unwrap_or_else(|| (*url).to_owned())).collect();
        let distinct = keys.iter().collect::<HashSet<_>>().len();
        for (url, of) in urls.iter().zip(&keys) {
            let is_web = rules.key(url).is_some();
            if (is_web && rules.key(of).as_ref() != Some(of))
                || rules.explain(url).map(|(key, _)| key) != rules.key(url)
            {
                unstable.push(format!("{url} -> {of}"));
            }
        }
        cases += 1;
        let class = case["class"].as_str().unwrap();
        match (case["same"].as_bool().unwrap(), case["safety"].as_str().unwrap()) {
            (false, "safe" | "likely") if distinct < urls.len() => merged.push(format!("{class}: {urls:?}")),
            (true, "safe") if distinct > 1 => missed.push(format!("{class}: {urls:?} -> {keys:?}")),
            (true, "likely") => {
                let (caught, total) = likely.entry(class.to_owned()).or_default();
                *total += 1;
                *caught += usize::from(distinct == 1);
                if distinct > 1 && (show == class || show == "all") {
                    println!("missed: {urls:?} -> {keys:?}");
                }
            }
            _ => {}
        }
    }
    let sum = likely.values().fold((0, 0), |sum, class| (sum.0 + class.0, sum.1 + class.1));
    likely.insert("all".to_owned(), sum);
    for (class, (caught, total)) in &likely {
        println!("{class:<28} {caught:>5} of {total:>5}");
    }
    let (caught, total) = sum;
    let precision = caught as f64 / (caught + merged.len()) as f64;
    println!("recall {:.3}, precision {precision:.3}", caught as f64 / total as f64);
    assert!(cases > 0, "{} holds no cases", file.display());
    assert!(merged.is_empty(), "false merges: {merged:#?}");
    assert!(missed.is_empty(), "safe cases missed: {missed:#?}");
    assert!(unstable.is_empty(), "keys that are not their own: {unstable:#?}");
    assert!(caught * 100 >= total * 95, "of the likely cases {caught} of {total} were caught");
}
