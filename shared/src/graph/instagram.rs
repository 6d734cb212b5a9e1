//! Instagram Login: from the code of a login to a token that is refreshed, and whose account it is
//! (docs/meta-platform.md#instagram-login).

use std::collections::BTreeSet;

use form_urlencoded::Serializer;
use jiff::Timestamp;

use super::call::Call;
use super::error::GraphError;
use super::host::{Host, versioned};
use super::secret::{AccessToken, LoginCode};
use super::{Answer, Grant, Graph, personal, token};
use crate::domain::ids::{Channel, MetaId};
use crate::domain::login::{Login, Permission, needed};
use crate::domain::personal::Personal;
use crate::meta::json::{Object, Value};

/// What a login brings: a token for an hour, to be lengthened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstagramLogin {
    /// The token.
    pub token: AccessToken,
    /// The id that callbacks about the account have. Webhooks have another one.
    pub person: MetaId,
    /// What was granted; `None` if Meta does not say it.
    pub granted: Option<BTreeSet<Permission>>,
}

/// Whose account it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstagramAccount {
    /// The id that webhooks have.
    pub account: MetaId,
    /// The id that only this app has of the account, and that callbacks have.
    pub person: MetaId,
    /// Its username.
    pub username: Option<Personal<String>>,
}

impl InstagramLogin {
    /// The answer is flat, or the only element of a list.
    fn read(answer: &Object<'_>) -> Option<Self> {
        match answer.get("data") {
            Some(data) => Self::flat(&data.elements().into_iter().find_map(Value::object)?),
            None => Self::flat(answer),
        }
    }

    fn flat(answer: &Object<'_>) -> Option<Self> {
        Some(Self {
            token: token(answer)?,
            person: personal(answer, "user_id")?,
            granted: answer.get("permissions").map(permissions),
        })
    }
}

/// A list of names, or one text with commas between them.
fn permissions(granted: Value<'_>) -> BTreeSet<Permission> {
    let texts = granted.elements().into_iter().filter_map(Value::string);
    let parse = |text: &str| text.split([',', ' ']).filter_map(Permission::parse).collect();
    texts.flat_map(|text| -> Vec<_> { parse(&text) }).collect()
}

impl Graph {
    /// The page that a browser goes to for a login by Instagram.
    pub fn instagram_dialog(&self, redirect_uri: &str, state: &str) -> Result<String, GraphError> {
        let app = self.app(Login::Instagram)?;
        let scope: Vec<_> = needed(Login::Instagram, Channel::Instagram)
            .iter()
            .map(|permission| permission.as_str())
            .collect();
        let query = Serializer::new(String::new())
            .append_pair("client_id", &app.id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("response_type", "code")
            .append_pair("scope", &scope.join(","))
            .append_pair("state", state)
            .finish();
        Ok(format!("{}/oauth/authorize?{query}", self.base.of(Host::InstagramDialog)))
    }

    /// Makes a token for an hour of the code of a login. The URI is the one of the login, to the
    /// letter.
    pub async fn exchange_instagram_code(
        &self,
        now: Timestamp,
        code: &LoginCode,
        redirect_uri: &str,
    ) -> Result<Answer<InstagramLogin>, GraphError> {
        let app = self.app(Login::Instagram)?;
        // Instagram puts this behind the code, and does not take it back.
        let code = code.expose();
        let code = code.strip_suffix("#_").unwrap_or(code);
        let call = Call::post(Host::InstagramCodes, &["oauth", "access_token"]).form(&[
            ("client_id", &app.id),
            ("client_secret", app.secret.expose()),
            ("grant_type", "authorization_code"),
            ("redirect_uri", redirect_uri),
            ("code", code),
        ]);
        self.ask(now, call).await?.read(InstagramLogin::read)
    }

    /// Makes a token for 60 days of one for an hour.
    pub async fn lengthen_instagram_token(
        &self,
        now: Timestamp,
        token: &AccessToken,
    ) -> Result<Answer<Grant>, GraphError> {
        let app = self.app(Login::Instagram)?;
        let call = Call::get(Host::Instagram, &["access_token"])
            .with("grant_type", "ig_exchange_token")
            .with("client_secret", app.secret.expose())
            .with("access_token", token.expose());
        self.ask(now, call).await?.read(|answer| Grant::read(now, answer))
    }

    /// Gives 60 days more to a token that is at least 24 hours old and not over. The answer may be
    /// another token.
    pub async fn refresh_instagram_token(
        &self,
        now: Timestamp,
        token: &AccessToken,
    ) -> Result<Answer<Grant>, GraphError> {
        let call = Call::get(Host::Instagram, &["refresh_access_token"])
            .with("grant_type", "ig_refresh_token")
            .with("access_token", token.expose());
        self.ask(now, call).await?.read(|answer| Grant::read(now, answer))
    }

    /// Whose account a token is for. This also tries whether Instagram takes the token.
    pub async fn instagram_account(
        &self,
        now: Timestamp,
        token: &AccessToken,
    ) -> Result<Answer<InstagramAccount>, GraphError> {
        let call = Call::get(Host::Instagram, &versioned(&["me"]))
            .with("fields", "id,user_id,username")
            .by(token)
            .needing(needed(Login::Instagram, Channel::Instagram));
        self.ask(now, call).await?.read(|answer| {
            Some(InstagramAccount {
                account: personal(answer, "user_id")?,
                person: personal(answer, "id")?,
                username: personal(answer, "username"),
            })
        })
    }
}
