//! Facebook Login for Business: from the code of a login to a token, and what a token is good for
//! (docs/meta-platform.md#facebook-login-for-business).

use std::collections::{BTreeMap, BTreeSet};

use form_urlencoded::Serializer;
use jiff::Timestamp;

use super::call::Call;
use super::error::{Cause, Failure, GraphError, Hint, Refused};
use super::host::{Host, versioned};
use super::secret::{AccessToken, LoginCode};
use super::{Answer, Grant, Graph, instant, personal};
use crate::domain::ids::MetaId;
use crate::domain::login::{Login, Permission};
use crate::meta::json::{Object, Value};

/// What a token is good for, by Meta's own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    /// Whether our app got it.
    pub is_ours: bool,
    /// Whether Meta takes it.
    pub is_valid: bool,
    /// When it was made.
    pub issued_at: Option<Timestamp>,
    /// When it ends; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// When it stops reading, unless the person uses the app until then: it still looks valid.
    pub data_access_expires_at: Option<Timestamp>,
    /// Who logged in: the id that callbacks about the person have.
    pub person: Option<MetaId>,
    /// Everything that was granted.
    pub granted: BTreeSet<Permission>,
    /// What was granted for some Pages or accounts only, and for which.
    pub granted_for: BTreeMap<Permission, Vec<MetaId>>,
}

impl TokenFacts {
    /// What was granted for this Page or account.
    #[must_use]
    pub fn granted_for(&self, asset: &MetaId) -> BTreeSet<Permission> {
        let covers = |one: &Permission| match self.granted_for.get(one) {
            Some(assets) => assets.contains(asset),
            None => true,
        };
        self.granted.iter().copied().filter(covers).collect()
    }

    fn read(answer: &Object<'_>, app: &str) -> Option<Self> {
        let data = answer.get("data")?.object()?;
        let words = data.get("scopes").and_then(Value::array).unwrap_or_default();
        let granted = words.into_iter().filter_map(Value::string);
        let granular = data.get("granular_scopes").and_then(Value::array).unwrap_or_default();
        let end = |key| instant(&data, key).filter(|at| *at > Timestamp::UNIX_EPOCH);
        Some(Self {
            is_ours: data.scalar("app_id").is_some_and(|id| id == app),
            is_valid: data.is_true("is_valid"),
            issued_at: end("issued_at"),
            expires_at: end("expires_at"),
            data_access_expires_at: end("data_access_expires_at"),
            person: personal(&data, "user_id"),
            granted: granted.filter_map(|word| Permission::parse(&word)).collect(),
            granted_for: granular.into_iter().filter_map(granted_for).collect(),
        })
    }
}

/// A permission with its targets; `None` if it has none: then all are meant.
fn granted_for(scope: Value<'_>) -> Option<(Permission, Vec<MetaId>)> {
    let scope = scope.object()?;
    let permission = Permission::parse(&scope.scalar("scope")?)?;
    let targets = scope.get("target_ids")?.array()?;
    let ids = targets.into_iter().filter_map(Value::scalar);
    Some((permission, ids.map(|id| MetaId::new(id.into_owned())).collect()))
}

/// Here, a parameter that Meta does not take is the code of the login.
fn unusable_code(error: GraphError) -> GraphError {
    let is_code =
        matches!(&error.cause, Cause::Refused(Refused { code: Some(100), subcode: None, .. }));
    let again = Failure::Reconnect { missing: &[], hint: Hint::LogIn };
    GraphError { failure: if is_code { again } else { error.failure }, ..error }
}

impl Graph {
    /// The page that a browser goes to for a login by Facebook. The configuration names the
    /// permissions. A permission that was declined before is asked for again.
    pub fn facebook_dialog(
        &self,
        configuration: &str,
        redirect_uri: &str,
        state: &str,
    ) -> Result<String, GraphError> {
        let app = self.app(Login::Facebook)?;
        let base = self.base.of(Host::FacebookDialog);
        let path = versioned(&["dialog", "oauth"]).join("/");
        let query = Serializer::new(String::new())
            .append_pair("client_id", &app.id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("response_type", "code")
            .append_pair("config_id", configuration)
            .append_pair("state", state)
            .append_pair("auth_type", "rerequest")
            .finish();
        Ok(format!("{base}/{path}?{query}"))
    }

    /// Makes a token of the code of a login. The URI is the one of the login, to the letter.
    pub async fn exchange_facebook_code(
        &self,
        now: Timestamp,
        code: &LoginCode,
        redirect_uri: &str,
    ) -> Result<Answer<Grant>, GraphError> {
        let app = self.app(Login::Facebook)?;
        let call = Call::get(Host::Facebook, &versioned(&["oauth", "access_token"]))
            .with("client_id", &app.id)
            .with("redirect_uri", redirect_uri)
            .with("client_secret", app.secret.expose())
            .with("code", code.expose());
        let reply = self.ask(now, call).await.map_err(unusable_code)?;
        reply.read(|answer| Grant::read(now, answer))
    }

    /// Makes a token for about 60 days of a person's token.
    pub async fn lengthen_facebook_token(
        &self,
        now: Timestamp,
        token: &AccessToken,
    ) -> Result<Answer<Grant>, GraphError> {
        let app = self.app(Login::Facebook)?;
        let call = Call::get(Host::Facebook, &versioned(&["oauth", "access_token"]))
            .with("grant_type", "fb_exchange_token")
            .with("client_id", &app.id)
            .with("client_secret", app.secret.expose())
            .with("fb_exchange_token", token.expose());
        self.ask(now, call).await?.read(|answer| Grant::read(now, answer))
    }

    /// What a token of Facebook Login is good for. Tokens of Instagram Login are unknown here.
    pub async fn inspect_facebook_token(
        &self,
        now: Timestamp,
        token: &AccessToken,
    ) -> Result<Answer<TokenFacts>, GraphError> {
        let app = self.app(Login::Facebook)?;
        let own = AccessToken::new(format!("{}|{}", app.id, app.secret.expose()));
        let call = Call::get(Host::Facebook, &versioned(&["debug_token"]))
            .with("input_token", token.expose())
            .by(&own);
        self.ask(now, call).await?.read(|answer| TokenFacts::read(answer, &app.id))
    }
}
