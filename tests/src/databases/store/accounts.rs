//! Members.

use numib::domain::ids::{AccountId, MemberId};
use numib::domain::role::Role;
use numib::store::accounts::Member;

use crate::database::Database;

on_both_databases!(a_member_has_the_role_last_given);

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
