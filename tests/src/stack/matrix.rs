//! Every route of the tables, as deployed: nobody gets in without a token, and others only where
//! the table lets them.

use numib::api::route::Route;
use numib::domain::ids::Channel;
use numib::domain::plan::Plan;
use numib::domain::role::Role;

use xtask::stack::Login;

use crate::deployed::{Deployed, deployed};

/// The path with ids that never were.
fn request<H>(route: &Route<H>) -> (&'static str, String) {
    let (method, path) = route.key.split_once(' ').unwrap();
    let id = |segment: &'static str| if segment.starts_with('{') { "no.where" } else { segment };
    (method, path.split('/').map(id).collect::<Vec<_>>().join("/"))
}

//= R4.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn each_deployed_route_lets_in_the_roles_of_its_row_and_nobody_without_a_token() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let agent = deployed.member(&account.id, Role::Agent).await;
    let privacy = deployed.member(&account.id, Role::Privacy).await;
    let logins = [(&agent, Role::Agent), (&privacy, Role::Privacy)];
    try_each(&deployed, &logins, inbox_api::routes::ROUTES);
    try_each(&deployed, &logins, privacy_api::routes::ROUTES);
    try_each(&deployed, &logins, operator_api::routes::ROUTES);
}

fn try_each<H>(deployed: &Deployed, logins: &[(&Login, Role)], routes: &[&Route<H>]) {
    for route in routes {
        let (method, path) = request(route);
        for (login, role) in logins {
            let answer = deployed.send((method, &path), login, ("", ""));
            let is_let_in = route.who.roles.contains(role);
            let what = format!("{role:?} at {}: {}", route.key, answer.body);
            assert_eq!(answer.status != 403, is_let_in, "{what}");
            assert!(answer.status < 500, "{what}");
        }
        let stack = &deployed.stack.deployed;
        let nobody = xtask::meta::send(stack, (method, &path), "none", ("", "")).unwrap();
        assert_eq!(nobody.status, 401, "{}: {}", route.key, nobody.body);
    }
}
