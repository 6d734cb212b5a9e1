//! Who is calling: the claims that API Gateway's JWT authorizer verified.

use jiff::{SignedDuration, Timestamp};
use lambda_http::http::StatusCode;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt as _};

use super::problem::Problem;
use crate::domain::ids::MemberId;
use crate::domain::role::Role;

/// The age of a sign-in at most, for what is sensitive. A member with a second factor gave it at
/// that sign-in.
const FRESH: SignedDuration = SignedDuration::from_mins(15);

/// Tells a client to have its user sign in again (RFC 9470, section 3).
const STALE: Problem = Problem::new(
    StatusCode::UNAUTHORIZED,
    "insufficient-user-authentication",
    "Please sign in again and repeat the request: it needs a sign-in of the last 15 minutes.",
)
.with_header("www-authenticate", r#"Bearer error="insufficient_user_authentication", max_age=900"#);

/// Someone who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The member: the claim `sub`.
    pub member: MemberId,
    /// The groups in the token.
    pub groups: Vec<Role>,
    /// When the caller signed in. A refreshed token has the time of the sign-in that it goes back
    /// to.
    pub signed_in_at: Option<Timestamp>,
}

impl Caller {
    /// Checks that the caller signed in within the last 15 minutes.
    ///
    /// # Errors
    /// 401 with the challenge of RFC 9470 if the sign-in is older, or if the token does not say.
    //= R4.3
    pub fn has_just_signed_in(&self, now: Timestamp) -> Result<(), Problem> {
        let at = self.signed_in_at.ok_or(STALE)?;
        if now.duration_since(at) <= FRESH { Ok(()) } else { Err(STALE) }
    }
}

/// Reads the caller from the verified claims of an *access* token.
///
/// # Errors
/// 403 if the authorizer passed no usable claims. That is a defect of the deployment, and not the
/// caller's.
pub fn caller(request: &Request) -> Result<Caller, Problem> {
    const UNUSABLE: Problem = Problem::forbidden(
        "This is not the access token of a member. Please sign in, and send the access token.",
    );
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

/// Reads the groups. API Gateway passes the list as text: `[agent owner]`. Unknown groups are left
/// out.
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
