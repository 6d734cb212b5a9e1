//! What an account says about itself (R1.2, R5.2): shown to those who run it, corrected by them.

use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use numib::domain::account::{Account, AccountState};
use numib::domain::ids::{AccountId, PolicyVersion, RequestId};
use numib::domain::profile::{Field, Profile};
use numib::edge::problem::{Problem, json};
use numib::seal::account::{open_profile, seal_profile};
use numib::seal::key_pair::Sealer;
use numib::store::StoreError;
use numib::store::account_keys::Use;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::{App, body, keys, version};

const LOCKED: Problem =
    Problem::conflict("The account is being deleted: nothing of it changes until that is over.");
pub(crate) const BAD_VERSION: Problem = Problem::field(
    "version",
    "`version` is a version of the privacy policy: 1 to 64 of A–Z a–z 0–9 - _.",
);

/// `GET /v1/account`: the account with its profile.
pub(crate) async fn show(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let account = own(call).await?;
    let profile = open(call.app, &account).await?;
    Ok(shown(&account, &profile))
}

/// `PATCH /v1/account`: corrects the fields that are given, as JSON merge patch (RFC 7396) does.
//= R5.2
pub(crate) async fn correct(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let patch = body::merge_patch(call.request)?;
    let account = own(call).await?;
    version::matches(call.request, account.profile_version)?;
    let profile = open(call.app, &account).await?;
    let mut profile = serde_json::to_value(profile).map_err(keys::failed)?;
    json_patch::merge(&mut profile, &patch);
    let profile = serde_json::from_value(profile).map_err(|_| body::UNREADABLE)?;
    replace(call, account, profile).await
}

/// `PUT /v1/account`: puts another profile in the place of this one.
//= R5.2
pub(crate) async fn rectify(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let profile = body::json(call.request)?;
    let account = own(call).await?;
    version::matches(call.request, account.profile_version)?;
    replace(call, account, profile).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    version: String,
}

/// `POST /v1/account/policy-acceptance`: the account accepts a version of the privacy policy.
//= R10.1
pub(crate) async fn accept(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let Accepted { version } = body::json(call.request)?;
    let version = PolicyVersion::parse(&version).ok_or(BAD_VERSION)?;
    match call.app.store.accept_policy(call.account(), &version, call.now).await {
        Err(StoreError::Conflict) => return Err(LOCKED),
        accepted => accepted?,
    }
    let body = json!({ "version": version.as_str() });
    Ok(json(StatusCode::OK, "application/json", &body))
}

/// The old value is not kept: it is overwritten where it was (R5.2).
async fn replace(
    call: &Call<'_>,
    mut account: Account,
    profile: Profile,
) -> Result<Response<Body>, Problem> {
    if account.state != AccountState::Active {
        return Err(LOCKED);
    }
    let profile = profile.checked().map_err(unsound)?;
    let key = keys::public(call.app, &account, Use::Profile).await?;
    let to = (&account.id, &key);
    let sealed = seal_profile(&mut Sealer::default(), to, &profile).map_err(keys::failed)?;
    let put = call.app.store.put_profile(&account.id, account.profile_version, sealed).await;
    account.profile_version = match put {
        Err(StoreError::Conflict) => return Err(version::STALE),
        put => put?,
    };
    Ok(shown(&account, &profile))
}

async fn own(call: &Call<'_>) -> Result<Account, Problem> {
    let id: &AccountId = call.account();
    call.app.store.account(id).await?.ok_or(Problem::not_found())
}

async fn open(app: &App, account: &Account) -> Result<Profile, Problem> {
    let Some(sealed) = &account.profile else { return Ok(Profile::default()) };
    let mut opener = keys::opener(app, &account.id, Use::Profile).await?;
    let opener = opener.as_mut().ok_or(Problem::not_found())?;
    open_profile(opener, &account.id, sealed).map_err(keys::failed)
}

fn shown(account: &Account, profile: &Profile) -> Response<Body> {
    let accepted = account.accepted.as_ref().map(|accepted| {
        json!({ "version": accepted.version.as_str(), "accepted_at": accepted.at.to_string() })
    });
    let body: Value = json!({
        "account": account.id.as_str(),
        "state": account.state.as_str(),
        "plan_days": account.plan.days(),
        "deletion": account.deletion.as_ref().map(RequestId::as_str),
        "policy": accepted,
        "profile": profile,
    });
    let response = json(StatusCode::OK, "application/json", &body);
    version::tagged(response, account.profile_version)
}

const fn unsound(field: Field) -> Problem {
    let detail = match field {
        Field::Name => "`name` is one line of 1 to 120 characters.",
        Field::Email => "`email` is an e-mail address.",
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
