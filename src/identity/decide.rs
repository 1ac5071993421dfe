//! New, changed or same: the look-up order, as a pure function.

use crate::domain::decision::{Candidate, Decision, Known, KnownSighting};

/// What is to be done with a candidate, from what is known of it.
///
/// 1. The feed knows the entry: it is the same, or it was edited; but if its key, its title and its text are
///    all others, the publisher used the guid again ("latest", a counter that began anew) for another story.
/// 2. Else the key is known: one more place for a known story. Not an edit, whatever the text says here.
/// 3. Else it is new.
#[must_use]
pub fn decide(known: &Known, candidate: &Candidate) -> Decision {
    match (&known.sighting, known.item) {
        (Some(sighting), _) => known_entry(sighting, candidate),
        (None, Some(item)) => Decision::Sighted(item),
        (None, None) => Decision::New,
    }
}

fn known_entry(sighting: &KnownSighting, candidate: &Candidate) -> Decision {
    let (was, is) = (sighting.fingerprint, candidate.fingerprint);
    if was == is {
        return Decision::Same;
    }
    if !sighting.same_key && was.title != is.title && was.text != is.text {
        return Decision::Recycled;
    }
    Decision::Changed { item: sighting.item, revise: sighting.main_feed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::{Fingerprint, Scope};
    use crate::domain::item::{Entry, ItemId};

    const OLD: Fingerprint = Fingerprint { title: 1, text: 1 };

    fn candidate(title: u32, text: u32) -> Candidate {
        Candidate {
            entry: Entry::default(),
            link: None,
            key: "https://x.example/".to_owned(),
            scope: Scope::Global,
            entry_id: "1".to_owned(),
            native_id: None,
            fingerprint: Fingerprint { title, text },
            matches: Vec::new(),
        }
    }

    fn seen(same_key: bool, main_feed: bool) -> Option<KnownSighting> {
        Some(KnownSighting { item: ItemId(7), fingerprint: OLD, same_key, main_feed })
    }

    #[test]
    fn every_case_of_the_look_up_order_has_its_decision() {
        let (own, other) = (ItemId(7), ItemId(9));
        let table = [
            ("never seen", None, None, (1, 1), Decision::New),
            ("seen elsewhere", None, Some(other), (1, 1), Decision::Sighted(other)),
            ("unchanged", seen(true, true), None, (1, 1), Decision::Same),
            ("unchanged, but its link moved", seen(false, true), None, (1, 1), Decision::Same),
            ("title edited", seen(true, true), None, (2, 1), Decision::Changed { item: own, revise: true }),
            ("text edited", seen(true, true), None, (1, 2), Decision::Changed { item: own, revise: true }),
            (
                "edited where it is only carried",
                seen(true, false),
                None,
                (2, 2),
                Decision::Changed { item: own, revise: false },
            ),
            ("rewritten under its link", seen(true, true), None, (2, 2), Decision::Changed { item: own, revise: true }),
            (
                "link moved and title edited",
                seen(false, true),
                None,
                (2, 1),
                Decision::Changed { item: own, revise: true },
            ),
            ("guid used again", seen(false, true), None, (2, 2), Decision::Recycled),
            ("guid used again for a known story", seen(false, true), Some(other), (2, 2), Decision::Recycled),
        ];
        for (case, sighting, item, (title, text), decision) in table {
            assert_eq!(decide(&Known { sighting, item }, &candidate(title, text)), decision, "{case}");
        }
    }
}
