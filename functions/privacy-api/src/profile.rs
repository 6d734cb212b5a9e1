//! What an account says about itself (R1.2, R5.2): shown to those who run it, corrected by them.

use numib::api::access::LOCKED;
use numib::api::described::Described;
use numib::api::done::Done;
use numib::api::{account_keys, body, version};
use numib::domain::account::{Account, AccountState, Use};
use numib::domain::audit::Action;
use numib::domain::ids::AccountId;
use numib::domain::profile::{Field, Profile};
use numib::edge::problem::Problem;
use numib::seal::account::{open_profile, seal_profile};
use numib::seal::key_pair::Sealer;
use numib::store::StoreError;
use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde::Serialize;

use crate::app::{App, Call, Route};
use crate::policies::AcceptedPolicy;
use crate::who::ADMINS;

pub(crate) static SHOW: Route = Route {
    key: "GET /v1/account",
    name: "showAccount",
    summary: "The account with its profile",
    who: ADMINS,
    action: None,
    describe: |of| describe_account(of).refuses(&[404]),
    handler: |call| Box::pin(show(call)),
};

/// Shows the account with its profile.
async fn show(call: &Call<'_>) -> Result<Done, Problem> {
    let account = own(call).await?;
    let profile = open(call.app, &account).await?;
    Ok(answer(&account, profile))
}

pub(crate) static CORRECT: Route = Route {
    key: "PATCH /v1/account",
    name: "correctProfile",
    summary: "Correct fields of the profile",
    who: ADMINS,
    action: Some(Action::CorrectProfile),
    describe: |of| {
        let patch = "A JSON merge patch (RFC 7396) of a `Profile`: null takes a field away.";
        let patch = json_schema!({"type": "object", "description": patch});
        let types = ["application/merge-patch+json", "application/json"];
        let types = types.map(|name| (name, patch.clone()));
        describe_account(of).takes_one_of("", &types).conditional().refuses(&[404, 409])
    },
    handler: |call| Box::pin(correct(call)),
};

/// Corrects the fields that are given, as JSON merge patch (RFC 7396) does.
//= R5.2
async fn correct(call: &Call<'_>) -> Result<Done, Problem> {
    let patch = body::merge_patch(call.request)?;
    let account = own(call).await?;
    version::matches(call.request, account.profile_version)?;
    let profile = open(call.app, &account).await?;
    let mut profile = serde_json::to_value(profile).map_err(account_keys::failed)?;
    json_patch::merge(&mut profile, &patch);
    let rules = rules();
    let rules = body::Rules { needed: &[], optional: &rules };
    let profile = body::of_object(&profile, rules)?;
    replace(call, account, profile).await
}

pub(crate) static RECTIFY: Route = Route {
    key: "PUT /v1/account",
    name: "rectifyProfile",
    summary: "Put another profile in the place of this one",
    who: ADMINS,
    action: Some(Action::CorrectProfile),
    describe: |of| {
        let described = describe_account(of).takes::<Profile>(of);
        described.conditional().refuses(&[404, 409])
    },
    handler: |call| Box::pin(rectify(call)),
};

/// Puts another profile in the place of this one.
//= R5.2
async fn rectify(call: &Call<'_>) -> Result<Done, Problem> {
    let rules = rules();
    let rules = body::Rules { needed: &[], optional: &rules };
    let profile = body::json_by(call.request, rules)?;
    let account = own(call).await?;
    version::matches(call.request, account.profile_version)?;
    replace(call, account, profile).await
}

/// The old value is not kept: it is overwritten where it was (R5.2).
async fn replace(call: &Call<'_>, mut account: Account, profile: Profile) -> Result<Done, Problem> {
    if account.state != AccountState::Active {
        return Err(LOCKED);
    }
    let profile = profile.checked().map_err(unsound)?;
    let key = account_keys::public(call.app.sealed(), &account, Use::Profile).await?;
    let to = (&account.id, &key);
    let sealed =
        seal_profile(&mut Sealer::default(), to, &profile).map_err(account_keys::failed)?;
    let put = call.app.store.put_profile(&account.id, account.profile_version, sealed).await;
    account.profile_version = match put {
        Err(StoreError::Conflict) => return Err(version::STALE),
        put => put?,
    };
    let version = format!("v{}", account.profile_version);
    Ok(answer(&account, profile).about("account", &account.id).about("profile", version))
}

async fn own(call: &Call<'_>) -> Result<Account, Problem> {
    let id: &AccountId = call.account();
    call.app.store.account(id).await?.ok_or(Problem::not_found())
}

async fn open(app: &App, account: &Account) -> Result<Profile, Problem> {
    let Some(sealed) = &account.profile else { return Ok(Profile::default()) };
    let mut opener = account_keys::opener(app.sealed(), &account.id, Use::Profile).await?;
    let opener = opener.as_mut().ok_or(Problem::not_found())?;
    open_profile(opener, &account.id, sealed).map_err(account_keys::failed)
}

/// An account, as those who run it see it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Account")]
struct ShownAccount {
    account: String,
    /// `active`; or, while it is being deleted, `locked` and then `erased`.
    state: &'static str,
    /// How many days messages are kept.
    plan_days: u16,
    /// The request that deletes it.
    deletion: Option<String>,
    /// The latest version of the privacy policy that was accepted.
    policy: Option<AcceptedPolicy>,
    profile: Profile,
}

fn answer(account: &Account, profile: Profile) -> Done {
    let body = ShownAccount {
        account: account.id.to_string(),
        state: account.state.as_str(),
        plan_days: account.plan.days(),
        deletion: account.deletion.as_ref().map(ToString::to_string),
        policy: account.accepted.as_ref().map(AcceptedPolicy::new),
        profile,
    };
    Done::ok(&body).tagged(account.profile_version)
}

fn describe_account(of: &mut SchemaGenerator) -> Described {
    Described::gives::<ShownAccount>(of, 200, "The account.").tagged()
}

fn rules() -> Vec<Problem> {
    Field::ALL.iter().copied().map(unsound).collect()
}

const fn unsound(field: Field) -> Problem {
    let detail = match field {
        Field::Name => "`name` is one line of 1 to 120 characters.",
        Field::Email => "`email` must be an e-mail address.",
        Field::Phone => "`phone` is `+` and 7 to 15 digits, the first of them not 0 (E.164).",
        Field::Company => "`company` is one line of 1 to 120 characters.",
        Field::Address => {
            "`address` has 1 to 4 `lines`, a `city` and a `country` of two capitals (ISO 3166-1)."
        }
        Field::TaxId => {
            "`tax_id` has a `country` of two capitals (ISO 3166-1) and its `number`: in GT a NIT."
        }
        Field::Billing => "`billing` has a `name` of one line and an `email` address.",
    };
    Problem::field(field.as_str(), detail)
}
