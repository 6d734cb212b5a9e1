//! Members, and what an account has.

use numib::domain::connection::Connection;
use numib::domain::ids::{AccountId, ConnectionId, MemberId};
use numib::domain::role::Role;
use numib::store::accounts::Member;

use crate::database::Database;
use crate::shop::{Shop, ago, now};

on_both_databases!(
    a_member_has_the_role_last_given,
    a_conversation_is_its_accounts_until_its_connection_is_erased_or_made_anew,
);

//= R4.3
async fn a_member_has_the_role_last_given(db: &Database) {
    let id = MemberId::parse("0b5d7c1e-3a52-4a83-9f0e-2f8d3f4a9d11").unwrap();
    assert_eq!(db.store.member(&id).await.unwrap(), None);
    let account = AccountId::parse("a1").unwrap();
    for role in [Role::Owner, Role::Admin, Role::Agent, Role::Privacy, Role::Operator] {
        let member = Member { account: account.clone(), role };
        db.store.put_member(&id, &member).await.unwrap();
        assert_eq!(db.store.member(&id).await.unwrap(), Some(member));
    }
}

//= R5.3, R8.3
async fn a_conversation_is_its_accounts_until_its_connection_is_erased_or_made_anew(db: &Database) {
    let (shop, other) = (Shop::open(db).await, Shop::open(db).await);
    let account = &shop.connection.account;
    let conversation = shop.conversation("7001");
    let find = async |account| db.store.account_conversation(account, &conversation).await.unwrap();
    assert!(find(account).await.is_none(), "nobody has written");
    shop.moved(db, &conversation, (ago(1000), now())).await;
    assert_eq!(find(account).await.unwrap().0.id, shop.connection.id);
    assert!(find(&other.connection.account).await.is_none());
    shop.erase(db).await;
    assert!(find(account).await.is_none());
    // The same account connects the same channel again, before the old one is swept.
    let id = ConnectionId::parse("anew").unwrap();
    let anew = Connection { id, connected_at: now(), ..shop.connection.clone() };
    db.store.create_connection(&anew, shop.index_key.expose()).await.unwrap();
    assert!(find(account).await.is_none());
}
