//! Every kind of stored data, from its making to its end: an account has an item of each, and the
//! tables are read raw, item by item. A new kind of data does not compile until it is made here.

mod home;

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use numib::domain::data_kind::{DataKind, Exported, Fate, Reason, Scope};
use numib::domain::policy::Term;

use crate::database::{Database, Place};
use crate::export::archive::Archive;
use crate::shop::now;
use home::{Home, kind_of};

on_both_databases!(
    an_erased_account_leaves_exactly_what_the_registry_says,
    an_export_has_every_kind_or_says_that_it_is_left_out,
    every_kind_with_a_clock_ends_by_it_while_the_account_lives_on,
);

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// All that is stored, by where it is.
async fn stored(db: &Database) -> BTreeMap<Place, String> {
    let mut items = db.by_place().await;
    items.retain(|place, _| kind_of(place).is_some());
    items
}

/// What is stored now, and was not before. Something of every kind is among it.
fn new_of_every_kind(
    before: &BTreeMap<Place, String>,
    now: &BTreeMap<Place, String>,
) -> BTreeMap<Place, String> {
    let new = now.iter().filter(|(place, _)| !before.contains_key(*place));
    let new: BTreeMap<_, _> = new.map(|(place, item)| (place.clone(), item.clone())).collect();
    let kinds: BTreeSet<DataKind> = new.keys().filter_map(kind_of).collect();
    for kind in DataKind::ALL {
        assert!(kinds.contains(kind), "nothing of {kind:?} was made");
    }
    new
}

/// Whether a kind that is kept for this reason keeps this item, and nothing more than it needs.
fn is_kept(reason: Reason, before: &str, after: &str) -> bool {
    match reason {
        // It says until when it serves, and nothing of what was there.
        Reason::SuppressionMark => {
            let is_mark = after.contains("erased") && after.contains("expires_at=");
            is_mark && after.contains("day_keys= ") && !after.contains("sealed=")
        }
        Reason::TaxRecord | Reason::SecurityRecord => before == after,
        Reason::ProofOfErasure => true,
    }
}

//= R6.1, R6.3, R8.3
async fn an_erased_account_leaves_exactly_what_the_registry_says(db: &Database) {
    let nothing = stored(db).await;
    let other = Home::full(db).await;
    let others = stored(db).await;
    new_of_every_kind(&nothing, &others);
    let home = Home::full(db).await;
    let mut own = new_of_every_kind(&others, &stored(db).await);
    home.erase_account().await;
    assert_eq!(home.cloud.names(), Vec::<String>::new(), "no archive is left");
    let after = stored(db).await;
    for (place, before) in &own {
        let kind = kind_of(place).unwrap();
        // The account, and its channel by a request of its own.
        let fates = [Scope::Account, Scope::Connection].map(|scope| kind.fate(scope));
        let kept = fates.iter().find_map(|fate| match fate {
            Fate::Kept(reason) => Some(*reason),
            Fate::Shredded | Fate::Swept | Fate::Untouched => None,
        });
        match (after.get(place), kept) {
            (Some(item), Some(reason)) => {
                assert!(is_kept(reason, before, item), "{reason:?} keeps {place:?}: {item}");
            }
            (None, Some(reason)) => {
                // Of what is kept something is left; not each item of it.
                let is_left = |place: &&Place| kind_of(place) == Some(kind);
                assert!(after.keys().any(|one| is_left(&one)), "{reason:?} keeps {kind:?}");
            }
            (left, None) if fates == [Fate::Untouched; 2] => {
                assert_eq!(left, Some(before), "{kind:?} is untouched");
            }
            (left, None) => assert_eq!(left, None, "{kind:?} is left: {place:?}"),
        }
    }
    let made =
        after.keys().filter(|place| !own.contains_key(*place) && !others.contains_key(*place));
    for place in made {
        let fate = kind_of(place).unwrap().fate(Scope::Account);
        assert_eq!(fate, Fate::Kept(Reason::ProofOfErasure), "{place:?}");
    }
    for (place, item) in &others {
        // Its last position goes on.
        if place.pk != "HEAD" {
            assert_eq!(after.get(place), Some(item), "another's");
        }
    }
    assert_eq!(other.cloud.names().len(), 1, "nor another's archive");
    // In the end even that is gone, and only the ledger is left.
    own.extend(after.into_iter().filter(|(place, _)| !others.contains_key(place)));
    for years in [1, 3, 10] {
        home.expire(now() + DAY * 366 * years).await;
    }
    let last = stored(db).await;
    let left = own.keys().filter(|place| last.contains_key(*place) && !is_end_of_chain(place));
    let left: BTreeSet<DataKind> = left.filter_map(kind_of).collect();
    let without_end = DataKind::ALL.iter().filter(|kind| kind.policy().term == Term::NoEnd);
    assert_eq!(left, without_end.copied().collect());
}

/// Hashes of a cut audit chain stay: its end, and the last event that was cut.
fn is_end_of_chain(place: &Place) -> bool {
    place.pk.starts_with("AUDIT#") && ["HEAD", "CHECKPOINT"].contains(&place.sk.as_str())
}

//= R5.1, R5.4
async fn an_export_has_every_kind_or_says_that_it_is_left_out(db: &Database) {
    let home = Home::full(db).await;
    let archive = Archive::read(home.export().await);
    let manifest = archive.manifest();
    let mut files: BTreeSet<&String> = archive.files.keys().collect();
    for kind in DataKind::ALL {
        let said = &manifest["kinds"][kind.as_str()];
        match kind.export() {
            Exported::In(name) => {
                assert!(!archive.records(name).is_empty(), "{kind:?} is in no file");
                assert_eq!(said["records"], archive.records(name).len(), "{kind:?}");
                files.retain(|file| !file.starts_with(&format!("data/{name}")));
            }
            Exported::Excluded(why) => assert_eq!(said["excluded"], why.as_str(), "{kind:?}"),
        }
    }
    files.retain(|file| file.starts_with("data/"));
    assert_eq!(files, BTreeSet::new(), "files of no kind of data");
}

//= R6.2, R6.3, R6.4
async fn every_kind_with_a_clock_ends_by_it_while_the_account_lives_on(db: &Database) {
    let home = Home::full(db).await;
    let own = stored(db).await;
    new_of_every_kind(&BTreeMap::new(), &own);
    for days in [20, 95, 800, 3660] {
        home.expire(now() + DAY * days).await;
    }
    let after = stored(db).await;
    for (place, item) in &own {
        let kind = kind_of(place).unwrap();
        let is_left = after.contains_key(place);
        match kind.policy().term {
            // It goes with the last tax record of an account that is gone.
            Term::Jurisdiction if kind == DataKind::TaxKey => assert!(is_left, "{kind:?}"),
            Term::Plan | Term::PlanOfItsDay | Term::Jurisdiction | Term::Fixed(_) => {
                assert!(!is_left || is_end_of_chain(place), "{kind:?} is left: {place:?}");
            }
            Term::TimeToLive(_) => assert!(!is_left, "{kind:?} is left: {place:?}"),
            Term::UntilErased | Term::UntilDeadline | Term::NoEnd => {
                // A contact without messages goes by itself.
                let may_go = item.contains("expires_at=");
                assert!(is_left || may_go, "{kind:?} is gone: {place:?}");
            }
        }
    }
}
