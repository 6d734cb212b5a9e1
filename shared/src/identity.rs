//! The members' identities, in the Cognito user pool. Passwords, second factors and e-mail
//! addresses are there and nowhere else (R1.2).

use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cognitoidentityprovider::types::{AttributeType, DeliveryMediumType, UserType};

use crate::domain::ids::MemberId;
use crate::domain::personal::Personal;
use crate::domain::role::Role;

/// Users on a page at most. The limit is Cognito's.
const PAGE: i32 = 60;

/// Where a page of users begins: a token that came with the page before. Only the pool can read the
/// token.
#[derive(Debug, Clone)]
pub struct Page(pub String);

/// Someone who was invited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    /// The member that they are.
    pub member: MemberId,
    /// Whether the invitation made them a user of the pool.
    pub is_new: bool,
}

/// The user pool did not answer, or refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the user pool did not answer ({0})")]
pub struct IdentityError(String);

/// The user pool. Members are its users, named by their `sub`. People sign in with their e-mail
/// address, which is an alias.
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

    /// Invites someone by e-mail, and returns the member that they are from now on. A user of the
    /// pool is not invited again: whether they are somebody's member is for the database to say.
    /// `None` if a user has this address unverified. People choose the address that they sign in
    /// with, and whoever enters another person's address must not be taken for that person.
    //= R1.2, R4.3
    pub async fn invite(
        &self,
        address: &Personal<String>,
    ) -> Result<Option<Invited>, IdentityError> {
        let attribute = |name: &str, value: &str| {
            let built = AttributeType::builder().name(name).value(value).build();
            built.map_err(|error| IdentityError(error.to_string()))
        };
        let call = self.client.admin_create_user();
        let created = call
            .user_pool_id(&self.id)
            .username(address.expose())
            .user_attributes(attribute("email", address.expose())?)
            // The invitation goes to this address. Whoever signs in with its password has read it,
            // so the address is theirs.
            .user_attributes(attribute("email_verified", "true")?)
            .desired_delivery_mediums(DeliveryMediumType::Email)
            .send()
            .await;
        let (attributes, is_new) = match created {
            Ok(created) => (created.user.and_then(|user| user.attributes), true),
            Err(error) if error.code() == Some("UsernameExistsException") => {
                let call = self.client.admin_get_user();
                let call = call.user_pool_id(&self.id).username(address.expose());
                let user = unless_unknown(call.send().await)?;
                let attributes = user.and_then(|user| user.user_attributes).unwrap_or_default();
                let verified = verified_email(&attributes);
                let is_theirs = |email: &Personal<String>| {
                    email.expose().eq_ignore_ascii_case(address.expose())
                };
                if !verified.as_ref().is_some_and(is_theirs) {
                    return Ok(None);
                }
                (Some(attributes), false)
            }
            Err(error) => return Err(failed(&error)),
        };
        let member = sub(&attributes.unwrap_or_default());
        let member = member.ok_or_else(|| IdentityError("a user without a sub".to_owned()))?;
        Ok(Some(Invited { member, is_new }))
    }

    /// Puts a member into the group of this role, and takes the member out of all other groups. The
    /// call may be repeated.
    //= R4.3
    pub async fn set_role(&self, member: &MemberId, role: Role) -> Result<(), IdentityError> {
        let call = self.client.admin_list_groups_for_user();
        let call = call.user_pool_id(&self.id).username(member.as_str());
        let groups = call.send().await.map_err(|error| failed(&error))?.groups.unwrap_or_default();
        let groups = groups.into_iter().filter_map(|group| group.group_name);
        let (own, others): (Vec<_>, Vec<_>) = groups.partition(|group| group == role.as_str());
        if own.is_empty() {
            let call = self.client.admin_add_user_to_group();
            let call = call.user_pool_id(&self.id).username(member.as_str());
            let added = call.group_name(role.as_str()).send().await;
            added.map_err(|error| failed(&error))?;
        }
        for other in others {
            let call = self.client.admin_remove_user_from_group();
            let call = call.user_pool_id(&self.id).username(member.as_str());
            call.group_name(other).send().await.map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// A page of the owners' group, with the addresses that are verified, and where the next page
    /// begins.
    pub async fn owners(
        &self,
        page: Option<Page>,
    ) -> Result<(Vec<(MemberId, Option<Personal<String>>)>, Option<Page>), IdentityError> {
        let call = self.client.list_users_in_group();
        let call = call.user_pool_id(&self.id).group_name(Role::Owner.as_str()).limit(PAGE);
        let answer = call.set_next_token(page.map(|page| page.0)).send().await;
        let answer = answer.map_err(|error| failed(&error))?;
        let owner =
            |user: &UserType| Some((sub(user.attributes())?, verified_email(user.attributes())));
        let owners = answer.users().iter().filter_map(owner).collect();
        Ok((owners, answer.next_token.map(Page)))
    }

    /// Ends every session of a member: no refresh token gets another access token. Access tokens
    /// that are out live for minutes, so whoever serves a member looks at the database, too.
    ///
    /// # Errors
    /// [`IdentityError`]. A member whom the pool does not have is no error.
    pub async fn sign_out(&self, member: &MemberId) -> Result<(), IdentityError> {
        let call = self.client.admin_user_global_sign_out();
        let call = call.user_pool_id(&self.id).username(member.as_str());
        unless_unknown(call.send().await).map(|_| ())
    }

    /// Deletes a member's identity, with all that the pool has of the member.
    ///
    /// # Errors
    /// [`IdentityError`]. An identity that is gone already is no error.
    //= R6.1
    pub async fn delete(&self, member: &MemberId) -> Result<(), IdentityError> {
        let call = self.client.admin_delete_user();
        let call = call.user_pool_id(&self.id).username(member.as_str());
        unless_unknown(call.send().await).map(|_| ())
    }

    /// A member's e-mail address; `None` unless it is verified.
    pub async fn email(
        &self,
        member: &MemberId,
    ) -> Result<Option<Personal<String>>, IdentityError> {
        let Some(user) = self.user(member).await? else { return Ok(None) };
        Ok(verified_email(user.user_attributes()))
    }

    async fn user(&self, member: &MemberId) -> Result<Option<User>, IdentityError> {
        let call = self.client.admin_get_user();
        let call = call.user_pool_id(&self.id).username(member.as_str());
        unless_unknown(call.send().await)
    }
}

type User = aws_sdk_cognitoidentityprovider::operation::admin_get_user::AdminGetUserOutput;

fn attribute<'a>(attributes: &'a [AttributeType], name: &str) -> Option<&'a str> {
    attributes.iter().find(|one| one.name() == name)?.value()
}

fn sub(attributes: &[AttributeType]) -> Option<MemberId> {
    MemberId::parse(attribute(attributes, "sub")?)
}

fn verified_email(attributes: &[AttributeType]) -> Option<Personal<String>> {
    let is_verified = attribute(attributes, "email_verified") == Some("true");
    let email = attribute(attributes, "email").filter(|_| is_verified);
    email.map(|email| Personal::new(email.to_owned()))
}

/// The answer; `None` if the pool does not have the user.
fn unless_unknown<T, E, R>(answer: Result<T, SdkError<E, R>>) -> Result<Option<T>, IdentityError>
where
    E: ProvideErrorMetadata,
{
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Some("UserNotFoundException") => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

fn failed<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> IdentityError {
    let code = error.code().map(str::to_owned);
    IdentityError(code.unwrap_or_else(|| error.to_string()))
}
