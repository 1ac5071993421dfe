//! New, changed or same: the look-up order, as pure functions.

use super::habits::{self, Refound};
use crate::domain::decision::{
    Candidate, Decision, Known, KnownItem, KnownSighting, Life, LinkChange, Scope, Survey, Twin,
};
use crate::domain::feed::Habits;
use crate::domain::item::ItemId;
use crate::domain::time::Timestamp;

/// Fewer entries are no crowd.
const CROWD: usize = 5;

/// Looks at a load as a whole, before any of its entries is decided.
///
/// `newest` is the newest date of what the feed brought before. `None`: it is the feed's first load, and says nothing
/// of what changed.
#[must_use]
pub fn survey(
    habits: &Habits,
    known: &[Known],
    candidates: &[Candidate],
    newest: Option<Timestamp>,
    now: Timestamp,
) -> Survey {
    let Some(newest) = newest else { return Survey::default() };
    let all = candidates.len();
    let is_unseen = |known: &Known, candidate: &Candidate| {
        !known.listed && known.sighting.as_ref().is_none_or(|sighting| sighting.is_other(candidate.fingerprint))
    };
    let dates_kept =
        known.iter().zip(candidates).any(|(known, entry)| known.twins.iter().any(|twin| same_date(twin, entry)));
    let crowd = Survey { flood: true, dates_kept, ..Survey::default() };
    let is_found = |known: &Known, candidate: &Candidate| {
        is_unseen(known, candidate) && (known.item.is_some() || twin(&known.twins, candidate, &crowd).is_some())
    };
    let found: Vec<bool> = known.iter().zip(candidates).map(|(known, entry)| is_found(known, entry)).collect();
    let refound = found.iter().filter(|found| **found).count();
    let flood = all >= CROWD && refound * 2 >= all;
    let mut survey = if flood { crowd } else { Survey::default() };
    let unknown = |index: usize, candidate: &Candidate| {
        known.get(index).is_some_and(|known| decide(known, candidate, &survey) == Decision::New)
    };
    let new: Vec<bool> = candidates.iter().enumerate().map(|(index, entry)| unknown(index, entry)).collect();
    let any_new = new.contains(&true);
    if all >= CROWD && new.iter().filter(|new| **new).count() * 5 >= all * 4 {
        let first_known =
            known.iter().zip(&found).position(|(known, found)| known.listed || known.sighting.is_some() || *found);
        let is_old = |index: usize, candidate: &Candidate| match candidate.entry.published {
            Some(published) => published < newest,
            // Documents stand newest first: what stands below a known story is older than that.
            None => first_known.is_some_and(|first| first < index),
        };
        survey.backfill = candidates
            .iter()
            .zip(new)
            .enumerate()
            .map(|(index, (candidate, new))| new && is_old(index, candidate))
            .collect();
    }
    let seen = match refound {
        _ if flood => Refound::Flood,
        all_of_few if all_of_few > 0 && all_of_few == all && !any_new => Refound::AllOfFew,
        _ => Refound::Few,
    };
    let after = habits::after_load(habits, seen, now);
    survey.habits = Some(after).filter(|after| after != habits);
    survey
}

/// What is to be done with a candidate, from what is known of it.
///
/// 1. The feed knows the entry: it is the same, or it was edited, or its link moved; but if nothing of it is the same,
///    the publisher used the guid again ("latest", a counter that began anew) for another story.
/// 2. Else the key is known: one more place for a known story. Not an edit, whatever the text says here.
/// 3. Else an entry with the same title has just left the feed, and date or text say that it is the same one.
/// 4. Else it is new.
#[must_use]
pub fn decide(known: &Known, candidate: &Candidate, survey: &Survey) -> Decision {
    if known.listed {
        return Decision::Same;
    }
    match (&known.sighting, known.item) {
        (Some(sighting), item) => match known_entry(sighting, item, candidate) {
            // A counter that began anew over stories that are known by what they say.
            Decision::Recycled if item.is_none() => {
                twin(&known.twins, candidate, survey).map_or(Decision::Recycled, Decision::Regrouped)
            }
            decision => decision,
        },
        (None, Some(KnownItem { life: Life::Past, .. })) => Decision::Same,
        (None, Some(KnownItem { item, .. })) => Decision::Sighted(item),
        (None, None) => twin(&known.twins, candidate, survey).map_or(Decision::New, Decision::Regrouped),
    }
}

fn known_entry(sighting: &KnownSighting, item: Option<KnownItem>, candidate: &Candidate) -> Decision {
    let (was, is) = (sighting.fingerprint, candidate.fingerprint);
    if sighting.same_key && was == is {
        return Decision::Same;
    }
    let elsewhere = item.map(|item| item.item).filter(|item| *item != sighting.item);
    let moved = !sighting.same_key && item.is_none_or(|item| item.item != sighting.item);
    if moved && sighting.is_other(is) && !candidate.by_guid {
        return Decision::Recycled;
    }
    if sighting.life == Life::Past {
        return Decision::Same;
    }
    let link = match elsewhere {
        _ if !moved || candidate.scope == Scope::Feed => LinkChange::None,
        Some(other) => LinkChange::Conflict(other),
        None => LinkChange::Moved,
    };
    let revise = was != is && sighting.main_feed && sighting.life == Life::Shown;
    Decision::Changed { item: sighting.item, revise, link }
}

/// The story that this entry is under another guid and link, if there is just one.
///
/// Alone, title, text and date must agree. In a flood title and date will do; or, if all dates have changed too, title and
/// a text that is long enough to be nobody else's.
fn twin(twins: &[Twin], candidate: &Candidate, survey: &Survey) -> Option<ItemId> {
    let same_words = |twin: &Twin| twin.same_text && candidate.wordy;
    let undated = |twin: &Twin| twin.published.is_none() && candidate.entry.published.is_none();
    let exact = |twin: &Twin| (twin.same_text && same_date(twin, candidate)) || (same_words(twin) && undated(twin));
    only(twins, exact)
        .or_else(|| survey.flood.then(|| only(twins, |twin| same_date(twin, candidate))).flatten())
        .or_else(|| (survey.flood && !survey.dates_kept).then(|| only(twins, same_words)).flatten())
}

fn same_date(twin: &Twin, candidate: &Candidate) -> bool {
    twin.published.is_some() && twin.published == candidate.entry.published
}

/// The one item that fits. Several are a series under one title.
fn only(twins: &[Twin], fits: impl Fn(&Twin) -> bool) -> Option<ItemId> {
    let mut items = twins.iter().filter(|twin| fits(twin)).map(|twin| twin.item);
    let first = items.next()?;
    items.all(|item| item == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::Fingerprint;
    use crate::domain::feed::IdPolicy;
    use crate::domain::item::Entry;

    const OLD: Fingerprint = Fingerprint { title: 1, text: 1 };
    fn date() -> Timestamp {
        Timestamp::from_ms(1_000)
    }

    fn now() -> Timestamp {
        Timestamp::from_ms(9_000)
    }

    fn candidate(title: u32, text: u32) -> Candidate {
        Candidate {
            entry: Entry { published: Some(date()), ..Entry::default() },
            link: None,
            key: "https://x.example/".to_owned(),
            scope: Scope::Global,
            aliases: Vec::new(),
            entry_id: "1".to_owned(),
            native_id: None,
            by_guid: false,
            fingerprint: Fingerprint { title, text },
            wordy: true,
            own: false,
            matches: Vec::new(),
        }
    }

    fn seen(same_key: bool, main_feed: bool) -> KnownSighting {
        let life = Life::Shown;
        KnownSighting { item: ItemId(7), life, fingerprint: OLD, same_key, trusted: true, main_feed }
    }

    fn changed(revise: bool, link: LinkChange) -> Decision {
        Decision::Changed { item: ItemId(7), revise, link }
    }

    fn shown(item: i64) -> Option<KnownItem> {
        Some(KnownItem { item: ItemId(item), life: Life::Shown })
    }

    #[test]
    fn every_case_of_the_look_up_order_has_its_decision() {
        use LinkChange::{Conflict, Moved, None as Still};
        let past = |sighting: KnownSighting| Some(KnownSighting { life: Life::Past, ..sighting });
        let purged = |sighting: KnownSighting| Some(KnownSighting { life: Life::Purged, ..sighting });
        let untrusted = |sighting: KnownSighting| Some(KnownSighting { trusted: false, ..sighting });
        let (own, other) = (shown(7), shown(9));
        let table = [
            ("never seen", None, None, (1, 1), Decision::New),
            ("seen elsewhere", None, other, (1, 1), Decision::Sighted(ItemId(9))),
            ("past", None, Some(KnownItem { item: ItemId(9), life: Life::Past }), (1, 1), Decision::Same),
            ("unchanged", Some(seen(true, true)), own, (1, 1), Decision::Same),
            ("title edited", Some(seen(true, true)), own, (2, 1), changed(true, Still)),
            ("text edited", Some(seen(true, true)), own, (1, 2), changed(true, Still)),
            ("edited where it is only carried", Some(seen(true, false)), own, (2, 2), changed(false, Still)),
            ("rewritten under its link", Some(seen(true, true)), own, (2, 2), changed(true, Still)),
            ("link moved", Some(seen(false, true)), None, (1, 1), changed(false, Moved)),
            ("link moved and title edited", Some(seen(false, true)), None, (2, 1), changed(true, Moved)),
            ("link moved to an alias of its own", Some(seen(false, true)), own, (2, 2), changed(true, Still)),
            (
                "link moved onto another story",
                Some(seen(false, true)),
                other,
                (1, 1),
                changed(false, Conflict(ItemId(9))),
            ),
            ("guid used again", Some(seen(false, true)), None, (2, 2), Decision::Recycled),
            ("guid used again for a known story", Some(seen(false, true)), other, (2, 2), Decision::Recycled),
            ("guid of which that is known", untrusted(seen(false, true)), None, (1, 1), Decision::Recycled),
            ("edited under such a guid", untrusted(seen(true, true)), own, (2, 2), changed(true, Still)),
            ("a purged story edited", purged(seen(true, true)), own, (2, 1), changed(false, Still)),
            ("a past story edited", past(seen(true, false)), None, (2, 1), Decision::Same),
            ("a past story moved", past(seen(false, false)), None, (1, 1), Decision::Same),
            ("the guid of a past story used again", past(seen(false, false)), None, (2, 2), Decision::Recycled),
        ];
        for (case, sighting, item, (title, text), decision) in table {
            let known = Known { sighting, item, ..Known::default() };
            assert_eq!(decide(&known, &candidate(title, text), &Survey::default()), decision, "{case}");
        }
    }

    #[test]
    fn where_the_operator_says_that_the_guid_decides_it_does() {
        let known = Known { sighting: Some(seen(false, true)), ..Known::default() };
        let candidate = Candidate { by_guid: true, ..candidate(2, 2) };
        assert_eq!(decide(&known, &candidate, &Survey::default()), changed(true, LinkChange::Moved));
    }

    #[test]
    fn an_entry_whose_guid_and_link_changed_is_known_by_what_it_says() {
        let twin = |item, same_text, published| Twin { item: ItemId(item), same_text, published };
        let day = Some(date());
        let other_day = Some(Timestamp::from_ms(2_000));
        let table = [
            ("all agree", vec![twin(7, true, day)], Some(7), Some(7)),
            ("another text", vec![twin(7, false, day)], None, Some(7)),
            ("another date", vec![twin(7, true, other_day)], None, Some(7)),
            ("another text and date", vec![twin(7, false, other_day)], None, None),
            ("a series", vec![twin(7, true, other_day), twin(8, true, other_day)], None, None),
            ("a series, one of that date", vec![twin(7, true, day), twin(8, true, other_day)], Some(7), Some(7)),
            ("one story twice", vec![twin(7, true, day), twin(7, true, day)], Some(7), Some(7)),
        ];
        for (case, twins, alone, in_flood) in table {
            let known = Known { twins, ..Known::default() };
            for (flood, wanted) in [(false, alone), (true, in_flood)] {
                let wanted = wanted.map_or(Decision::New, |item| Decision::Regrouped(ItemId(item)));
                let survey = Survey { flood, ..Survey::default() };
                assert_eq!(decide(&known, &candidate(1, 1), &survey), wanted, "{case}, in a flood: {flood}");
            }
        }
    }

    #[test]
    fn where_dates_have_stayed_another_date_is_another_story() {
        let thread = Twin { item: ItemId(7), same_text: true, published: Some(Timestamp::from_ms(2_000)) };
        let known = Known { twins: vec![thread], ..Known::default() };
        let survey = Survey { flood: true, dates_kept: true, ..Survey::default() };
        assert_eq!(decide(&known, &candidate(1, 1), &survey), Decision::New);
    }

    #[test]
    fn a_guid_that_is_used_again_for_a_known_story_leads_to_it() {
        let twins = vec![Twin { item: ItemId(8), same_text: true, published: Some(date()) }];
        let known = Known { sighting: Some(seen(false, true)), twins, ..Known::default() };
        assert_eq!(decide(&known, &candidate(2, 2), &Survey::default()), Decision::Regrouped(ItemId(8)));
    }

    #[test]
    fn a_short_text_is_no_evidence_without_a_date() {
        let twins = vec![Twin { item: ItemId(7), same_text: true, published: None }];
        let undated = |wordy| {
            let entry = Entry::default();
            let candidate = Candidate { entry, wordy, ..candidate(1, 1) };
            decide(&Known { twins: twins.clone(), ..Known::default() }, &candidate, &Survey::default())
        };
        assert_eq!((undated(false), undated(true)), (Decision::New, Decision::Regrouped(ItemId(7))));
    }

    #[test]
    fn most_guids_new_and_most_stories_known_is_a_flood() {
        let by_key = Known { item: shown(9), ..Known::default() };
        let known = vec![by_key; 5];
        let load = vec![candidate(1, 1); 5];
        let found = survey(&Habits::default(), &known, &load, Some(date()), now());
        assert!(found.flood && found.backfill.is_empty());
        assert_eq!(found.habits.as_ref().map(|habits| habits.floods), Some(4));
        let again = survey(&found.habits.unwrap(), &known, &load, Some(date()), now());
        assert_eq!(again.habits.unwrap().id, IdPolicy::Link);
        assert_eq!(survey(&Habits::default(), &known, &load, None, now()), Survey::default(), "the first load");
        assert!(!survey(&Habits::default(), &known[..4], &load[..4], Some(date()), now()).flood, "four are no crowd");
    }

    #[test]
    fn old_stories_in_a_crowd_are_backfill_and_new_ones_are_not() {
        let known = vec![Known::default(); 6];
        let mut load = vec![candidate(1, 1); 6];
        load[0].entry.published = Some(Timestamp::from_ms(5_000));
        let found = survey(&Habits::default(), &known, &load, Some(Timestamp::from_ms(2_000)), now());
        assert_eq!(found.backfill, [false, true, true, true, true, true]);
        let fresh = survey(&Habits::default(), &known, &load, Some(Timestamp::from_ms(1)), now());
        assert!(!fresh.backfill.contains(&true), "a feed that was silent for long");
    }

    #[test]
    fn undated_stories_below_a_known_one_are_old() {
        let sighting = Known { sighting: Some(seen(true, true)), ..Known::default() };
        let mut known = vec![Known::default(); 10];
        known[1] = sighting;
        let mut load = vec![candidate(1, 1); 10];
        for entry in &mut load {
            entry.entry.published = None;
        }
        let found = survey(&Habits::default(), &known, &load, Some(date()), now());
        assert_eq!(found.backfill, [false, false, true, true, true, true, true, true, true, true]);
    }
}
