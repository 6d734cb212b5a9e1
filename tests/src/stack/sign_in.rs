//! Signing in: second factors, fresh sign-ins, and members who were removed.

use numib::domain::ids::{Channel, MemberId};
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use numib::store::accounts::Member;
use xtask::account::random_id;
use xtask::stack::Login;

use crate::deployed::{deployed, digits};

const NOTHING: (&str, &str) = ("", "");

//= R4.2, R4.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn a_member_enrols_an_authenticator_and_is_asked_for_it_at_the_next_sign_in() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let email = format!("{}@test.example", random_id().unwrap());
    let password = format!("{}{}Aa1!", digits(), digits());
    let login = deployed.stack.login(&email, Role::Owner.as_str(), &password).unwrap();
    let id = MemberId::parse(&login.sub).unwrap();
    let member = Member { account: account.id.clone(), role: Role::Owner };
    deployed.store.put_member(&id, &member).await.unwrap();
    let token = &login.access_token;
    let said = deployed.stack.second_factor(&email, &password, token).unwrap();
    assert_eq!(said["enrolled"], "SUCCESS", "{said}");
    assert_eq!(said["challenge"], "SOFTWARE_TOKEN_MFA", "{said}");
    assert_eq!(said["has_token_before"], false, "a password alone gives no token: {said}");
    assert_eq!(said["refused"], "CodeMismatchException", "a wrong code gives no token: {said}");
    // This sign-in is fresh, so it lets the member do what is sensitive.
    let access_token = said["access_token"].as_str().unwrap().to_owned();
    let login = Login { access_token, ..login };
    let deleted = deployed.send(("DELETE", "/v1/account"), &login, NOTHING);
    assert_eq!(deleted.status, 202, "{}", deleted.body);
}

//= R4.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn a_removed_member_is_out_at_once() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let owner = deployed.member(&account.id, Role::Owner).await;
    let paths = ["/v1/conversations", "/v1/requests/none"];
    let statuses = || paths.map(|path| deployed.get(path, &owner).status);
    assert_eq!(statuses(), [200, 404]);
    let id = MemberId::parse(&owner.sub).unwrap();
    deployed.store.delete_member(&account.id, &id).await.unwrap();
    assert_eq!(statuses(), [403, 403]);
}
