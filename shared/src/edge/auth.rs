//! Who is calling: the claims that API Gateway's JWT authorizer verified.

use jiff::{SignedDuration, Timestamp};
use lambda_http::http::StatusCode;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt as _};

use super::problem::Problem;
use crate::domain::ids::MemberId;
use crate::domain::role::Role;

/// What is sensitive takes a sign-in that is no older. Where the member has a second factor, it was
/// asked for then.
const FRESH: SignedDuration = SignedDuration::from_mins(15);

/// Tells a client to have its user sign in again (RFC 9470, section 3).
const STALE: Problem = Problem::new(
    StatusCode::UNAUTHORIZED,
    "insufficient-user-authentication",
    "This takes a sign-in of the last 15 minutes. Sign in again, and repeat it.",
)
.with_header("www-authenticate", r#"Bearer error="insufficient_user_authentication", max_age=900"#);

/// Someone who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The member: `sub`.
    pub member: MemberId,
    /// The groups the token was issued with.
    pub groups: Vec<Role>,
    /// When they did; a refreshed token has the time of the sign-in that it goes back to.
    pub signed_in_at: Option<Timestamp>,
}

impl Caller {
    /// Whether they signed in a moment ago.
    ///
    /// # Errors
    /// 401 when they did not, or the token does not say, with the challenge of RFC 9470.
    //= R4.3
    pub fn has_just_signed_in(&self, now: Timestamp) -> Result<(), Problem> {
        let at = self.signed_in_at.ok_or(STALE)?;
        if now.duration_since(at) <= FRESH { Ok(()) } else { Err(STALE) }
    }
}

/// Reads the caller from the verified claims of an *access* token.
///
/// # Errors
/// 403 when the authorizer passed no usable claims: a defect of the deployment, not of the caller.
pub fn caller(request: &Request) -> Result<Caller, Problem> {
    const UNUSABLE: Problem = Problem::forbidden("The token is not an access token of a member.");
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
        return Err(UNUSABLE);
    };
    let jwt = context.authorizer.as_ref().and_then(|authorizer| authorizer.jwt.as_ref());
    let claims = &jwt.ok_or(UNUSABLE)?.claims;
    let claim = |name: &str| claims.get(name).map(String::as_str);
    if claim("token_use") != Some("access") {
        return Err(UNUSABLE);
    }
    let member = claim("sub").and_then(MemberId::parse).ok_or(UNUSABLE)?;
    let seconds = claim("auth_time").and_then(|seconds| seconds.parse().ok());
    Ok(Caller {
        member,
        groups: groups(claim("cognito:groups").unwrap_or_default()),
        signed_in_at: seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()),
    })
}

/// API Gateway passes the list claim as text: `[agent owner]`. Unknown groups are none of ours.
fn groups(claim: &str) -> Vec<Role> {
    claim
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
        .filter_map(Role::parse)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    //= R4.3
    #[test]
    fn a_sign_in_is_fresh_for_15_minutes_and_one_without_a_time_never() {
        let now = Timestamp::from_second(1_796_100_000).unwrap();
        let fresh = |seconds: Option<i64>| {
            let signed_in_at = seconds.map(|ago| now - SignedDuration::from_secs(ago));
            let member = MemberId::parse("m").unwrap();
            Caller { member, groups: Vec::new(), signed_in_at }.has_just_signed_in(now)
        };
        for ago in [-1, 0, 900] {
            assert_eq!(fresh(Some(ago)), Ok(()), "{ago}");
        }
        for ago in [Some(901), None] {
            let response = fresh(ago).unwrap_err().response();
            assert_eq!(response.status(), 401);
            let challenge = response.headers()["www-authenticate"].to_str().unwrap();
            let expected = r#"Bearer error="insufficient_user_authentication", max_age=900"#;
            assert_eq!(challenge, expected, "{ago:?}");
        }
    }

    #[test]
    fn groups_are_read_in_every_form_api_gateway_writes() {
        let both = vec![Role::Agent, Role::Owner];
        for claim in ["[agent owner]", "agent,owner", r#"["agent","owner"]"#, "[agent owner x]"] {
            assert_eq!(groups(claim), both, "{claim}");
        }
        assert_eq!(groups(""), []);
        assert_eq!(groups("[owners co-owner]"), []);
    }
}
