//! Where people find the service.

use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt as _};

use crate::domain::ids::RequestId;

/// The address of an erasure's public page: at `public_url`, or else at the API's own domain. API
/// Gateway names that domain; a header of the caller never does.
#[must_use]
pub fn status_page(public_url: Option<&str>, request: &Request, id: &RequestId) -> String {
    if let Some(url) = public_url {
        return format!("{url}/data-deletion/{id}");
    }
    let domain = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.domain_name.as_deref(),
        _ => None,
    };
    format!("https://{}/data-deletion/{id}", domain.unwrap_or_default())
}
