//! Who is calling: the claims that API Gateway's JWT authorizer verified.

use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt as _};

use super::problem::Problem;
use crate::domain::ids::MemberId;
use crate::domain::role::Role;

/// Someone who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The member: `sub`.
    pub member: MemberId,
    /// The groups the token was issued with.
    pub groups: Vec<Role>,
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
    Ok(Caller { member, groups: groups(claim("cognito:groups").unwrap_or_default()) })
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
