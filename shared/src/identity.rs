//! The members' identities: the Cognito user pool, which has their passwords, second factors and
//! e-mail addresses, and which alone is asked about them (R1.2).

use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};

use crate::domain::ids::MemberId;
use crate::domain::personal::Personal;

/// The user pool did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the user pool did not answer ({0})")]
pub struct IdentityError(String);

/// The user pool. Members are its users, by their `sub`, which is also their name there: people
/// sign in with their e-mail address, an alias.
#[derive(Debug, Clone)]
pub struct UserPool {
    client: Client,
    id: String,
}

impl UserPool {
    /// The pool with that id.
    #[must_use]
    pub fn new(sdk: &SdkConfig, id: String) -> Self {
        Self { client: Client::new(sdk), id }
    }

    /// Ends every session of a member: no refresh token gets another access token. Those that are
    /// out live for minutes, so whoever serves a member looks at the database too.
    ///
    /// # Errors
    /// [`IdentityError`]; who is no member has no sessions.
    pub async fn sign_out(&self, member: &MemberId) -> Result<(), IdentityError> {
        let call = self.client.admin_user_global_sign_out();
        let call = call.user_pool_id(&self.id).username(member.as_str());
        unless_unknown(call.send().await).map(|_| ())
    }

    /// Deletes a member's identity, with all the pool has of it.
    ///
    /// # Errors
    /// [`IdentityError`]; one that is gone stays gone.
    //= R6.1
    pub async fn delete(&self, member: &MemberId) -> Result<(), IdentityError> {
        let call = self.client.admin_delete_user();
        let call = call.user_pool_id(&self.id).username(member.as_str());
        unless_unknown(call.send().await).map(|_| ())
    }

    /// A member's e-mail address, once it is verified.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub async fn email(
        &self,
        member: &MemberId,
    ) -> Result<Option<Personal<String>>, IdentityError> {
        let Some(user) = self.user(member).await? else { return Ok(None) };
        let attribute = |name: &str| {
            let found = user.user_attributes().iter().find(|one| one.name() == name);
            found.and_then(|one| one.value()).map(str::to_owned)
        };
        let is_verified = attribute("email_verified").as_deref() == Some("true");
        Ok(attribute("email").filter(|_| is_verified).map(Personal::new))
    }

    async fn user(&self, member: &MemberId) -> Result<Option<User>, IdentityError> {
        let call = self.client.admin_get_user();
        let call = call.user_pool_id(&self.id).username(member.as_str());
        unless_unknown(call.send().await)
    }
}

type User = aws_sdk_cognitoidentityprovider::operation::admin_get_user::AdminGetUserOutput;

/// `None` for a user whom the pool does not have.
fn unless_unknown<T, E, R>(answer: Result<T, SdkError<E, R>>) -> Result<Option<T>, IdentityError>
where
    E: ProvideErrorMetadata,
{
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Some("UserNotFoundException") => Ok(None),
        Err(error) => {
            let code = error.code().map(str::to_owned);
            Err(IdentityError(code.unwrap_or_else(|| error.to_string())))
        }
    }
}
