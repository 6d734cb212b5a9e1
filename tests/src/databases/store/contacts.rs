//! Contacts, and the inbox that lists them by their last message.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use numib::domain::ids::{AccountId, ConversationId, PersonId};
use numib::domain::row::{ContactMarks, sweep_on};
use numib::store::contacts::{Contact, INBOX_STEP, InboxEntry, InboxStart, Parties};

use crate::database::Database;
use crate::shop::{Shop, now};

on_both_databases!(
    a_conversation_moves_up_at_most_once_a_minute,
    a_restricted_contact_does_not_move,
    an_inbox_lists_its_own_conversations_newest_first,
    an_inbox_goes_on_where_a_page_ended,
    a_deleted_contact_is_gone_from_the_inbox,
);

const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);

async fn moved(db: &Database, conversation: &ConversationId, at: Timestamp) -> Contact {
    let expires_at = at + SignedDuration::from_hours(24);
    let account = AccountId::parse("account").unwrap();
    let person = PersonId::parse("person").unwrap();
    let parties = Parties { conversation, account: &account, person: &person };
    let until = (expires_at, sweep_on(expires_at));
    db.store.move_conversation(parties, at, until).await.unwrap();
    seen(db, conversation).await
}

async fn seen(db: &Database, conversation: &ConversationId) -> Contact {
    let asked = BTreeSet::from([conversation.clone()]);
    let sight = db.store.look_again(&BTreeSet::new(), &asked).await.unwrap();
    sight.contacts.get(conversation).copied().unwrap_or_default()
}

async fn a_conversation_moves_up_at_most_once_a_minute(db: &Database) {
    let shop = Shop::open(db).await;
    let conversation = shop.conversation("7001");
    let first = moved(db, &conversation, now()).await;
    let sweep_on = Some(sweep_on(now() + SignedDuration::from_hours(24)));
    let expected = Contact { last_message_at: Some(now()), is_known: true, sweep_on, ..first };
    assert_eq!((first, first.marks), (expected, ContactMarks::default()));
    let before = db.dump().await;
    for too_soon in [now() - INBOX_STEP, now(), now() + INBOX_STEP] {
        let contact = moved(db, &conversation, too_soon).await;
        assert_eq!(contact.last_message_at, Some(now()));
    }
    assert_eq!(db.dump().await, before);
    let due = now() + INBOX_STEP + MILLISECOND;
    assert_eq!(moved(db, &conversation, due).await.last_message_at, Some(due));
}

//= R2.3
async fn a_restricted_contact_does_not_move(db: &Database) {
    let shop = Shop::open(db).await;
    let conversation = shop.conversation("7001");
    shop.restrict_contact(db, "7001").await;
    let before = db.dump().await;
    let contact = moved(db, &conversation, now()).await;
    assert_eq!(contact.marks.restricted_at, Some(now()));
    assert_eq!(contact.last_message_at, None);
    assert_eq!(db.dump().await, before);
}

/// A shop with a conversation per minute, named after it, and one of another shop's.
async fn an_inbox(db: &Database, minutes: std::ops::Range<i64>) -> Shop {
    let shop = Shop::open(db).await;
    for minute in minutes {
        let at = now() + SignedDuration::from_mins(minute);
        moved(db, &shop.conversation(&minute.to_string()), at).await;
    }
    let other = Shop::open(db).await;
    moved(db, &other.conversation("0"), now()).await;
    shop
}

fn entry(shop: &Shop, minute: i64) -> InboxEntry {
    InboxEntry {
        conversation: shop.conversation(&minute.to_string()),
        last_message_at: now() + SignedDuration::from_mins(minute),
    }
}

async fn an_inbox_lists_its_own_conversations_newest_first(db: &Database) {
    let shop = an_inbox(db, 0..4).await;
    let all = db.store.inbox(&shop.connection.id, None, 10).await.unwrap();
    assert_eq!(all, [3, 2, 1, 0].map(|minute| entry(&shop, minute)));
    let two = db.store.inbox(&shop.connection.id, None, 2).await.unwrap();
    assert_eq!(two, [3, 2].map(|minute| entry(&shop, minute)));
}

async fn an_inbox_goes_on_where_a_page_ended(db: &Database) {
    let shop = an_inbox(db, 0..4).await;
    let at = entry(&shop, 2).last_message_at;
    // A second conversation of the very same instant.
    let twin = shop.conversation("twin");
    moved(db, &twin, at).await;
    let from = async |start| {
        let entries = db.store.inbox(&shop.connection.id, Some(start), 10).await.unwrap();
        entries.into_iter().map(|entry| entry.conversation).collect::<Vec<_>>()
    };
    let rest = [1, 0].map(|minute| shop.conversation(&minute.to_string()));
    assert_eq!(from(InboxStart::Before(at)).await, rest);
    let including = from(InboxStart::From(at)).await;
    assert_eq!(including.len(), 4);
    assert_eq!(including[2..], rest);
    let both = BTreeSet::from([twin, entry(&shop, 2).conversation]);
    assert_eq!(including[..2].iter().cloned().collect::<BTreeSet<_>>(), both);
    // After the first of the two comes the second, and after the second the rest.
    for skipped in 1..=2 {
        let conversation = including[skipped - 1].clone();
        let after = InboxEntry { conversation, last_message_at: at };
        assert_eq!(from(InboxStart::After(after)).await, including[skipped..]);
    }
}

async fn a_deleted_contact_is_gone_from_the_inbox(db: &Database) {
    let shop = an_inbox(db, 0..2).await;
    for _ in 0..2 {
        db.store.delete_contacts(&[shop.conversation("1")]).await.unwrap();
        let left = db.store.inbox(&shop.connection.id, None, 10).await.unwrap();
        assert_eq!(left, [entry(&shop, 0)]);
    }
}
